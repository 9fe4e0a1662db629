internal import Synchronization

/// Where everything that happens is told: a ring of the last 256 events, and whoever listens.
public final class EventBus: Sendable {
    public init() {}
    public func publish(_ event: Event) {}
    /// The ring's events from `since` on, then what comes, until `until` (or for ever). Registered before this returns; ends when
    /// the task reading it is cancelled or a reader falls 4096 events behind.
    public func subscribe(since: Timestamp? = nil, until: Timestamp? = nil, filters: Filters = Filters())
        -> AsyncStream<Event>
    {
        AsyncStream { $0.finish() }
    }
}
