internal import CLinux
internal import Linux

/// Where a program is, by the container's own `PATH`.
enum Executable {
    /// The search path where the environment has none; the execvp manual page.
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The path to execute, found with the process's own rights.
    ///
    /// A name with a slash is taken as it is.
    ///
    /// The texts are those of Go's `exec` package, because Docker's clients choose the exit code by them.
    static func find(_ name: String, path: String?) throws(RuntimeFailure) -> String {
        if name.utf8.contains(UInt8(ascii: "/")) {
            if let problem = problem(name) { throw failure(name, problem) }
            return name
        }
        var denied = false
        for directory in (path ?? defaultPath).split(separator: ":", omittingEmptySubsequences: false) {
            let candidate = (directory.isEmpty ? "." : String(directory)) + "/" + name
            switch problem(candidate) {
            case nil: return candidate
            case EACCES: denied = true
            default: break
            }
        }
        if denied { throw failure(name, EACCES) }
        throw RuntimeFailure(.exec, "exec: \"\(name)\": executable file not found in $PATH", errno: ENOENT)
    }

    private static func failure(_ name: String, _ number: Int32) -> RuntimeFailure {
        let reason = number == EISDIR ? "is a directory" : SystemError("exec", errno: number).reason
        return RuntimeFailure(
            .exec, "exec: \"\(name)\": \(number == EACCES || number == EISDIR ? reason : "stat \(name): \(reason)")",
            errno: number)
    }

    /// The error number that executing the path would give, as far as it can be told before.
    private static func problem(_ path: String) -> Int32? {
        var status = stat()
        if stat(path, &status) != 0 { return skiff_errno() }
        if status.isDirectory { return EISDIR }
        if faccessat(Directory.working, path, X_OK, AT_EACCESS) == 0 { return nil }
        guard skiff_errno() == EPERM else { return skiff_errno() }
        // A filter from before faccessat2 refuses that call. The real ids are the effective ones here, so access tells
        // the same; where that is refused too, exec will tell.
        if access(path, X_OK) == 0 || skiff_errno() == EPERM { return nil }
        return skiff_errno()
    }
}
