public import Logging
public import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A socket that is bound and listens, and how to call it.
public struct Listener: Sendable {
    /// The descriptor; the server takes it over.
    public let descriptor: Int32
    /// As a person would write it: `unix:///run/skiff/skiff.sock`.
    public let address: String
    /// Whether clients come over a network.
    public let isRemote: Bool

    public init(descriptor: Int32, address: String, isRemote: Bool) {
        self.descriptor = descriptor
        self.address = address
        self.isRemote = isRemote
    }
}

/// Serves one responder on any number of listening sockets.
///
/// Sockets come bound, because where they stand, who may open them and who made them (systemd, perhaps) is the
/// program's business.
public final class Server: Sendable {
    private let responder: any Responder
    private let limits: HTTPLimits
    private let group: any EventLoopGroup
    private let logger: Logger
    private let drain = DrainSignal()
    private let listening = Mutex<[any Channel]>([])

    public init(responder: any Responder, limits: HTTPLimits = HTTPLimits(), group: any EventLoopGroup, logger: Logger)
    {
        self.responder = responder
        self.limits = limits
        self.group = group
        self.logger = logger
    }

    /// Accepts and answers until ``shutDown()``, and returns when every connection has ended.
    public func run(_ listeners: [Listener]) async throws {
        try await withThrowingDiscardingTaskGroup { tasks in
            for listener in listeners {
                let accepting = try await open(listener)
                listening.withLock { $0.append(accepting.channel) }
                if drain.isDraining { accepting.channel.close(promise: nil) }
                logger.info("listening", metadata: ["address": "\(listener.address)"])
                tasks.addTask { try await self.accept(on: accepting, isRemote: listener.isRemote) }
            }
        }
    }

    /// Stops accepting, lets answers under way finish, and ends streams and idle connections.
    public func shutDown() {
        drain.begin()
        for channel in listening.withLock({ $0 }) { channel.close(promise: nil) }
    }

    private typealias Accepting = NIOAsyncChannel<Accepted, Never>

    private struct Accepted: Sendable {
        let channel: NIOAsyncChannel<ConnectionInput, ConnectionOutput>
        let presence: ClientPresence
    }

    /// From what a request's head needs to what a socket holds at a time: a context comes in fewer, larger pieces.
    private static let receiveBuffers = AdaptiveRecvByteBufferAllocator(
        minimum: 1 << 10, initial: 4 << 10, maximum: 256 << 10)

    private func open(_ listener: Listener) async throws -> Accepting {
        try await ServerBootstrap(group: group)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: Self.receiveBuffers)
            .bind(listener.descriptor) { [limits] channel in
                channel.eventLoop.makeCompletedFuture {
                    let presence = ClientPresence()
                    let channel = try Server.configure(channel, limits: limits, presence: presence)
                    return Accepted(channel: channel, presence: presence)
                }
            }
    }

    private func accept(on accepting: Accepting, isRemote: Bool) async throws {
        try await withThrowingDiscardingTaskGroup { connections in
            try await accepting.executeThenClose { inbound in
                for try await accepted in inbound {
                    let connection = Connection(
                        channel: accepted.channel, presence: accepted.presence, responder: self.responder,
                        limits: self.limits, isRemote: isRemote, drain: self.drain, logger: self.logger)
                    connections.addTask { await connection.run() }
                }
            }
        }
    }

    /// Puts the handlers of one connection in place; on its event loop.
    static func configure(
        _ channel: any Channel, limits: HTTPLimits, presence: ClientPresence
    ) throws -> NIOAsyncChannel<ConnectionInput, ConnectionOutput> {
        try addHandlers(channel, limits: limits, presence: presence)
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    static func addHandlers(_ channel: any Channel, limits: HTTPLimits, presence: ClientPresence) throws {
        var parserLimits = NIOHTTPDecoderLimitConfiguration()
        parserLimits.maxHeaderFieldSize = limits.fieldBytes
        parserLimits.maxHeaderListSize = limits.headBytes
        parserLimits.maxHeaderFieldCount = limits.fieldCount
        let gate = RequestGate(headTimeout: limits.headTimeout, inputEnded: { presence.leave() })
        let encoder = HTTPResponseEncoder()
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: parserLimits))
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(gate)
        try pipeline.addHandler(encoder)
        try pipeline.addHandler(decoder)
        try pipeline.addHandler(
            ConnectionHandler(gate: gate, encoder: encoder, decoder: decoder, presence: presence))
    }
}
