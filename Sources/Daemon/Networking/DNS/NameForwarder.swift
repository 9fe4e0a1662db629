internal import Linux
internal import NIOCore
internal import NIOPosix

/// Asks the host's name servers on behalf of containers, from the daemon's own network, so that servers on the host's
/// loopback are reached too.
///
/// Every question has a socket of its own, connected to one server: the kernel picks a fresh source port and drops what others send.
/// The id is fresh as well, and an answer counts only when it repeats the question.
struct NameForwarder: Sendable {
    /// How long one server has.
    let patience: TimeAmount

    init(patience: TimeAmount = .seconds(4)) { self.patience = patience }

    /// The answer with the asker's id, or nil when no server gave one.
    func ask(_ message: [UInt8], _ query: DNSQuery, servers: [SocketAddress], overTCP: Bool, on loop: any EventLoop)
        -> EventLoopFuture<[UInt8]?>
    {
        guard let server = servers.first else { return loop.makeSucceededFuture(nil) }
        return ask(message, query, server: server, overTCP: overTCP, on: loop)
            .flatMapError { _ in loop.makeSucceededFuture(nil) }
            .flatMap { answer in
                if let answer { return loop.makeSucceededFuture(answer) }
                return ask(message, query, servers: Array(servers.dropFirst()), overTCP: overTCP, on: loop)
            }
    }

    private func ask(
        _ message: [UInt8], _ query: DNSQuery, server: SocketAddress, overTCP: Bool, on loop: any EventLoop
    ) -> EventLoopFuture<[UInt8]?> {
        let id = UInt16.random(in: .min ... .max)
        var outgoing = message
        outgoing.replaceSubrange(0..<2, with: DNSAnswer.big(id))
        let promise = loop.makePromise(of: [UInt8]?.self)
        let handler = AnswerHandler(id: id, query: query, promise: promise)
        let connected: EventLoopFuture<any Channel>
        if overTCP {
            connected = ClientBootstrap(group: loop).connectTimeout(patience)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            ByteToMessageHandler(DNSFrameDecoder()), handler)
                    }
                }
                .connect(to: server)
            outgoing = DNSAnswer.big(UInt16(truncatingIfNeeded: outgoing.count)) + outgoing
        } else {
            connected = DatagramBootstrap(group: loop)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65535))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(DatagramContentHandler(), handler)
                    }
                }
                .connect(to: server)
        }
        connected.whenFailure { _ in handler.finish(nil) }
        connected.whenSuccess { [outgoing] channel in
            let timeout = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in
                timeout.cancel()
                handler.finish(nil)
            }
            promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
            channel.writeAndFlush(ByteBuffer(bytes: outgoing), promise: nil)
        }
        return promise.futureResult
    }
}

/// Takes the first answer that fits the question.
///
/// Lives on one event loop.
private final class AnswerHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let id: UInt16
    private let query: DNSQuery
    private let promise: NIOLoopBoundBox<EventLoopPromise<[UInt8]?>?>

    init(id: UInt16, query: DNSQuery, promise: EventLoopPromise<[UInt8]?>) {
        self.id = id
        self.query = query
        self.promise = .makeBoxSendingValue(promise, eventLoop: promise.futureResult.eventLoop)
    }

    func finish(_ answer: [UInt8]?) {
        promise.value?.succeed(answer)
        promise.value = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = Array(unwrapInboundIn(data).readableBytesView)
        let answers =
            bytes.count >= DNSQuery.headerLength && bytes[2] & 0x80 != 0 && Array(bytes[0..<2]) == DNSAnswer.big(id)
        guard answers else { return }
        // A refusal may leave the question out; an answer may not be about another one.
        if bytes[4] != 0 || bytes[5] != 0 {
            guard bytes[4] == 0, bytes[5] == 1, let (name, _) = DNSQuery.readName(bytes, at: DNSQuery.headerLength),
                name == query.name
            else { return }
        }
        bytes.replaceSubrange(0..<2, with: DNSAnswer.big(query.id))
        finish(bytes)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Datagrams of a connected socket as plain buffers.
private final class DatagramContentHandler: ChannelDuplexHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(wrapInboundOut(unwrapInboundIn(data).data))
    }
}

/// Messages over TCP: two octets of length before each (RFC 1035, 4.2.2).
struct DNSFrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt16.self),
            buffer.readableBytes >= 2 + Int(length)
        else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 2)
        guard let message = buffer.readSlice(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(message))
        return .continue
    }
}
