public import Failures
public import Linux
internal import OCI
internal import ShimProtocol

/// A running container, or one that has ended and whose status nobody has collected.
///
/// ```swift
/// let task = try await launcher.launch(request)
/// let status = await task.exit
/// // …record the status, then:
/// await task.collect()
/// ```
public final class ContainerTask: Sendable {
    public let id: String
    /// The container's first process as the host numbers it.
    public let pid: Int32
    /// When it was started, in nanoseconds since 1970 UTC.
    public let startedAt: Int64

    private let record: TaskRecord
    private let connection: ShimConnection
    private let launcher: ShimLauncher

    init(
        id: String, pid: Int32, startedAt: Int64, record: TaskRecord, connection: ShimConnection, launcher: ShimLauncher
    ) {
        self.id = id
        self.pid = pid
        self.startedAt = startedAt
        self.record = record
        self.connection = connection
        self.launcher = launcher
    }

    /// How it ended, as soon as it has and its output is in the log; any number of callers may wait.
    ///
    /// Cancelling the waiting task does not end the wait.
    public var exit: ExitStatus { get async { await record.exit.value } }

    /// The status if it has ended.
    public var exitNow: ExitStatus? { record.exit.now }

    /// What happens meanwhile, for one listener; ends with the container.
    public var notices: AsyncStream<TaskNotice> { record.notices }

    /// Adds a listener to its output, or a writer to its input, from now on.
    public func attach(_ attachment: StreamAttachment) async throws(Failure) {
        _ = try await connection.ask(
            .attach(process: nil, stream: attachment.order), descriptors: [attachment.descriptor])
    }

    /// Starts a further process in it and returns when its program runs.
    ///
    /// - Throws: a failure whose cause is a `StartFailure` when the program cannot be started; `conflict` when the
    ///   container has ended or is paused.
    public func exec(_ request: ExecRequest) async throws(Failure) -> ExecTask {
        let exec = record.expect(exec: request.id)
        do throws(Failure) {
            let answer = try await connection.ask(
                .exec(launcher.order(for: request)), descriptors: request.attachments.map(\.descriptor))
            guard case .executing(_, let pid) = answer else { throw Self.unexpected(answer) }
            exec.pid.resolve(pid)
            return ExecTask(id: request.id, pid: pid, record: exec, task: self)
        } catch {
            record.forget(exec: request.id)
            throw error
        }
    }

    /// The execs that run, or whose end nobody has forgotten yet; for recovery.
    public func execs() -> [ExecTask] {
        record.execs.compactMap { id, record in
            record.pid.now.map { ExecTask(id: id, pid: $0, record: record, task: self) }
        }
    }

    /// Lets go of an exec whose end was recorded.
    func forget(exec id: String) async {
        record.forget(exec: id)
        _ = try? await connection.ask(.forget(exec: id))
    }

    /// Sends a signal to its first process, or to every process in it.
    public func signal(_ number: Int32, all: Bool = false) async throws(Failure) {
        _ = try await connection.ask(.signal(number, to: all ? .all : .initial))
        if number == 9 { record.setPaused(false) }
    }

    /// Gives its terminal a size; nothing happens without a terminal.
    public func resize(_ size: WindowSize) async throws(Failure) {
        try await resize(nil, size)
    }

    func resize(_ process: String?, _ size: WindowSize) async throws(Failure) {
        _ = try await connection.ask(.resize(process: process, rows: size.rows, columns: size.columns))
    }

    func attach(_ attachment: StreamAttachment, to exec: String) async throws(Failure) {
        _ = try await connection.ask(
            .attach(process: exec, stream: attachment.order), descriptors: [attachment.descriptor])
    }

    func signal(_ number: Int32, exec: String) async throws(Failure) {
        _ = try await connection.ask(.signal(number, to: .exec(exec)))
    }

    /// Freezes every process in it.
    public func pause() async throws(Failure) {
        _ = try await connection.ask(.pause)
        record.setPaused(true)
    }

    /// Lets every process in it go on.
    public func resume() async throws(Failure) {
        _ = try await connection.ask(.resume)
        record.setPaused(false)
    }

    /// Whether it is frozen.
    public var isPaused: Bool { record.isPaused }

    /// Changes its limits while it runs; nil fields stay as they are.
    public func update(_ limits: ResourceLimits) async throws(Failure) {
        _ = try await connection.ask(.update(SandboxSpec.resources(limits).json))
    }

    /// The processes in its cgroup as the host numbers them.
    public func processes() async throws(Failure) -> [Int32] {
        let answer = try await connection.ask(.processes)
        guard case .processes(let pids) = answer else { throw Self.unexpected(answer) }
        return pids
    }

    /// Lets the shim go after the end was recorded: returns when its cgroup and directory are gone.
    public func collect() async {
        do { _ = try await connection.ask(.collect) } catch {
            // The shim was killed: what it would have cleared away is ours to clear.
            if error.kind == .unavailable { await launcher.clearLeftovers(of: id) }
        }
        connection.close()
    }

    /// Ends the conversation as a daemon's end would: the shim goes on.
    func disconnect() { connection.close() }

    private static func unexpected(_ event: ShimEvent) -> Failure {
        Failure(.internal, "unexpected answer of the shim: \(event)")
    }
}
