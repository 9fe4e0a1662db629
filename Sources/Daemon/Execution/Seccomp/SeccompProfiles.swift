internal import CLinux
internal import Crypto
internal import Failures
internal import JSON
internal import Linux
internal import Synchronization

/// Compiled system call filters: each profile is compiled once per capability set, then read from disk, then from memory.
///
/// ```
/// <directory>/<sha256 of profile, capabilities, machine, library>.bpf     0600, written beside and renamed
/// ```
///
/// The files live below the runtime directory, which a reboot empties: a new kernel or library is a new key anyway.
/// Blocking; callers are on the pool.
final class SeccompProfiles: Sendable {
    private let directory: String
    private let machine: SeccompMachine
    private let open = Mutex<[String: SharedDescriptor]>([:])

    /// How many filters stay open; a hostile client sends many profiles.
    private static let limit = 64
    /// Counts up when the compiler's own output changes.
    private static let edition = "1"

    init(directory: String) throws(Failure) {
        self.directory = directory
        machine = try SeccompMachine.current()
        do { try makeDirectories(directory, mode: 0o700) } catch {
            throw Failure(.internal, "make the directory of compiled filters", cause: error)
        }
    }

    /// The program for a process with these capabilities, as an open file; nil when it is not filtered.
    func filter(_ choice: SeccompChoice, capabilities: [String]) throws(Failure) -> SharedDescriptor? {
        let name: String
        let profile: SeccompProfile
        switch choice {
        case .unconfined: return nil
        case .standard:
            name = "standard"
            profile = .standard
        case .custom(let document):
            name = document.text
            profile = try SeccompProfile(document: document)
        }
        let key = key(name, capabilities)
        let path = "\(directory)/\(key).bpf"
        // Under the lock: two that compile the same filter at once would write into each other's file.
        return try open.withLock { open throws(Failure) in
            if let known = open[key] { return known }
            let program = exists(path) ? nil : try profile.program(capabilities: Set(capabilities), on: machine)
            do throws(SystemError) {
                if let program { try replaceFile(path, program, mode: 0o600) }
                let file = SharedDescriptor(try Linux.open(path, O_RDONLY))
                if open.count >= Self.limit, let any = open.keys.first { open[any] = nil }
                open[key] = file
                return file
            } catch {
                throw Failure(.internal, "keep a compiled filter", cause: error)
            }
        }
    }

    /// The filter as the runtime specification writes it, for a runtime that compiles it itself; nil when there is none.
    func document(_ choice: SeccompChoice, capabilities: [String]) throws(Failure) -> JSON? {
        switch choice {
        case .unconfined: nil
        case .standard: SeccompProfile.standard.document(capabilities: Set(capabilities), on: machine)
        case .custom(let document):
            try SeccompProfile(document: document).document(capabilities: Set(capabilities), on: machine)
        }
    }

    private func key(_ name: String, _ capabilities: [String]) -> String {
        let text = [
            Self.edition, name, capabilities.sorted().joined(separator: ","), machine.name,
            "\(machine.kernel.major).\(machine.kernel.minor)", SeccompCompiler.libraryVersion,
        ].joined(separator: "\n")
        return SHA256.hash(data: Array(text.utf8)).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }
}
