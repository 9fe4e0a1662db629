internal import Failures
internal import Linux
internal import NIOPosix

extension NIOThreadPool {
    /// Runs file and mount work on a thread of the pool, so that the tasks' own threads never block.
    func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws(Failure) -> Value) async throws(Failure)
        -> Value
    {
        let result: Result<Value, Failure>
        do {
            result = try await runIfActive {
                do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
            }
        } catch {
            // Work whose task was called off before a thread took it up is not begun.
            guard error is CancellationError else {
                throw Failure(.unavailable, "the daemon is shutting down", cause: error)
            }
            throw Failure(.cancelled, "called off", cause: error)
        }
        return try result.get()
    }
}

/// Turns the kernel's errors into failures that say what was being done.
func describing<Value: ~Copyable>(_ doing: @autoclosure () -> String, _ body: () throws(SystemError) -> Value)
    throws(Failure) -> Value
{
    do throws(SystemError) { return try body() } catch {
        throw Failure(.internal, "\(doing()): \(error)", cause: error)
    }
}
