public import Failures
public import Linux

/// A connection that has left HTTP behind: bytes both ways, each way ending by itself.
public final class RawStream {
    private let connection: Connection
    public let head: ResponseHead

    init(_ connection: Connection, head: ResponseHead) {
        self.connection = connection
        self.head = head
    }

    /// Whether the engine frames standard output and standard error; never for a terminal.
    ///
    /// Engines before API 1.42 frame under the raw type too, so a raw type says nothing: ask the container then.
    public var isMultiplexed: Bool { head["content-type"] == "application/vnd.docker.multiplexed-stream" }

    /// Some bytes; 0 is the end.
    public func read(into target: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        try connection.read(into: target)
    }

    /// Fills the buffer; false when the stream ended before that.
    public func readFully(into target: UnsafeMutableRawBufferPointer) throws(Failure) -> Bool {
        var filled = 0
        while filled < target.count {
            let count = try connection.read(into: UnsafeMutableRawBufferPointer(rebasing: target[filled...]))
            if count == 0 { return false }
            filled += count
        }
        return true
    }

    /// The socket, for another thread to write to while this one reads.
    public var socket: SharedDescriptor { connection.socket }

    /// Whether bytes are here already, which waiting on the socket would not tell.
    public var hasBuffered: Bool { connection.hasBuffered }

    public func write(_ bytes: [UInt8]) throws(Failure) { try connection.write(bytes) }

    /// Says that no more input comes; output goes on.
    public func closeWriting() { shutDown(connection.socket.raw, writing: true) }
}
