internal import Linux
internal import ShimProtocol

/// A log that is in the file before anything else happens to the output (`mode=blocking`, the default).
///
/// A write that fails (a full disk) loses its batch and nothing else: the container is never held up by its log.
final class DirectLog: OutputLog {
    private var batch: RecordBatch
    private let file: LogFile
    private var isFailing = false
    var onFailure: ((String) -> Void)?

    init(_ order: LogOrder) throws(SystemError) {
        batch = RecordBatch(order)
        file = try LogFile(order)
    }

    func take(_ bytes: UnsafeRawBufferPointer, _ stream: LogStream) {
        batch.take(bytes, stream)
        write()
    }

    func finish(_ stream: LogStream) {
        batch.finish(stream)
        write()
    }

    func close(_ done: @escaping () -> Void) { done() }

    func abandon() { file.abandon() }

    private func write() {
        guard !batch.bytes.isEmpty else { return }
        defer { batch.clear() }
        do throws(SystemError) {
            try file.write(batch.bytes, ends: batch.ends)
            isFailing = false
        } catch {
            if !isFailing { onFailure?(error.description) }
            isFailing = true
        }
    }
}
