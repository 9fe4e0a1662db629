internal import Failures
internal import Synchronization

/// Lets so many in at a time, in the order in which they came.
final class Turns: Sendable {
    private struct State {
        var free: Int
        var queue: [Latch<Void>] = []
    }

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: max(1, count))) }

    /// Runs `work` when it is its turn; `waiting` is called first when that is not at once.
    func run<Value: Sendable>(
        waiting: @Sendable () -> Void = {}, _ work: @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let latch = state.withLock { state -> Latch<Void>? in
            if state.free > 0 {
                state.free -= 1
                return nil
            }
            let latch = Latch<Void>()
            state.queue.append(latch)
            return latch
        }
        if let latch {
            waiting()
            do { try await latch.value() } catch {
                // Given up: leave the queue, or hand on the turn that came meanwhile.
                let queued = state.withLock { state -> Bool in
                    guard let place = state.queue.firstIndex(where: { $0 === latch }) else { return false }
                    state.queue.remove(at: place)
                    return true
                }
                if !queued { pass() }
                throw error
            }
        }
        defer { pass() }
        return try await work()
    }

    private func pass() {
        let next = state.withLock { state -> Latch<Void>? in
            if state.queue.isEmpty {
                state.free += 1
                return nil
            }
            return state.queue.removeFirst()
        }
        next?.set(.success(()))
    }
}
