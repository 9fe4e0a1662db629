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

/// 64 hexadecimal digits from the kernel's random source: what Docker's ids look like.
func randomID() -> String {
    var random = SystemRandomNumberGenerator()
    var text = ""
    text.reserveCapacity(64)
    for _ in 0..<4 {
        let digits = String(random.next() as UInt64, radix: 16)
        text += String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
    // A short id of digits alone would read as a number somewhere.
    return text.prefix(12).contains { $0.isLetter } ? text : randomID()
}
