public import Failures
public import Linux

/// A further process in a container.
public final class ExecTask: Sendable {
    public let id: String
    /// The process as the host numbers it.
    public let pid: Int32

    private let record: ExecRecord
    private let task: ContainerTask

    init(id: String, pid: Int32, record: ExecRecord, task: ContainerTask) {
        self.id = id
        self.pid = pid
        self.record = record
        self.task = task
    }

    /// How it ended.
    ///
    /// The shim tells it before it ends the streams; the two come by different sockets, so who has read a stream to its
    /// end still awaits this before telling anybody that the stream has ended.
    public var exit: ExitStatus { get async { await record.exit.value } }

    /// The status if it has ended.
    public var exitNow: ExitStatus? { record.exit.now }

    /// Adds a listener to its output, or a writer to its input, from now on.
    public func attach(_ attachment: StreamAttachment) async throws(Failure) {
        try await task.attach(attachment, to: id)
    }

    /// Gives its terminal a size; nothing happens without a terminal.
    public func resize(_ size: WindowSize) async throws(Failure) { try await task.resize(id, size) }

    /// Sends it a signal.
    public func signal(_ number: Int32) async throws(Failure) { try await task.signal(number, exec: id) }

    /// Lets go of it after its end was recorded; until then the shim keeps its status for a daemon that comes back.
    public func forget() async { await task.forget(exec: id) }
}
