/// The frames in which Docker carries a process's two outputs over one stream, when it has no terminal.
///
/// ```
/// byte  0        1  2  3   4 … 7               8 …
///       stream   0  0  0   length, big-endian  payload
/// ```
/// (moby `api/pkg/stdcopy`; API: "Stream format" of attach.)
public struct StdcopyFrame: Sendable, Hashable {
    public enum Stream: UInt8, Sendable, Hashable {
        case stdin, stdout, stderr
        /// An error of the engine itself, in words.
        case systemError
    }

    public static let headerSize = 8

    public var stream: Stream
    public var payload: [UInt8]

    public init(stream: Stream, payload: [UInt8]) {
        self.stream = stream
        self.payload = payload
    }

    /// The eight bytes that stand before a payload of `length` bytes.
    public static func header(_ stream: Stream, length: Int) -> [UInt8] {
        let size = UInt32(truncatingIfNeeded: length)
        return [
            stream.rawValue, 0, 0, 0, UInt8(truncatingIfNeeded: size >> 24), UInt8(truncatingIfNeeded: size >> 16),
            UInt8(truncatingIfNeeded: size >> 8), UInt8(truncatingIfNeeded: size),
        ]
    }

    public var bytes: [UInt8] { Self.header(stream, length: payload.count) + payload }
}

/// Takes frames apart as their bytes come, in pieces of any size.
public struct StdcopyReader: Sendable {
    /// Bytes that are not frames.
    public struct Malformed: Error, Hashable, CustomStringConvertible {
        public let stream: UInt8
        public var description: String { "unrecognized stream: \(stream)" }
    }

    private var header: [UInt8] = []
    private var stream = StdcopyFrame.Stream.stdout
    private var remaining = 0

    public init() {}

    /// Whether the bytes so far end in the middle of a frame.
    public var isInsideFrame: Bool { !header.isEmpty || remaining > 0 }

    /// Calls `body` with each piece of payload in `bytes`, in order; a frame may come in several pieces, so that one of any
    /// length needs no memory.
    public mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ body: (StdcopyFrame.Stream, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var rest = bytes
        while !rest.isEmpty {
            if remaining > 0 {
                let count = min(remaining, rest.count)
                try body(stream, UnsafeRawBufferPointer(rebasing: rest[..<count]))
                remaining -= count
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                continue
            }
            let count = min(StdcopyFrame.headerSize - header.count, rest.count)
            header.append(contentsOf: rest[..<count])
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            guard header.count == StdcopyFrame.headerSize else { return }
            guard let stream = StdcopyFrame.Stream(rawValue: header[0]) else { throw Malformed(stream: header[0]) }
            self.stream = stream
            remaining = header[4...].reduce(0) { $0 << 8 | Int($1) }
            header.removeAll(keepingCapacity: true)
        }
    }
}
