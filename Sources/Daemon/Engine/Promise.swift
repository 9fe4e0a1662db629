internal import Synchronization

/// A value that comes later, once: whoever waits gets it, also who comes afterwards.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case waiting([UInt64: CheckedContinuation<Value?, Never>])
        case fulfilled(Value)
    }

    private let state = Mutex<(state: State, next: UInt64)>((.waiting([:]), 0))
    private let abandoned = Atomic(false)

    /// Sets the value; later calls change nothing.
    func fulfil(_ value: Value) {
        let waiting = state.withLock { current -> [CheckedContinuation<Value?, Never>] in
            guard case .waiting(let waiting) = current.state else { return [] }
            current.state = .fulfilled(value)
            return Array(waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }

    /// Nobody will ask for it any more: whoever keeps it to fulfil it may forget it.
    func abandon() { abandoned.store(true, ordering: .relaxed) }
    var isAbandoned: Bool { abandoned.load(ordering: .relaxed) }

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

extension Promise {
    /// The value, or nil when it has not come within so many seconds.
    func value(withinSeconds seconds: Int) async -> Value? {
        await value(withinNanoseconds: Int64(min(max(0, seconds), 1_000_000_000)) * 1_000_000_000)
    }

    func value(withinNanoseconds nanoseconds: Int64) async -> Value? {
        if let current { return current }
        return await withTaskGroup(of: Value?.self) { group in
            group.addTask { await self.value() }
            group.addTask {
                try? await Task.sleep(nanoseconds: UInt64(max(0, nanoseconds)))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
