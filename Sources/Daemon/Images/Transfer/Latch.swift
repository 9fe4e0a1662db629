internal import Failures
internal import Synchronization

/// A result that comes once and that many may wait for.
///
/// Whoever is cancelled stops waiting at once.
final class Latch<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, Failure>?
        var waiting: [Int: CheckedContinuation<Result<Value, Failure>, Never>] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    /// Sets the result; later ones are ignored.
    func set(_ result: Result<Value, Failure>) {
        let waiting = state.withLock { state -> [CheckedContinuation<Result<Value, Failure>, Never>] in
            guard state.result == nil else { return [] }
            state.result = result
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: result) }
    }

    var result: Result<Value, Failure>? { state.withLock { $0.result } }

    func value() async throws(Failure) -> Value {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, Failure>, Never>) in
                let ready = state.withLock { state -> Result<Value, Failure>? in
                    if let result = state.result { return result }
                    // The handler below may have run before there was anything to resume.
                    if Task.isCancelled { return .failure(.cancelled) }
                    state.waiting[ticket] = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            let continuation = state.withLock { $0.waiting.removeValue(forKey: ticket) }
            continuation?.resume(returning: .failure(.cancelled))
        }
        return try result.get()
    }
}
