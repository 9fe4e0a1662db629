internal import CLinux
internal import Linux
internal import ShimProtocol

/// The container's `json-file` log: appended in whole records, begun anew at its size limit.
///
/// ```
/// <path>          being written
/// <path>.1        the one before, and so on up to maximumFiles - 1
/// ```
///
/// The limit is looked at before each record, as moby does it, so a file may exceed it by one. With one file only, the
/// file is emptied. A write that fails (a full disk) cuts the file back to its last whole record and drops the rest of
/// the batch: the container is never held up by its log.
final class LogFile {
    private let order: LogOrder
    private var file: OwnedDescriptor
    private var size: Int64
    private var recorders: (output: LogRecorder, errors: LogRecorder)
    private var buffer: [UInt8] = []
    private var ends: [Int] = []
    /// Told once per run of failures.
    var onFailure: ((SystemError) -> Void)?
    private var isFailing = false

    init(_ order: LogOrder) throws(SystemError) {
        self.order = order
        file = try open(order.path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o640)
        size = Int64(try status(of: file.raw).st_size)
        recorders = (
            LogRecorder(.stdout, attributes: order.attributes), LogRecorder(.stderr, attributes: order.attributes)
        )
    }

    func take(_ bytes: UnsafeRawBufferPointer, _ stream: LogStream) {
        switch stream {
        case .stdout: recorders.output.take(bytes, at: now(), into: &buffer, ends: &ends)
        case .stderr: recorders.errors.take(bytes, at: now(), into: &buffer, ends: &ends)
        }
        write()
    }

    /// Records what has no newline yet: the stream has ended.
    func finish(_ stream: LogStream) {
        switch stream {
        case .stdout: recorders.output.finish(at: now(), into: &buffer, ends: &ends)
        case .stderr: recorders.errors.finish(at: now(), into: &buffer, ends: &ends)
        }
        write()
    }

    private func now() -> WallTime {
        let (seconds, nanoseconds) = Clock.wall()
        return WallTime(seconds: seconds, nanoseconds: nanoseconds)
    }

    private func write() {
        guard !buffer.isEmpty else { return }
        defer {
            // An unusually long batch does not keep its memory.
            let keep = buffer.capacity <= 4 * EventLoop.readSize
            buffer.removeAll(keepingCapacity: keep)
            ends.removeAll(keepingCapacity: keep)
        }
        do throws(SystemError) {
            var start = 0
            if let limit = order.maximumSize, limit > 0 {
                for record in [0] + ends.dropLast() where size + Int64(record - start) >= limit {
                    try append(start, record)
                    start = record
                    try rotate()
                }
            }
            try append(start, buffer.count)
            isFailing = false
        } catch {
            if !isFailing { onFailure?(error) }
            isFailing = true
        }
    }

    private func append(_ start: Int, _ end: Int) throws(SystemError) {
        guard start < end else { return }
        do throws(SystemError) {
            try writeAll(file.raw, buffer, in: start..<end)
            size += Int64(end - start)
        } catch {
            try? truncate(file.raw, to: size)
            throw error
        }
    }

    private func rotate() throws(SystemError) {
        if order.maximumFiles > 1 {
            for number in stride(from: order.maximumFiles - 1, to: 1, by: -1) {
                try? rename("\(order.path).\(number - 1)", to: "\(order.path).\(number)")
            }
            try rename(order.path, to: "\(order.path).1")
            file = try open(order.path, O_WRONLY | O_CREAT | O_APPEND | O_EXCL, mode: 0o640)
        } else {
            try truncate(file.raw, to: 0)
        }
        size = 0
    }
}
