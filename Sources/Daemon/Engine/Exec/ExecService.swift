public import Failures
public import Linux

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
    /// Whether it has ended and nobody reads it any more.
    public let canRemove: Bool
}

/// Processes started inside running containers beside their own.
public final class ExecService: Sendable {
    init() {}

    /// - Throws: `conflict` when the container does not run or is paused, `invalid` for an empty command.
    public func create(in container: String, _ request: ExecRequest) throws(Failure) -> String {
        throw Failure(.notImplemented, "exec")
    }

    /// Takes an exec for starting: from here on nobody else can. Nothing runs before `ExecStart.begin`, so that the edge
    /// can send its header first.
    ///
    /// - Parameters:
    ///   - detach: no streams: `ExecStart.takeSocket` gives nil.
    ///   - consoleSize: overrides the one given at creation.
    /// - Throws: `notFound` "No such exec instance: <id>", `conflict` when it has run or its container no longer runs.
    public func prepare(_ id: String, detach: Bool, consoleSize: TerminalSize? = nil) throws(Failure) -> ExecStart {
        throw Failure(.notImplemented, "exec")
    }

    public func inspect(_ id: String) throws(Failure) -> ExecSnapshot { throw Failure(.notImplemented, "exec") }

    /// Waits shortly for an exec that is being started.
    public func resize(_ id: String, to size: TerminalSize) async throws(Failure) {
        throw Failure(.notImplemented, "exec")
    }
}

/// An exec about to start.
public final class ExecStart: Sendable {
    init() {}
    public var tty: Bool { false }
    /// The stream as in `AttachedStream.socket`; nil when detached or taken. Its end of file comes after the exit code
    /// is stored.
    public func takeSocket() -> OwnedDescriptor? { nil }
    /// Starts the process. When it cannot be started, an attached caller finds the reason in the stream and 126 or 127 in
    /// inspect and nothing is thrown; a detached one gets the failure.
    public func begin() async throws(Failure) { throw Failure(.notImplemented, "exec") }
}
