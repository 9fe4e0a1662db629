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
