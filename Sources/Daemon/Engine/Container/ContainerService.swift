public import Execution
public import Failures
public import Images
public import Linux
public import Logging
public import NIOCore
public import NIOPosix
public import Networking
public import Storage
internal import Synchronization

/// The life of containers: what Docker's container calls do, one operation at a time per container.
///
/// Every method takes a reference: a full id, a name with or without slash, or a unique prefix of an id. What does not
/// exist fails with `notFound` "No such container: <ref>".
///
/// Decisions are `Lifecycle`'s, `MountPlan`'s, `NetworkPlan`'s and `SandboxPlan`'s; this type and its extensions carry them
/// out. An operation passes through its container's queue and is not cut short when its caller goes away; nothing in the
/// queue waits for a process to end, so that a `kill` gets through while a `stop` waits.
public final class ContainerService: Sendable {
    let configuration: EngineConfiguration
    let index: ContainerIndex
    let rows: ContainerRows
    let snapshots: any Snapshotter
    let images: ImageStore
    let networks: Networks
    let launcher: ShimLauncher
    let volumes: VolumeService
    let events: EventBus
    let pool: NIOThreadPool
    let group: any EventLoopGroup
    let logger: Logger
    let logWatcher: LogWatcher
    let runs = Mutex<UInt64>(0)
    /// Deletions on disk, one after the other.
    let sweeper = SerialQueue()
    /// The daemon is going: nothing is started or recorded any more.
    let isClosing = Atomic(false)

    public init(
        configuration: EngineConfiguration, index: ContainerIndex, rows: ContainerRows, snapshots: any Snapshotter,
        images: ImageStore,
        networks: Networks, launcher: ShimLauncher, volumes: VolumeService, events: EventBus, pool: NIOThreadPool,
        group: any EventLoopGroup, logger: Logger
    ) {
        (self.configuration, self.index, self.rows) = (configuration, index, rows)
        (self.snapshots, self.images, self.networks, self.launcher) = (snapshots, images, networks, launcher)
        (self.volumes, self.events, self.pool, self.group, self.logger) = (volumes, events, pool, group, logger)
        logWatcher = LogWatcher()
    }

    // MARK: Life

    /// Makes a container without touching disk but for its row: its rootfs appears at the first start.
    ///
    /// - Throws: `notFound` when the image is not here (and for no other reason), `conflict` when the name is taken,
    ///   `invalid` for what can never work.
    public func create(_ request: CreateRequest) async throws(Failure) -> CreateResult { try await make(request) }

    /// Starts a container; everything half-made is undone when it fails.
    ///
    /// - Throws: `notModified` when it runs already; `invalid` with the runtime's words when its program cannot be started.
    public func start(_ reference: String) async throws(Failure) {
        let container = try index.resolve(reference)
        try await container.queue.run { () throws(Failure) in try await self.run(container, automatic: false) }
    }

    /// Asks a container to end, and kills it when it has not after `timeout` seconds (nil: its own, else 10; -1: wait for ever).
    ///
    /// - Throws: `notModified` when it does not run.
    public func stop(_ reference: String, timeout: Int? = nil, signal: String? = nil) async throws(Failure) {
        try await end(try index.resolve(reference), timeout: timeout, signal: signal)
    }

    /// Sends a signal, by name or number; nil or empty is `SIGKILL`, after which it waits for the end.
    public func kill(_ reference: String, signal: String? = nil) async throws(Failure) {
        try await send(signal, to: try index.resolve(reference))
    }

    /// Stops as `stop` does, if it runs, and starts again.
    public func restart(_ reference: String, timeout: Int? = nil, signal: String? = nil) async throws(Failure) {
        try await restart(try index.resolve(reference), timeout: timeout, signal: signal)
    }

    /// Freezes every process of a running container.
    public func pause(_ reference: String) async throws(Failure) { try await freeze(try index.resolve(reference)) }

    /// Lets a frozen container go on.
    public func unpause(_ reference: String) async throws(Failure) { try await thaw(try index.resolve(reference)) }

    /// Gives a container another name.
    ///
    /// - Throws: `conflict` when it is taken.
    public func rename(_ reference: String, to name: String) async throws(Failure) {
        try await rename(try index.resolve(reference), to: name)
    }

    /// Removes a container and everything that is its own.
    ///
    /// - Parameters:
    ///   - force: kill it first when it runs.
    ///   - volumes: with its anonymous volumes.
    public func remove(_ reference: String, force: Bool = false, volumes: Bool = false) async throws(Failure) {
        try await remove(try index.resolve(reference), force: force, withVolumes: volumes)
    }

    /// Registers a wait and returns at once; the answer comes from `WaitHandle.result()`.
    public func wait(_ reference: String, _ condition: WaitCondition) throws(Failure) -> WaitHandle {
        try register(condition, on: try index.resolve(reference))
    }

    // MARK: Looking

    /// Everything about one container now.
    public func inspect(_ reference: String) throws(Failure) -> ContainerSnapshot {
        snapshot(of: try index.resolve(reference))
    }

    /// Newest first.
    public func list(_ request: ContainerListRequest) throws(Failure) -> [ContainerSnapshot] {
        try ContainerList(request, index: index, images: images).select(index.all().map { snapshot(of: $0) })
    }

    // MARK: Streams

    /// Joins a container's streams, also before it is started: then they are handed over at start and no byte is lost.
    ///
    /// - Throws: `conflict` while it is paused or restarting.
    public func attach(_ reference: String, _ request: AttachRequest) async throws(Failure) -> AttachedStream {
        try await join(try index.resolve(reference), request)
    }

    /// Sets the size of a container's terminal; before start it is kept for the start.
    public func resize(_ reference: String, to size: TerminalSize) async throws(Failure) {
        try await resize(try index.resolve(reference), to: size)
    }

    /// Opens a container's log.
    ///
    /// - Throws: `notImplemented` when its log driver cannot be read.
    public func logs(_ reference: String, _ request: LogRequest) async throws(Failure) -> LogStream {
        try openLog(of: try index.resolve(reference), request)
    }
}
