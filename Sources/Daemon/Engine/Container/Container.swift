internal import Execution
internal import OCI
internal import Synchronization

/// One container in memory: what never changes, what does, and the queue its operations pass through.
final class Container: Sendable {
    let id: String
    let created: Timestamp
    let image: Digest
    let config: ContainerConfig
    let host: HostSettings
    /// Lifecycle operations, one at a time.
    ///
    /// Nothing in it waits for the process to end.
    let queue = SerialQueue()
    private let mutable: Mutex<Mutable>

    /// What changes.
    ///
    /// `record` holds the same constants as the container.
    struct Mutable {
        var record: ContainerRecord
        /// The running process; nil while there is none.
        var task: ContainerTask?
        /// This run; replaced at each start.
        var run: Run?
        /// Attached before the start, to be handed over with it.
        var waitingStreams: [StreamAttachment] = []
        /// The terminal's size set before the start.
        var firstSize: TerminalSize?
        var waits: [Wait] = []
        var execs: [String: Exec] = [:]
        var restartTimer: Task<Void, Never>?
        var health: Task<Void, Never>?
        /// The clearing away of the last run's shim; the next start and the removal wait for it.
        var collection: Task<Void, Never>?
        /// A run whose end could not be written: its shim keeps the status until it is, for this daemon or the next.
        var unrecorded: ContainerTask?
        /// Whether it is gone: operations that were queued behind the removal find nothing.
        var isRemoved = false
        /// The end of a run does not remove it while `restart` is between stop and start.
        var isRestartingByHand = false
        /// Whether this run's `oom` was told.
        var toldOutOfMemory = false

        /// Takes everybody who waits, for an answer.
        mutating func takeWaits() -> [Wait] {
            defer { waits = [] }
            return waits
        }
    }

    /// From a start to the exit that belongs to it.
    final class Run: Sendable {
        let number: UInt64
        /// Fulfilled after the exit was recorded.
        let ended = Promise<Int>()
        init(number: UInt64) { self.number = number }
    }

    /// Somebody who waits.
    struct Wait: Sendable {
        let condition: WaitCondition
        let promise: Promise<WaitResult>
    }

    /// Fulfilled when the container stops for good; replaced when it starts again after that.
    private let life = Mutex(Promise<Void>())

    init(record: ContainerRecord) {
        id = record.id
        created = record.created
        image = record.image
        config = record.config
        host = record.host
        mutable = Mutex(Mutable(record: record))
    }

    /// Reads or changes the state; never waits inside.
    func withLock<Result: Sendable, Problem: Error>(
        _ body: (inout Mutable) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try mutable.withLock { (state) throws(Problem) -> Result in try body(&state) }
    }

    var name: String { withLock { $0.record.name } }
    var state: ContainerState { withLock { $0.record.lifecycle.state } }
    var shortID: String { String(id.prefix(12)) }

    /// Ends when the container stops for good.
    var logEnd: Promise<Void> { life.withLock { $0 } }
    func beginLog() { life.withLock { if $0.current != nil { $0 = Promise() } } }
    func endLog() { logEnd.fulfil(()) }

    /// What events carry: its labels, its image and its name.
    func eventAttributes(_ more: [String: String] = [:]) -> [String: String] {
        var attributes = config.labels
        attributes["image"] = config.image
        attributes["name"] = name
        return attributes.merging(more) { _, new in new }
    }
}
