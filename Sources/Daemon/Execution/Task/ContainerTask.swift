public import Failures
public import Linux

/// A running container, or one that has ended and whose status nobody has collected.
public final class ContainerTask: Sendable {
    public let id: String
    /// The container's first process as the host numbers it.
    public let pid: Int32
    /// When it was started, in nanoseconds since 1970 UTC.
    public let startedAt: Int64

    init(id: String, pid: Int32, startedAt: Int64) {
        self.id = id
        self.pid = pid
        self.startedAt = startedAt
    }

    /// How it ended, as soon as it has and its output was delivered to the log; any number of callers may wait.
    /// Cancelling the waiting task does not end the wait.
    public var exit: ExitStatus { get async { ExitStatus(code: 255, finishedAt: 0, isLost: true) } }

    /// The status if it has ended.
    public var exitNow: ExitStatus? { nil }

    /// What happens meanwhile, for one listener; ends with the container.
    public var notices: AsyncStream<TaskNotice> { AsyncStream { $0.finish() } }

    /// Adds a listener to its output, or a writer to its input, from now on.
    public func attach(_ attachment: StreamAttachment) async throws(Failure) {
        throw Failure(.notImplemented, "attach")
    }

    /// Starts a further process in it and returns when its program runs.
    ///
    /// - Throws: a failure whose cause is a `StartFailure` when the program cannot be started; `conflict` when the
    ///   container has ended.
    public func exec(_ request: ExecRequest) async throws(Failure) -> ExecTask {
        throw Failure(.notImplemented, "exec")
    }

    /// The execs that run, or whose end nobody has forgotten yet; for recovery.
    public func execs() -> [ExecTask] { [] }

    /// Sends a signal to its first process, or to every process in it.
    public func signal(_ number: Int32, all: Bool = false) async throws(Failure) {
        throw Failure(.notImplemented, "signal")
    }

    /// Gives its terminal a size; nothing happens without a terminal.
    public func resize(_ size: WindowSize) async throws(Failure) { throw Failure(.notImplemented, "resize") }

    /// Freezes, and lets go on, every process in it.
    public func pause() async throws(Failure) { throw Failure(.notImplemented, "pause") }
    public func resume() async throws(Failure) { throw Failure(.notImplemented, "resume") }

    /// Whether it is frozen.
    public var isPaused: Bool { false }

    /// Changes its limits while it runs; nil fields stay as they are.
    public func update(_ limits: ResourceLimits) async throws(Failure) { throw Failure(.notImplemented, "update") }

    /// The processes in its cgroup as the host numbers them.
    public func processes() async throws(Failure) -> [Int32] { throw Failure(.notImplemented, "processes") }

    /// Lets the shim go after the end was recorded: returns when its cgroup and directory are gone.
    public func collect() async {}
}

/// A further process in a container.
public final class ExecTask: Sendable {
    public let id: String
    /// The process as the host numbers it.
    public let pid: Int32

    init(id: String, pid: Int32) {
        self.id = id
        self.pid = pid
    }

    /// How it ended; known before its streams end.
    public var exit: ExitStatus { get async { ExitStatus(code: 255, finishedAt: 0, isLost: true) } }
    /// The status if it has ended.
    public var exitNow: ExitStatus? { nil }
    /// Gives its terminal a size; nothing happens without a terminal.
    public func resize(_ size: WindowSize) async throws(Failure) { throw Failure(.notImplemented, "resize") }
    /// Sends it a signal.
    public func signal(_ number: Int32) async throws(Failure) { throw Failure(.notImplemented, "signal") }
}
