public import Failures

/// A container's log, read in batches as fast as the reader takes them.
///
/// Nothing is read ahead: each `next` reads what fits into one batch, so memory stays bounded however long the log is.
public final class LogStream: Sendable {
    private let source: @Sendable () async throws(Failure) -> [LogRecord]?
    private let onClose: @Sendable () -> Void

    init(
        _ source: @escaping @Sendable () async throws(Failure) -> [LogRecord]?,
        onClose: @escaping @Sendable () -> Void = {}
    ) {
        (self.source, self.onClose) = (source, onClose)
    }

    deinit { onClose() }

    /// The next records in order, never an empty batch; nil at the end. While following it waits for more; cancel the
    /// task to stop waiting.
    public func next() async throws(Failure) -> [LogRecord]? { try await source() }
}
