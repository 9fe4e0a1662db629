internal import Synchronization

/// What a quiet build would have said: dropped when it ends well, told when it fails, as far as it was kept.
final class QuietOutput: Sendable {
    private static let kept = 2000
    private let events = Mutex<[BuildEvent]>([])
    private let output: @Sendable (BuildEvent) -> Void

    init(_ output: @escaping @Sendable (BuildEvent) -> Void) { self.output = output }

    func take(_ event: BuildEvent) {
        if case .pulling = event { return }
        events.withLock { events in
            if events.count >= Self.kept { events.removeFirst(Self.kept / 2) }
            events.append(event)
        }
    }

    func flush() {
        let events = events.withLock { events in
            defer { events = [] }
            return events
        }
        for event in events { output(event) }
    }
}
