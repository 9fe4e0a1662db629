internal import Linux
internal import ShimProtocol

/// Where a process's output is recorded.
protocol OutputLog: AnyObject {
    /// Records a piece of output.
    func take(_ bytes: UnsafeRawBufferPointer, _ stream: LogStream)

    /// Records what has no newline yet: the stream has ended.
    func finish(_ stream: LogStream)

    /// Calls `done` once everything is in the file.
    func close(_ done: @escaping () -> Void)

    /// A child of the shim was reaped, which may be one of the log's.
    func ended(_ child: Int32, _ how: ProcessEnd)

    /// Leaves off what can be done another time: the container is being cleared away.
    func abandon()

    /// Told once per run of failures, in words.
    var onFailure: ((String) -> Void)? { get set }
}

extension OutputLog {
    func ended(_ child: Int32, _ how: ProcessEnd) {}
}

/// Both streams' output as records, and where each record ends.
struct RecordBatch {
    private(set) var bytes: [UInt8] = []
    private(set) var ends: [Int] = []
    private var recorders: (output: LogRecorder, errors: LogRecorder)

    init(_ order: LogOrder) {
        recorders = (
            LogRecorder(.stdout, form: order.form, attributes: order.attributes),
            LogRecorder(.stderr, form: order.form, attributes: order.attributes)
        )
    }

    mutating func take(_ piece: UnsafeRawBufferPointer, _ stream: LogStream) {
        switch stream {
        case .stdout: recorders.output.take(piece, at: .now(), into: &bytes, ends: &ends)
        case .stderr: recorders.errors.take(piece, at: .now(), into: &bytes, ends: &ends)
        }
    }

    mutating func finish(_ stream: LogStream) {
        switch stream {
        case .stdout: recorders.output.finish(at: .now(), into: &bytes, ends: &ends)
        case .stderr: recorders.errors.finish(at: .now(), into: &bytes, ends: &ends)
        }
    }

    /// Empties it; an unusually long batch does not keep its memory.
    mutating func clear() {
        let keep = bytes.capacity <= 4 * EventLoop.readSize
        bytes.removeAll(keepingCapacity: keep)
        ends.removeAll(keepingCapacity: keep)
    }
}
