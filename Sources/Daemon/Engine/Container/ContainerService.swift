public import Failures

/// The life of containers: what Docker's container calls do, one operation at a time per container.
///
/// Every method takes a reference: a full id, a name with or without slash, or a unique prefix of an id. What does not
/// exist fails with `notFound` "No such container: <ref>".
public final class ContainerService: Sendable {
    init() {}

    /// Makes a container without touching disk but for its row: its rootfs appears at the first start.
    ///
    /// - Throws: `notFound` when the image is not here (and for no other reason), `conflict` when the name is taken,
    ///   `invalid` for what can never work.
    public func create(_ request: CreateRequest) async throws(Failure) -> CreateResult {
        throw Failure(.notImplemented, "create")
    }

    /// Starts a container; everything half-made is undone when it fails.
    ///
    /// - Throws: `notModified` when it runs already; `invalid` with the runtime's words when its program cannot be started.
    public func start(_ reference: String) async throws(Failure) { throw Failure(.notImplemented, "start") }

    /// Asks a container to end, and kills it when it has not after `timeout` seconds (nil: its own, else 10; -1: wait for ever).
    ///
    /// - Throws: `notModified` when it does not run.
    public func stop(_ reference: String, timeout: Int? = nil, signal: String? = nil) async throws(Failure) {
        throw Failure(.notImplemented, "stop")
    }

    /// Sends a signal, by name or number; nil or empty is `SIGKILL`.
    public func kill(_ reference: String, signal: String? = nil) async throws(Failure) {
        throw Failure(.notImplemented, "kill")
    }

    /// Stops as `stop` does, if it runs, and starts again.
    public func restart(_ reference: String, timeout: Int? = nil, signal: String? = nil) async throws(Failure) {
        throw Failure(.notImplemented, "restart")
    }

    /// Freezes every process of a running container.
    public func pause(_ reference: String) async throws(Failure) { throw Failure(.notImplemented, "pause") }
    public func unpause(_ reference: String) async throws(Failure) { throw Failure(.notImplemented, "unpause") }

    public func rename(_ reference: String, to name: String) async throws(Failure) {
        throw Failure(.notImplemented, "rename")
    }

    /// Removes a container and everything that is its own.
    ///
    /// - Parameters:
    ///   - force: kill it first when it runs.
    ///   - volumes: with its anonymous volumes.
    public func remove(_ reference: String, force: Bool = false, volumes: Bool = false) async throws(Failure) {
        throw Failure(.notImplemented, "remove")
    }

    /// Registers a wait and returns at once; the answer comes from `WaitHandle.result()`.
    public func wait(_ reference: String, _ condition: WaitCondition) throws(Failure) -> WaitHandle {
        throw Failure(.notImplemented, "wait")
    }

    public func inspect(_ reference: String) throws(Failure) -> ContainerSnapshot {
        throw Failure(.notImplemented, "inspect")
    }

    /// Newest first.
    public func list(_ request: ContainerListRequest) throws(Failure) -> [ContainerSnapshot] {
        throw Failure(.notImplemented, "list")
    }

    /// Joins a container's streams, also before it is started: then they are handed over at start and no byte is lost.
    ///
    /// - Throws: `conflict` while it is paused or restarting.
    public func attach(_ reference: String, _ request: AttachRequest) async throws(Failure) -> AttachedStream {
        throw Failure(.notImplemented, "attach")
    }

    /// Sets the size of a container's terminal; before start it is kept for the start.
    public func resize(_ reference: String, to size: TerminalSize) async throws(Failure) {
        throw Failure(.notImplemented, "resize")
    }

    /// Opens a container's log.
    ///
    /// - Throws: `notImplemented` when its log driver cannot be read.
    public func logs(_ reference: String, _ request: LogRequest) async throws(Failure) -> LogStream {
        throw Failure(.notImplemented, "logs")
    }
}

/// A registered wait.
public final class WaitHandle: Sendable {
    init() {}
    /// Suspends until the condition holds; cancellation gives up the wait and throws `cancelled`.
    public func result() async throws(Failure) -> WaitResult { throw Failure(.notImplemented, "wait") }
}
