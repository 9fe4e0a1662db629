/// How a container's first process, or an exec, ended.
public struct ExitStatus: Sendable, Hashable {
    /// The exit code, or 128 + the signal that killed it.
    public let code: Int32
    /// The signal that killed it, if one did.
    public let signal: Int32?
    /// Whether the kernel killed something of the container for want of memory.
    public let oomKilled: Bool
    /// When, in nanoseconds since 1970 UTC.
    public let finishedAt: Int64
    /// Whether nobody saw the end: the shim itself was killed, and the code is only Docker's 255.
    public let isLost: Bool

    public init(code: Int32, signal: Int32? = nil, oomKilled: Bool = false, finishedAt: Int64, isLost: Bool = false) {
        self.code = code
        self.signal = signal
        self.oomKilled = oomKilled
        self.finishedAt = finishedAt
        self.isLost = isLost
    }
}

/// What happens to a running container that nobody asked for.
public enum TaskNotice: Sendable, Hashable {
    /// The kernel killed something in it for want of memory.
    case outOfMemory
}

/// Why a process could not be started, as whoever maps it to an exit code and a text needs it.
public struct StartFailure: Error, Sendable, Hashable {
    /// The step that failed: `exec`, `chdir`, `mount`, `user`, `cgroup` and so on.
    public let stage: String
    /// The kernel's reason, 0 when it was not the kernel that said no.
    public let errno: Int32
    /// The path or name it was about.
    public let path: String?
    /// The whole story in one line, in the words Docker's clients look for.
    public let message: String

    public init(stage: String, errno: Int32, path: String?, message: String) {
        self.stage = stage
        self.errno = errno
        self.path = path
        self.message = message
    }

    /// The exit code Docker gives the container: 127 not found, 126 not executable, 128 anything else.
    public var exitCode: Int32 {
        guard stage == "exec" || stage == "workingDirectory" else { return 128 }
        // ENOENT and ENOTDIR; EPERM, ENOEXEC, EACCES and EISDIR.
        switch errno {
        case 2, 20: return 127
        case 1, 8, 13, 21: return 126
        default: return 128
        }
    }
}

extension StartFailure: CustomStringConvertible {
    public var description: String { message }
}
