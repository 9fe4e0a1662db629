internal import NIOCore
internal import NIOHTTP1

/// What a connection hears from its client.
enum ConnectionInput: Sendable {
    case head(HTTPRequestHead)
    case body(ByteBuffer)
    case end
    /// What follows of the body goes elsewhere, or what came before went there.
    case mark
    /// After the connection was taken over.
    case bytes(ByteBuffer)
}

/// What a connection says to its client.
enum ConnectionOutput: Sendable {
    case head(HTTPResponseHead)
    case body(ByteBuffer)
    case end
    /// An interim answer (`100 Continue`), as it stands on the wire.
    case interim(ByteBuffer)
    /// The last bytes that are HTTP; from here on the socket is raw in both directions.
    case takeOver(ByteBuffer)
    case bytes(ByteBuffer)
    /// Nothing by itself: it is written when everything before it is.
    case flush
    /// Keep back what follows of the request's body, and mark the place.
    case holdBody
    /// Pour what was kept back and what follows into the sink; none is the connection's own task.
    case pourBody((any BodySink)?)
}

/// Performs what ``ConnectionState`` decides: requests and answers as HTTP first, raw bytes after a take-over.
///
/// The head of a take-over is written by itself and as given, because Docker's clients know its exact bytes, and some
/// lose what comes in the same segment.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = ConnectionInput
    typealias OutboundIn = ConnectionOutput
    typealias OutboundOut = HTTPServerResponsePart

    private var state = ConnectionState()
    private var body = BodyDiversion()
    private var readHeld = false
    private let gate: RequestGate
    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let presence: ClientPresence

    init(
        gate: RequestGate, encoder: HTTPResponseEncoder, decoder: ByteToMessageHandler<HTTPRequestDecoder>,
        presence: ClientPresence
    ) {
        self.gate = gate
        self.encoder = encoder
        self.decoder = decoder
        self.presence = presence
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if state.isRaw {
            context.fireChannelRead(wrapInboundOut(.bytes(unwrap(data))))
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            perform(state.headRead(offersUpgrade: head.headers.contains(name: "upgrade")), context)
            gate.headRead(bodyLength: Self.bodyLength(head))
            body.headRead()
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .body(let bytes):
            if body.isOff {
                context.fireChannelRead(wrapInboundOut(.body(bytes)))
            } else {
                perform(body.piece(bytes), context)
            }
        case .end:
            perform(body.bodyEnded(), context)
            perform(state.requestRead(), context)
        }
    }

    /// A sink that is full is not fed: the kernel's buffer is the limit, not ours.
    func read(context: ChannelHandlerContext) {
        if body.holdsReads { readHeld = true } else { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        presence.leave()
        context.fireChannelInactive()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes): context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .interim(let bytes):
            // Past the encoder, which knows no interim answers: straight to the gate's side of the pipeline.
            writeRaw(bytes, context, promise)
        case .end:
            context.write(wrapOutboundOut(.end(nil)), promise: promise)
            perform(state.answerComplete(), context)
        case .takeOver(let head):
            perform(state.takeOver(), context)
            guard state.isRaw else { return context.fireErrorCaught(ChannelError.operationUnsupported) }
            context.writeAndFlush(NIOAny(head), promise: promise)
        case .bytes(let bytes):
            context.write(NIOAny(bytes), promise: promise)
        case .flush:
            // Past the encoder as well, for as long as there is one.
            if state.isRaw {
                context.write(NIOAny(ByteBuffer()), promise: promise)
            } else {
                writeRaw(ByteBuffer(), context, promise)
            }
        case .holdBody:
            perform(body.hold(), context)
            context.fireChannelReadComplete()
            promise?.succeed(())
        case .pourBody(let sink):
            perform(body.pour(into: sink), context)
            context.fireChannelReadComplete()
            promise?.succeed(())
        }
    }

    private func writeRaw(_ bytes: ByteBuffer, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        do {
            try context.pipeline.syncOperations.context(handler: encoder).writeAndFlush(NIOAny(bytes), promise: promise)
        } catch {
            promise?.fail(error)
        }
    }

    private func perform(_ actions: [BodyDiversion.Action], _ context: ChannelHandlerContext) {
        for action in actions {
            switch action {
            case .deliver(let parts):
                for part in parts { context.fireChannelRead(wrapInboundOut(part)) }
            case .await(let sink):
                let loop = context.eventLoop
                let bound = NIOLoopBound((self, context), eventLoop: loop)
                sink.whenRoom {
                    loop.execute {
                        let (handler, context) = bound.value
                        handler.perform(handler.body.roomMade(), context)
                    }
                }
            case .read:
                guard readHeld, !body.holdsReads else { break }
                readHeld = false
                context.read()
            }
        }
    }

    private func perform(_ action: ConnectionState.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .nothing: break
        case .holdInput: gate.requestRead()
        case .admitNext: gate.reopen()
        case .close: context.close(promise: nil)
        case .takeOver:
            let pipeline = context.pipeline.syncOperations
            pipeline.removeHandler(encoder, promise: nil)
            pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
                self.state.handedOver()
                self.gate.takeOver()
            }
        }
    }

    /// Raw bytes as they come when the parser no longer stands between: the gate's own type.
    private func unwrap(_ data: NIOAny) -> ByteBuffer { RequestGate.unwrapOutboundIn(data) }

    /// The length a head announces; nil when only the parser will know.
    private static func bodyLength(_ head: HTTPRequestHead) -> Int? {
        if head.headers.contains(name: "transfer-encoding") { return nil }
        guard let text = head.headers.first(name: "content-length") else { return 0 }
        return Int(text)
    }
}
