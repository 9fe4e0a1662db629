/// What to run inside a running container.
public struct ExecRequest: Sendable, Hashable {
    public var command: [String]
    public var env: [String] = []
    /// Empty for the container's own.
    public var workingDirectory = ""
    /// Empty for the container's own; `name`, `uid`, `uid:gid`, `name:group`.
    public var user = ""
    public var tty = false
    public var attachStdin = false
    public var attachStdout = false
    public var attachStderr = false
    public var privileged = false
    public var detachKeys = ""
    public var consoleSize: TerminalSize?
    public init(command: [String]) { self.command = command }
}

/// How an exec is, for inspect.
public struct ExecSnapshot: Sendable {
    public let id: String
    public let containerID: String
    public let request: ExecRequest
    public let running: Bool
    /// nil while it has not ended.
    public let exitCode: Int?
    /// On the host; 0 before it started.
    public let pid: Int32
    /// Whether it has ended and nobody needs it any more.
    public let canRemove: Bool
}
