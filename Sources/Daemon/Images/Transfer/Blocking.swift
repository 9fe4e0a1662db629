internal import Failures
internal import NIOPosix

extension NIOThreadPool {
    /// Runs work that blocks on a thread of the pool.
    ///
    /// A cancelled task does not begin it.
    func blocking<Value: Sendable>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        do { return try await runIfActive { () throws in try work() } } catch { throw Failure.from(error) }
    }

    /// Runs clean-up that blocks, also for a task that is cancelled.
    func cleaningUp(_ work: @escaping @Sendable () -> Void) async {
        await Task { _ = try? await self.runIfActive { work() } }.value
    }
}

extension Failure {
    /// The failure an error stands for: itself, a cancellation, or something internal.
    static func from(_ error: any Error, _ doing: String = "transfer image") -> Failure {
        if let failure = error as? Failure { return failure }
        if error is CancellationError { return cancelled }
        return Failure.wrapping(error, doing)
    }

    static let cancelled = Failure(.cancelled, "the transfer was called off")
}

/// Whether the task was cancelled, as a failure of ours.
func checkCancellation() throws(Failure) {
    if Task.isCancelled { throw Failure.cancelled }
}
