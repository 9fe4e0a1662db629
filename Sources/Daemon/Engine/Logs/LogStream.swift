public import Failures
internal import Linux
internal import NIOPosix
internal import Synchronization

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

    /// The next records in order, never an empty batch; nil at the end.
    ///
    /// While following it waits for more; cancel the task to stop waiting.
    public func next() async throws(Failure) -> [LogRecord]? { try await source() }
}

extension LogStream {
    /// Reads a log file to its end, and with `end` goes on until the container has stopped for good.
    ///
    /// - Parameters:
    ///   - directory: where the file is, watched for changes.
    ///   - end: fulfilled when nothing will be written any more; nil reads what is there.
    static func reading(
        _ file: consuming sending LogFile, directory: String, end: Promise<Void>?, watcher: LogWatcher,
        pool: NIOThreadPool
    ) -> LogStream {
        let reader = Reader(file)
        guard let end else {
            return LogStream { () throws(Failure) in
                let records = try await pool.blocking { () throws(Failure) in try reader.read(atEnd: true) }
                return records.isEmpty ? nil : records
            }
        }
        let signal = LogWatcher.Signal()
        let watch = try? watcher.follow(directory, signal)
        let ending = Task {
            _ = await end.value()
            signal.wake()
        }
        return LogStream { () throws(Failure) in
            while true {
                if Task.isCancelled { return nil }
                // Asked before reading: what was written until then is read below.
                let isOver = end.current != nil
                let records: [LogRecord]
                do throws(Failure) {
                    records = try await pool.blocking { () throws(Failure) in try reader.read(atEnd: isOver) }
                } catch {
                    if error.kind == .cancelled { return nil }
                    throw error
                }
                if !records.isEmpty { return records }
                if isOver || reader.isFinished { return nil }
                await signal.wait()
            }
        } onClose: {
            ending.cancel()
            if let watch { watcher.stop(watch, signal) }
        }
    }

    /// A log file behind a lock: one batch at a time, whatever the caller does.
    private final class Reader: Sendable {
        private let file: Mutex<LogFile>
        init(_ file: consuming sending LogFile) { self.file = Mutex(file) }

        func read(atEnd: Bool) throws(Failure) -> [LogRecord] {
            try file.withLock { (file) throws(Failure) -> [LogRecord] in
                // Batches that a filter left empty are not the end.
                while true {
                    let before = file.place
                    let records = try describing("read the log") { () throws(SystemError) in try file.read(atEnd: atEnd)
                    }
                    if !records.isEmpty || file.place == before || file.isFinished { return records }
                }
            }
        }

        var isFinished: Bool { file.withLock { $0.isFinished } }
    }
}
