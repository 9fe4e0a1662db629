internal import Synchronization

/// Lets a moving number through ten times a second and always at its end: a terminal shows no more, and each line is a
/// write to the client.
final class ProgressPace: Sendable {
    private let last = Mutex<ContinuousClock.Instant?>(nil)
    private let total: Int64

    init(total: Int64) { self.total = total }

    func allows(_ current: Int64) -> Bool {
        let now = ContinuousClock.now
        return last.withLock { last in
            if current < total, let last, now - last < .milliseconds(100) { return false }
            last = now
            return true
        }
    }
}
