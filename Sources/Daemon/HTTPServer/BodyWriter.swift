public import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Writes the body of a streamed answer; every write reaches the client at once.
public final class BodyWriter: Sendable {
    private let outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    private let head: HTTPResponseHead
    private let bodyAllowed: Bool
    private let headSent = Mutex(false)

    init(_ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>, head: HTTPResponseHead, bodyAllowed: Bool) {
        self.outbound = outbound
        self.head = head
        self.bodyAllowed = bodyAllowed
    }

    /// Whether the status is out, so that an error can no longer have one of its own.
    public var hasBegun: Bool { headSent.withLock { $0 } }

    /// Sends status and headers now, whatever the body waits for.
    public func begin() async throws {
        let first = headSent.withLock { sent in
            defer { sent = true }
            return !sent
        }
        if first { try await outbound.write(.head(head)) }
    }

    /// Sends bytes, waiting while the client is slower than we are.
    public func write(_ bytes: ByteBuffer) async throws {
        try await begin()
        guard bodyAllowed, bytes.readableBytes > 0 else { return }
        try await outbound.write(.body(bytes))
    }
}

/// A connection that has been taken over: bytes both ways, each way closed by itself.
public struct RawConnection: Sendable {
    let reader: ConnectionReader
    let end: OutputEnd

    /// The connection's event loop, on which a relay lives best.
    public var eventLoop: any EventLoop { end.channel.eventLoop }

    /// The next bytes from the client, nil when it has closed its sending side; one caller at a time.
    public func read() async throws -> ByteBuffer? { try await reader.nextBytes() }

    /// Sends bytes, waiting while the client is slower than we are.
    public func write(_ bytes: ByteBuffer) async throws { try await end.outbound.write(.bytes(bytes)) }

    /// Closes our sending side behind what was written: the client sees the end and may still send.
    public func closeOutput() async { await end.close() }

    /// Closes our sending side for good, and the connection when the client has not done so a moment after it has all.
    public func finish() async { await end.finish() }

    /// Runs `action` when the connection is gone altogether, both ways.
    public func whenClosed(_ action: @escaping @Sendable () -> Void) {
        end.channel.closeFuture.whenComplete { _ in action() }
    }
}
