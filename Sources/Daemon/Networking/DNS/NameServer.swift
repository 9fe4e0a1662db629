internal import Failures
internal import Linux
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The name server of one container, at 127.0.0.11 inside its network.
///
/// Its sockets are made in the container's namespace and served here. They listen on ports the kernel picked, and rules
/// inside the namespace lead port 53 there: so port 53 stays free for a name server that the container may run itself.
/// Since nobody else reaches these sockets, whoever asks is known without trusting an address.
final class NameServer: Sendable {
    static let address = IPv4Address(127, 0, 0, 11)

    /// What the server asks for each question.
    struct Backend: Sendable {
        let decide: @Sendable (_ message: [UInt8], _ limit: Int) -> NameDecision
        let servers: @Sendable () -> [SocketAddress]
        let forwarder: NameForwarder
    }

    private let channels: Mutex<[any Channel]>

    private init(channels: [any Channel]) { self.channels = Mutex(channels) }

    /// Sockets that are bound but served by nobody yet.
    struct Sockets: ~Copyable {
        let udp: OwnedDescriptor
        let tcp: OwnedDescriptor
        let udpPort: UInt16
        let tcpPort: UInt16
    }

    /// Blocking; on a thread that is in the container's namespace.
    static func bind() throws(SystemError) -> Sockets {
        let udp = try InternetSocket.make(.udp)
        try InternetSocket.bind(udp.raw, address, 0)
        let tcp = try InternetSocket.make(.tcp)
        try InternetSocket.bind(tcp.raw, address, 0)
        try InternetSocket.listen(tcp.raw, backlog: 64)
        let udpPort = try InternetSocket.port(of: udp.raw)
        let tcpPort = try InternetSocket.port(of: tcp.raw)
        return Sockets(udp: udp, tcp: tcp, udpPort: udpPort, tcpPort: tcpPort)
    }

    /// The rules inside the namespace, as text for libnftables.
    ///
    /// - Parameter replacing: also takes away those of an earlier daemon, which costs the kernel some 15 ms of waiting, so not
    ///   in a namespace that is new.
    static func redirection(udpPort: UInt16, tcpPort: UInt16, replacing: Bool) -> String {
        let removal = replacing ? "add table ip skiff_dns\ndelete table ip skiff_dns\n" : ""
        return removal + """
            table ip skiff_dns {
            chain output {
            type nat hook output priority -100; policy accept;
            ip daddr \(address) udp dport 53 dnat to \(address):\(udpPort)
            ip daddr \(address) tcp dport 53 dnat to \(address):\(tcpPort)
            }
            }

            """
    }

    /// Binds inside a namespace and leads port 53 there.
    ///
    /// Blocking.
    static func prepare(in namespace: Int32, replacing: Bool) throws -> SocketsBox {
        var refusal: Failure?
        let sockets = try NetworkNamespace.run(in: namespace) { () throws(SystemError) -> SocketsBox in
            let sockets = try bind()
            do throws(Failure) {
                try PacketFilter().run(
                    redirection(udpPort: sockets.udpPort, tcpPort: sockets.tcpPort, replacing: replacing))
            } catch { refusal = error }
            return SocketsBox(sockets)
        }
        if let refusal { throw refusal }
        return sockets
    }

    static func serve(_ sockets: consuming Sockets, backend: Backend, group: any EventLoopGroup) async throws
        -> NameServer
    {
        let loop = group.next()
        let udp = try await DatagramBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramQuestions(backend))
                }
            }
            .withBoundSocket(duplicated(sockets.udp)).get()
        do {
            let count = OpenCount()
            let tcp = try await ServerBootstrap(group: loop)
                .childChannelInitializer { channel in
                    guard count.enter(limit: 32) else { return channel.close() }
                    channel.closeFuture.whenComplete { _ in count.leave() }
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            IdleStateHandler(readTimeout: .seconds(10)), ByteToMessageHandler(DNSFrameDecoder()),
                            StreamQuestions(backend))
                    }
                }
                .withBoundSocket(duplicated(sockets.tcp)).get()
            return NameServer(channels: [udp, tcp])
        } catch {
            try? await udp.close()
            throw error
        }
    }

    func stop() async {
        let open = channels.withLock { channels in
            defer { channels = [] }
            return channels
        }
        for channel in open { try? await channel.close() }
    }

    private static func duplicated(_ descriptor: borrowing OwnedDescriptor) throws(SystemError) -> Int32 {
        try descriptor.duplicate().release()
    }
}

/// Carries the sockets from the thread that made them to the one that serves them, once.
final class SocketsBox: Sendable {
    private let sockets: Mutex<NameServer.Sockets?>
    init(_ sockets: consuming NameServer.Sockets) { self.sockets = Mutex(sockets) }
    func take() -> NameServer.Sockets? { sockets.withLock { $0.take() } }
}

/// How many connections are open.
private final class OpenCount: Sendable {
    private let count = Mutex(0)

    func enter(limit: Int) -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
}

/// Questions as datagrams.
///
/// Lives on one event loop.
private final class DatagramQuestions: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let backend: NameServer.Backend
    private var waiting = 0
    /// Questions that wait for the outside; more are dropped, and asked again by who wants to know.
    private let mostWaiting = 256

    init(_ backend: NameServer.Backend) { self.backend = backend }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        let message = Array(envelope.data.readableBytesView)
        let asker = envelope.remoteAddress
        switch backend.decide(message, DNSAnswer.datagramLimit) {
        case .ignore: return
        case .answer(let answer): reply(context, answer, to: asker)
        case .forward(let query):
            guard waiting < mostWaiting else { return }
            waiting += 1
            let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
            backend.forwarder.ask(message, query, servers: backend.servers(), overTCP: false, on: context.eventLoop)
                .whenSuccess { answer in
                    let (handler, context) = bound.value
                    handler.waiting -= 1
                    handler.reply(context, answer ?? DNSAnswer.empty(.serverFailure, to: query), to: asker)
                }
        }
    }

    private func reply(_ context: ChannelHandlerContext, _ answer: [UInt8], to asker: SocketAddress) {
        let envelope = AddressedEnvelope(remoteAddress: asker, data: context.channel.allocator.buffer(bytes: answer))
        context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }

    // A refused datagram on loopback comes back as an error of the socket; the others still want answers.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Questions over a connection, one after the other.
///
/// Lives on one event loop.
private final class StreamQuestions: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let backend: NameServer.Backend
    private var waiting = 0

    init(_ backend: NameServer.Backend) { self.backend = backend }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let message = Array(unwrapInboundIn(data).readableBytesView)
        switch backend.decide(message, 65535) {
        case .ignore: context.close(promise: nil)
        case .answer(let answer): reply(context, answer)
        case .forward(let query):
            guard waiting < 16 else { return context.close(promise: nil) }
            waiting += 1
            let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
            backend.forwarder.ask(message, query, servers: backend.servers(), overTCP: true, on: context.eventLoop)
                .whenSuccess { answer in
                    let (handler, context) = bound.value
                    handler.waiting -= 1
                    handler.reply(context, answer ?? DNSAnswer.empty(.serverFailure, to: query))
                }
        }
    }

    private func reply(_ context: ChannelHandlerContext, _ answer: [UInt8]) {
        var buffer = context.channel.allocator.buffer(capacity: answer.count + 2)
        buffer.writeInteger(UInt16(truncatingIfNeeded: answer.count))
        buffer.writeBytes(answer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
