internal import CLinux
internal import Failures
internal import Linux

/// The directories a daemon lives in, and the lock that makes it the only one there.
///
/// ```
/// <data-root>          0710   nobody but root lists it: images contain setuid programs
/// <data-root>/skiffd.lock     held while the daemon runs; the kernel lets go when it dies
/// <exec-root>          0711   the socket is inside
/// ```
struct StateDirectories {
    private let lock: SharedDescriptor

    /// - Throws: `conflict` when another daemon has this data root.
    init(_ settings: DaemonSettings) throws(Failure) {
        do {
            try makeDirectories(settings.dataRoot, mode: 0o710)
            try makeDirectories(settings.execRoot, mode: 0o711)
            try Self.setMode(of: settings.dataRoot, 0o710)
            try Self.setMode(of: settings.execRoot, 0o711)
            lock = SharedDescriptor(try open(settings.dataRoot + "/skiffd.lock", O_RDWR | O_CREAT, mode: 0o600))
        } catch {
            throw Failure(.internal, "cannot use \(settings.dataRoot) and \(settings.execRoot): \(error)", cause: error)
        }
        let locked: Bool
        do { locked = try tryLock(lock.raw) } catch {
            throw Failure(.internal, "cannot lock \(settings.dataRoot): \(error)", cause: error)
        }
        guard locked else {
            throw Failure(
                .conflict, "another daemon uses \(settings.dataRoot): stop it, or give this one another --data-root")
        }
    }

    /// A directory that was there already may have any mode.
    private static func setMode(of path: String, _ mode: mode_t) throws(SystemError) {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        try Linux.setMode(directory.raw, mode)
    }

    /// Writes the process id where somebody wants to read it.
    static func writePidfile(_ path: String) throws(Failure) {
        do { try replaceFile(path, Array("\(ownProcess())\n".utf8), mode: 0o644) } catch {
            throw Failure(.internal, "cannot write the pid file \(path): \(error.reason)", cause: error)
        }
    }

    /// What tells this daemon from others over restarts: made once, kept in the data root.
    static func daemonID(_ dataRoot: String) throws(Failure) -> String {
        let path = dataRoot + "/daemon-id"
        if let text = try? readText(path, limit: 200), text.utf8.count >= 36 { return String(text.prefix(36)) }
        var hex = ""
        for _ in 0..<16 {
            let digits = String(UInt8.random(in: 0 ... .max), radix: 16)
            hex += digits.utf8.count == 1 ? "0" + digits : digits
        }
        let id = [8, 4, 4, 4, 12].reduce(into: (rest: hex[...], text: "")) { state, count in
            state.text += (state.text.isEmpty ? "" : "-") + state.rest.prefix(count)
            state.rest = state.rest.dropFirst(count)
        }.text
        do { try replaceFile(path, Array("\(id)\n".utf8), mode: 0o600) } catch {
            throw Failure(.internal, "cannot write \(path): \(error.reason)", cause: error)
        }
        return id
    }
}
