internal import CLinux
internal import Linux
internal import ShimProtocol

/// A log that another process writes, so that not even a stuck disk holds the container up (`mode=non-blocking`).
///
/// ```
/// process ─► shim ─► queue of bufferSize ─► pipe ─► writer ─► file
/// ```
///
/// Records that find the queue full are dropped, whole ones and the newest, as Docker does it. The writer is a copy of the
/// shim that has nothing but the pipe; it ends when the shim does, with everything written that was in the pipe.
final class BufferedLog: OutputLog {
    private let loop: EventLoop
    private var batch: RecordBatch
    private let limit: Int
    private var pipe: SharedDescriptor?
    private var room: Watch?
    private let writer: pid_t
    /// Records that the pipe has not taken, each behind its length in four bytes.
    private var queue: [UInt8] = []
    private var queued = 0
    /// The pipe is full, and its having room will be told.
    private var isWaiting = false
    private var isDropping = false
    private var hasEnded = false
    private var isClosing = false
    private var onEnd: (() -> Void)?
    private var deadline: UInt64?
    var onFailure: ((String) -> Void)?

    /// How long the end of a container waits for its log.
    private static let closingTime: Int64 = 10_000

    init(_ order: LogOrder, limit: Int, loop: EventLoop) throws(SystemError) {
        self.loop = loop
        self.limit = limit
        batch = RecordBatch(order)
        let pipe = try Pipe()
        writer = try splitProcess()
        if writer == 0 { Self.runWriter(order, pipe.read.raw) }
        try setNonBlocking(pipe.write.raw)
        let end = SharedDescriptor(try pipe.write.duplicate())
        self.pipe = end
        room = try loop.watch(end.raw, []) { [unowned self] _ in flush() }
    }

    deinit { room?.cancel() }

    func take(_ bytes: UnsafeRawBufferPointer, _ stream: LogStream) {
        batch.take(bytes, stream)
        enqueue()
    }

    func finish(_ stream: LogStream) {
        batch.finish(stream)
        enqueue()
    }

    func close(_ done: @escaping () -> Void) {
        isClosing = true
        onEnd = done
        if hasEnded { return end() }
        deadline = loop.after(Self.closingTime) { [unowned self] in end() }
        if queue.isEmpty { endPipe() }
    }

    func abandon() {
        guard !hasEnded else { return }
        try? sendSignal(SIGKILL, to: writer)
    }

    func ended(_ child: Int32, _ how: ProcessEnd) {
        guard child == writer else { return }
        hasEnded = true
        endPipe()
        if how != .exited(0) {
            onFailure?(isClosing ? "some of it could not be written" : "its writer ended too early")
        }
        if isClosing { end() }
    }

    // MARK: Inside

    private func enqueue() {
        defer { batch.clear() }
        guard !hasEnded, pipe != nil else { return }
        var start = 0
        for end in batch.ends {
            let length = end - start
            if isFull(length + 4) { flush() }
            if isFull(length + 4) {
                if !isDropping { onFailure?("the file does not keep up: records are dropped") }
                isDropping = true
                break
            }
            isDropping = false
            for shift in [24, 16, 8, 0] as [UInt32] {
                queue.append(UInt8(truncatingIfNeeded: UInt32(length) >> shift))
            }
            queue.append(contentsOf: batch.bytes[start..<end])
            start = end
        }
        if !isWaiting { flush() }
    }

    /// Whether so many bytes more are too many; a record that is longer than all the room goes in alone.
    private func isFull(_ more: Int) -> Bool { queue.count > queued && queue.count - queued + more > limit }

    private func flush() {
        guard let raw = pipe?.raw else { return }
        while queued < queue.count {
            do throws(SystemError) {
                queued += try writeSome(raw, queue, from: queued)
            } catch {
                if error.errno == EAGAIN {
                    isWaiting = true
                    room?.change([.writable])
                    compact()
                } else {
                    endPipe()
                }
                return
            }
        }
        let keep = queue.capacity <= 4 * EventLoop.readSize
        queue.removeAll(keepingCapacity: keep)
        queued = 0
        isWaiting = false
        room?.change([])
        if isClosing { endPipe() }
    }

    private func compact() {
        guard queued > queue.count / 2 else { return }
        queue.removeFirst(queued)
        queued = 0
    }

    private func endPipe() {
        room?.cancel()
        room = nil
        pipe = nil
        queue = []
        queued = 0
    }

    private func end() {
        if let deadline { loop.cancelDeadline(deadline) }
        deadline = nil
        let done = onEnd
        onEnd = nil
        done?()
    }

    // MARK: The writer's process

    private static func runWriter(_ order: LogOrder, _ pipe: Int32) -> Never {
        do throws(SystemError) {
            // Nothing of the container, of the daemon or of those attached stays open here.
            try closeDescriptors(except: pipe)
            exitNow(try write(order, from: pipe) ? 0 : 1)
        } catch {
            exitNow(1)
        }
    }

    /// Writes all that comes; false when some of it could not be written.
    private static func write(_ order: LogOrder, from pipe: Int32) throws(SystemError) -> Bool {
        let file = try LogFile(order)
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: EventLoop.readSize, alignment: 16)
        var pending: [UInt8] = []
        var isWhole = true
        while true {
            let count = try Linux.read(pipe, into: block)
            if count == 0 { return isWhole }
            pending.append(contentsOf: block[..<count])
            var (records, ends, at) = ([UInt8](), [Int](), 0)
            while pending.count - at >= 4 {
                let length = pending[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
                guard pending.count - at - 4 >= length else { break }
                records += pending[(at + 4)..<(at + 4 + length)]
                ends.append(records.count)
                at += 4 + length
            }
            pending.removeFirst(at)
            if records.isEmpty { continue }
            do throws(SystemError) { try file.write(records, ends: ends) } catch { isWhole = false }
        }
    }
}
