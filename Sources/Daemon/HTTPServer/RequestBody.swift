public import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// The body of one request: buffers in the order they come, once.
public struct RequestBody: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    public typealias Failure = any Error

    /// The body is longer than whoever collects it allows.
    public struct TooLarge: Error {
        public let limit: Int
    }

    enum Source: Sendable {
        case connection(ConnectionReader)
        case fixed(FixedBody)
    }

    let source: Source

    init(_ reader: ConnectionReader) { source = .connection(reader) }
    init(fixed bytes: ByteBuffer) { source = .fixed(FixedBody(bytes)) }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let source: Source

        public mutating func next() async throws -> ByteBuffer? {
            switch source {
            case .connection(let reader): try await reader.nextOfBody()
            case .fixed(let body): body.take()
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source) }

    /// Pours what is left of the body into a sink, past the task that waits here, and returns at its end or when nobody
    /// reads the sink any more.
    ///
    /// - Throws: what broke the connection off.
    public func pour(into sink: some BodySink) async throws {
        switch source {
        case .connection(let reader): try await reader.pourBody(into: sink)
        case .fixed(let body): if let bytes = body.take() { _ = sink.take(bytes) }
        }
    }

    /// The whole body in one buffer.
    ///
    /// - Throws: ``TooLarge`` as soon as more than `limit` bytes have come.
    public func collect(upTo limit: Int) async throws -> ByteBuffer {
        var whole = ByteBuffer()
        for try await var piece in self {
            guard whole.readableBytes + piece.readableBytes <= limit else { throw TooLarge(limit: limit) }
            if whole.readableBytes == 0 { whole = piece } else { whole.writeBuffer(&piece) }
        }
        return whole
    }
}

final class FixedBody: Sendable {
    private let bytes: Mutex<ByteBuffer?>
    init(_ bytes: ByteBuffer) { self.bytes = Mutex(bytes.readableBytes > 0 ? bytes : nil) }
    func take() -> ByteBuffer? { bytes.withLock { $0.take() } }
}

/// Reads one connection's parts, for the loop between requests and for the body during one.
///
/// Unchecked because iterators are not `Sendable`: there is one reader at a time, since the loop waits for the route
/// that it lent the reader to, and a body and raw bytes have one consumer each, one after the other.
final class ConnectionReader: @unchecked Sendable {
    private var iterator: NIOAsyncChannelInboundStream<ConnectionInput>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    private var bodyEnded = true
    private var continueExpected = false

    init(
        _ iterator: NIOAsyncChannelInboundStream<ConnectionInput>.AsyncIterator,
        _ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    ) {
        self.iterator = iterator
        self.outbound = outbound
    }

    /// The next request's head, nil when the client is done.
    func nextHead() async throws -> HTTPRequestHead? {
        guard case .head(let head)? = try await iterator.next() else { return nil }
        bodyEnded = false
        continueExpected = head.headers.first(name: "expect")?.lowercased() == "100-continue"
        return head
    }

    /// The next piece of the body.
    ///
    /// A client that waits for leave to send gets it with the first call.
    func nextOfBody() async throws -> ByteBuffer? {
        if bodyEnded { return nil }
        try await giveLeave()
        while let part = try await iterator.next() {
            switch part {
            case .body(let bytes): return bytes
            case .mark: continue
            case .head, .end, .bytes:
                bodyEnded = true
                return nil
            }
        }
        throw ChannelError.inputClosed
    }

    private func giveLeave() async throws {
        guard continueExpected else { return }
        continueExpected = false
        try await outbound.write(.interim(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")))
    }

    /// Lets the handler pour the body into the sink, and waits for its end, or for the sink to be left.
    func pourBody(into sink: some BodySink) async throws {
        if bodyEnded { return }
        try await giveLeave()
        try await outbound.write(.holdBody)
        // What is in the queue came first.
        var isWanted = true
        queue: while true {
            guard let part = try await iterator.next() else { throw ChannelError.inputClosed }
            switch part {
            case .body(let bytes): if isWanted { isWanted = sink.take(bytes) != .nothing }
            case .mark: break queue
            case .head, .end, .bytes:
                bodyEnded = true
                return
            }
        }
        try await outbound.write(.pourBody(isWanted ? sink : nil))
        guard isWanted else { return }
        while true {
            guard let part = try await iterator.next() else { throw ChannelError.inputClosed }
            switch part {
            case .mark: return
            case .body: continue
            case .head, .end, .bytes:
                bodyEnded = true
                return
            }
        }
    }

    /// Reads the rest of a body nobody wanted; false when it is longer than is worth it, or will never come.
    func discardBody(upTo limit: Int) async throws -> Bool {
        if bodyEnded { return true }
        if continueExpected { return false }
        var left = limit
        while let bytes = try await nextOfBody() {
            left -= bytes.readableBytes
            if left < 0 { return false }
        }
        return true
    }

    /// The next raw bytes after a take-over, nil at the end of input.
    func nextBytes() async throws -> ByteBuffer? {
        while let part = try await iterator.next() {
            if case .bytes(let bytes) = part { return bytes }
        }
        return nil
    }
}
