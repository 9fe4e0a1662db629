internal import Synchronization

/// Where everything that happens is told: a ring of the last 256 events, and whoever listens.
///
/// Telling never waits: a listener that falls `backlog` events behind is ended rather than holding up the engine or
/// growing without bound.
public final class EventBus: Sendable {
    /// How many events a late subscriber can still ask for.
    public static let ringSize = 256
    /// How many undelivered events one listener may have.
    static let backlog = 4096

    private struct Listener {
        let filters: Filters
        let continuation: AsyncStream<Event>.Continuation
    }

    private struct State {
        var ring: [Event] = []
        /// Where the oldest event is once the ring is full.
        var oldest = 0
        var listeners: [UInt64: Listener] = [:]
        var nextListener: UInt64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Tells everybody who listens, in one order for all.
    public func publish(_ event: Event) {
        let overrun = state.withLock { state in
            if state.ring.count < Self.ringSize {
                state.ring.append(event)
            } else {
                state.ring[state.oldest] = event
                state.oldest = (state.oldest + 1) % Self.ringSize
            }
            var overrun: [AsyncStream<Event>.Continuation] = []
            for (key, listener) in state.listeners where event.matches(listener.filters) {
                if case .dropped = listener.continuation.yield(event) {
                    overrun.append(listener.continuation)
                    state.listeners[key] = nil
                }
            }
            return overrun
        }
        // Outside the lock: finishing calls back into `remove`.
        for continuation in overrun { continuation.finish() }
    }

    /// The ring's events from `since` on, then what comes, until `until` (or for ever).
    ///
    /// Registered before this returns, so nothing published afterwards is missed. Ends when the task that reads it is
    /// cancelled, when `until` has passed, or when the reader falls behind.
    public func subscribe(since: Timestamp? = nil, until: Timestamp? = nil, filters: Filters = Filters())
        -> AsyncStream<Event>
    {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingOldest(Self.backlog))
        let now = Timestamp.now
        let over = until.map { $0 <= now } ?? false
        let key: UInt64? = state.withLock { state in
            if let since {
                let events = state.ring[state.oldest...] + state.ring[..<state.oldest]
                for event in events
                where event.time >= since && (until.map { event.time <= $0 } ?? true) && event.matches(filters) {
                    continuation.yield(event)
                }
            }
            guard !over else { return nil }
            let key = state.nextListener
            state.nextListener += 1
            state.listeners[key] = Listener(filters: filters, continuation: continuation)
            return key
        }
        guard let key else {
            continuation.finish()
            return stream
        }
        let timer = until.map { until in
            Task {
                try? await Task.sleep(nanoseconds: UInt64(max(0, until.nanoseconds - now.nanoseconds)))
                continuation.finish()
            }
        }
        continuation.onTermination = { [weak self] _ in
            timer?.cancel()
            self?.remove(key)
        }
        return stream
    }

    private func remove(_ key: UInt64) {
        state.withLock { $0.listeners[key] = nil }
    }
}

extension Event {
    /// Whether the event passes the filters of an events call: every key must hold, any of a key's values may.
    func matches(_ filters: Filters) -> Bool {
        for key in filters.values.keys where !matches(key, filters[key]) { return false }
        return filters.matchesLabels(attributes)
    }

    private func matches(_ key: String, _ accepted: [String]) -> Bool {
        switch key {
        case "label", "label!": return true
        case "type": return accepted.contains(kind.rawValue)
        case "event": return accepted.contains(action) || accepted.contains(verb)
        case "scope": return accepted.contains("local")
        case "container", "volume", "network", "daemon", "builder":
            guard kind.rawValue == key || (key == "container" && attributes["container"] != nil && kind != .container)
            else { return false }
            let names = [actor, attributes["name"], attributes["container"]].compactMap { $0 }
            return accepted.contains { wanted in
                let wanted = wanted.hasPrefix("/") ? String(wanted.dropFirst()) : wanted
                return !wanted.isEmpty && names.contains { $0.hasPrefix(wanted) }
            }
        case "image":
            let names: [String]
            switch kind {
            case .image: names = [actor, attributes["name"]].compactMap { $0 }
            case .container: names = [attributes["image"]].compactMap { $0 }
            default: return false
            }
            return accepted.contains { wanted in names.contains { $0 == wanted || Self.withoutTag($0) == wanted } }
        // Kinds that Skiff never tells of.
        default: return false
        }
    }

    /// `alpine:3` → `alpine`; a port's colon is left alone.
    private static func withoutTag(_ name: String) -> String {
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else { return name }
        return String(name[..<colon])
    }
}
