internal import NIOCore

/// Stands before the parser and lets it see one request at a time, holding the rest, the end of input included.
///
/// Without it the parser would swallow early stdin as a request, drop it when the client half-closes before the
/// connection is taken over, and buffer without limit after a request that offers an upgrade.
final class RequestGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var meter = RequestMeter()
    private var held = ByteBuffer()
    private var endHeld = false
    private var readHeld = false
    private var pumping = false
    private var context: ChannelHandlerContext?
    private var headTimer: Scheduled<Void>?
    private let headTimeout: TimeAmount
    /// Told at once when the client has closed its sending side, even while that end is held back from the parser.
    private let inputEnded: () -> Void

    init(headTimeout: TimeAmount, inputEnded: @escaping () -> Void) {
        self.headTimeout = headTimeout
        self.inputEnded = inputEnded
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        headTimer?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if meter.position == .raw, held.readableBytes == 0 {
            context.fireChannelRead(wrapInboundOut(bytes))
            return
        }
        if held.readableBytes == 0 { held = bytes } else { held.writeBuffer(&bytes) }
        pump(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        endHeld = true
        inputEnded()
        pump(context)
    }

    /// Reading stops while a request waits for its answer: the kernel's buffer is the limit, not ours.
    func read(context: ChannelHandlerContext) {
        if meter.position == .closed { readHeld = true } else { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        headTimer?.cancel()
        context.fireChannelInactive()
    }

    // MARK: Said by the connection handler

    func headRead(bodyLength: Int?) {
        headTimer?.cancel()
        headTimer = nil
        meter.headRead(bodyLength: bodyLength)
    }

    func requestRead() { meter.requestRead() }

    func reopen() {
        meter.reopen()
        resume()
    }

    func takeOver() {
        meter.takeOver()
        resume()
    }

    private func resume() {
        guard let context else { return }
        pump(context)
        if readHeld {
            readHeld = false
            context.read()
        }
    }

    private func pump(_ context: ChannelHandlerContext) {
        guard !pumping else { return }
        pumping = true
        defer { pumping = false }
        while held.readableBytes > 0 {
            let count = held.withUnsafeReadableBytes { meter.admit($0) }
            guard count > 0, let piece = held.readSlice(length: count) else { break }
            startHeadTimer(context)
            context.fireChannelRead(wrapInboundOut(piece))
            context.fireChannelReadComplete()
        }
        if held.readableBytes == 0 {
            held = ByteBuffer()
            if endHeld, meter.position != .closed {
                endHeld = false
                context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            }
        }
    }

    /// A head that does not end in time ends the connection: a client may not hold a descriptor for nothing.
    private func startHeadTimer(_ context: ChannelHandlerContext) {
        guard headTimer == nil, case .head = meter.position else { return }
        headTimer = context.eventLoop.assumeIsolated().scheduleTask(in: headTimeout) { [weak self] in
            self?.context?.close(promise: nil)
        }
    }
}
