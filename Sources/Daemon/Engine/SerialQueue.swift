internal import Failures
internal import Synchronization

/// Runs asynchronous operations one after the other, in the order they were asked for.
///
/// An operation runs in its own task: a caller that goes away does not leave it half-done. It must not wait for another
/// operation of the same queue.
final class SerialQueue: Sendable {
    private let last = Mutex<Task<Void, Never>?>(nil)

    func run<Value: Sendable>(
        _ operation: @escaping @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await enqueue(operation).value.get()
    }

    /// Puts an operation behind the others without waiting for it.
    @discardableResult
    func enqueue<Value: Sendable>(
        _ operation: @escaping @Sendable () async throws(Failure) -> Value
    ) -> Task<Result<Value, Failure>, Never> {
        last.withLock { last in
            let previous = last
            let task = Task { () -> Result<Value, Failure> in
                await previous?.value
                do throws(Failure) { return .success(try await operation()) } catch { return .failure(error) }
            }
            last = Task { _ = await task.value }
            return task
        }
    }
}

/// A value that comes later, once: whoever waits gets it, also who comes afterwards.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case waiting([UInt64: CheckedContinuation<Value?, Never>])
        case fulfilled(Value)
    }

    private let state = Mutex<(state: State, next: UInt64)>((.waiting([:]), 0))

    /// Sets the value; later calls change nothing.
    func fulfil(_ value: Value) {
        let waiting = state.withLock { current -> [CheckedContinuation<Value?, Never>] in
            guard case .waiting(let waiting) = current.state else { return [] }
            current.state = .fulfilled(value)
            return Array(waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }

    /// The value if it is there.
    var current: Value? {
        state.withLock { if case .fulfilled(let value) = $0.state { value } else { nil } }
    }

    /// Suspends until the value is there; nil when the waiting task is cancelled first.
    func value() async -> Value? {
        let key = state.withLock { current in
            current.next += 1
            return current.next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready: Value?? = state.withLock { current in
                    switch current.state {
                    case .fulfilled(let value): return .some(value)
                    case .waiting(var waiting):
                        if Task.isCancelled { return .some(nil) }
                        waiting[key] = continuation
                        current.state = .waiting(waiting)
                        return .none
                    }
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            let continuation = state.withLock { current -> CheckedContinuation<Value?, Never>? in
                guard case .waiting(var waiting) = current.state else { return nil }
                let continuation = waiting.removeValue(forKey: key)
                current.state = .waiting(waiting)
                return continuation
            }
            continuation?.resume(returning: nil)
        }
    }
}
