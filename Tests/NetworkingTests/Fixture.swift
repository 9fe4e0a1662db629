import Failures
import Linux
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Networking

/// Networks that are kept in memory.
final class MemoryRecords: NetworkRecords {
    private let networks = Mutex<[String: Network]>([:])
    func load() async throws -> [Network] { networks.withLock { Array($0.values) } }
    func save(_ network: Network) async throws { networks.withLock { $0[network.id] = network } }
    func remove(_ id: String) async throws { networks.withLock { _ = $0.removeValue(forKey: id) } }
}

/// A host of its own, in a network namespace, with a daemon's networks on it and a name server for the outside.
///
/// Use `with`: whatever happens, everything is taken down again.
final class Fixture: Sendable {
    static var isRoot: Bool {
        let status = (try? readText("/proc/self/status", limit: 65536)) ?? ""
        return status.split(separator: "\n").contains { $0.hasPrefix("Uid:\t0\t0") }
    }

    let hostNamespace: SharedDescriptor
    let networks: Networks
    let records: MemoryRecords
    let configuration: NetworkingConfiguration
    let pool: NIOThreadPool
    /// How many questions came to the name server outside.
    let questions: Counter

    private init(
        hostNamespace: SharedDescriptor, networks: Networks, records: MemoryRecords,
        configuration: NetworkingConfiguration,
        pool: NIOThreadPool, questions: Counter
    ) {
        self.hostNamespace = hostNamespace
        self.networks = networks
        self.records = records
        self.configuration = configuration
        self.pool = pool
        self.questions = questions
    }

    static let logger = Logger(label: "networking-tests", factory: { _ in SwiftLogNoOpLogHandler() })
    private static var group: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }

    static func with(instance: String = "", _ body: (Fixture) async throws -> Void) async throws {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        let host = try NetworkNamespace.make()
        let descriptor = SharedDescriptor(try host.descriptor.duplicate())
        let questions = Counter()
        // A server on loopback of the machine that runs the tests, at an address nobody else uses.
        let server = "127.\(Int.random(in: 1...254)).\(Int.random(in: 1...254)).\(Int.random(in: 1...254))"
        let upstream = try await DatagramBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Upstream(questions))
                }
            }
            .bind(host: server, port: 53).get()
        let path = "/tmp/skiff-networking-\(UInt64.random(in: .min ... .max)).conf"
        try writeFile(path, Array("nameserver \(server)\n".utf8))
        var configuration = NetworkingConfiguration(instance: instance)
        configuration.hostNamespace = descriptor
        configuration.resolvConfPath = path
        let records = MemoryRecords()
        let networks = Networks(
            configuration: configuration, records: records, group: group, pool: pool, logger: logger)
        let fixture = Fixture(
            hostNamespace: descriptor, networks: networks, records: records, configuration: configuration, pool: pool,
            questions: questions)
        var failure: (any Error)?
        do {
            _ = try await networks.start()
            try await body(fixture)
        } catch { failure = error }
        await networks.teardownAll()
        try await upstream.close()
        try unlink(path)
        try await pool.shutdownGracefully()
        if let failure { throw failure }
    }

    /// Another daemon on the same host.
    func daemon(instance: String? = nil, records: MemoryRecords? = nil) -> Networks {
        var configuration = self.configuration
        if let instance { configuration.instance = instance }
        return Networks(
            configuration: configuration, records: records ?? MemoryRecords(), group: Self.group, pool: pool,
            logger: Self.logger)
    }

    // MARK: Requests

    /// 64 hexadecimal digits that begin with the name's.
    static func id(_ name: String) -> String {
        let digits = name.utf8.map { String($0, radix: 16) }.joined()
        return digits + String(repeating: "0", count: 64 - digits.count)
    }

    /// The name inside an id of ``id(_:)``.
    static func name(_ id: String) -> String {
        var bytes: [UInt8] = []
        var rest = Substring(id)
        while let byte = UInt8(rest.prefix(2), radix: 16), byte != 0 {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func request(_ name: String, network: String = "bridge") -> SandboxRequest {
        SandboxRequest(
            id: Self.id(name), name: name, hostname: name + "-host", endpoints: [EndpointRequest(network: network)])
    }

    func failure(_ body: () async throws -> Void) async -> Failure? {
        do { try await body() } catch { return error as? Failure }
        return nil
    }

    func settle() async { await networks.reaper.withLock { $0 }?.settle() }

    func links() async throws -> [String] {
        try await inside(hostNamespace) { () throws(SystemError) -> [String] in
            var netlink = try NetlinkSocket()
            return try netlink.links().map(\.name).sorted()
        }
    }

    func inside<Value: Sendable>(
        _ namespace: SharedDescriptor, _ body: @escaping @Sendable () throws(SystemError) -> Value
    ) async throws -> Value {
        try await pool.runIfActive { try NetworkNamespace.run(in: namespace.raw, body) }
    }

    // MARK: Talking

    /// Serves a word to everyone who connects, as long as `body` runs.
    func listen(
        in namespace: SharedDescriptor, port: UInt16, saying word: String, _ body: (Peers) async throws -> Void
    ) async throws {
        let raw = try await inside(namespace) { () throws(SystemError) -> Int32 in
            let socket = try InternetSocket.make(.tcp)
            try InternetSocket.reuseAddress(socket.raw)
            try InternetSocket.bind(socket.raw, .any, port)
            try InternetSocket.listen(socket.raw, backlog: 16)
            return socket.release()
        }
        let peers = Peers()
        let channel = try await ServerBootstrap(group: Self.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Greeter(word, peers))
                }
            }
            .withBoundSocket(raw).get()
        var failure: (any Error)?
        do { try await body(peers) } catch { failure = error }
        try await channel.close()
        if let failure { throw failure }
    }

    func listen(in sandbox: NetworkSandbox, port: UInt16, _ body: () async throws -> Void) async throws {
        try await listen(in: try #require(sandbox.namespace), port: port, saying: Self.name(sandbox.id)) { _ in
            try await body()
        }
    }

    func listenOnHost(port: UInt16, saying word: String, _ body: () async throws -> Void) async throws {
        try await listen(in: hostNamespace, port: port, saying: word) { _ in try await body() }
    }

    /// What is said at an address and port; nil when nobody answers.
    ///
    /// - Parameter wait: milliseconds for the connection; short where none shall come about, since then all of it is waited for.
    func exchange(in namespace: SharedDescriptor, to address: IPv4Address, port: UInt16, wait: Int = 60_000)
        async throws
        -> String?
    {
        try await inside(namespace) { () throws(SystemError) -> String? in
            let socket = try InternetSocket.make(.tcp)
            try InternetSocket.setTimeout(socket.raw, milliseconds: wait)
            do throws(SystemError) {
                try InternetSocket.connect(socket.raw, address, port)
                try InternetSocket.setTimeout(socket.raw, milliseconds: 60_000)
                return String(decoding: try readAll(socket.raw, limit: 1024), as: UTF8.self)
            } catch { return nil }
        }
    }

    func exchange(from sandbox: NetworkSandbox, to address: IPv4Address, port: UInt16, wait: Int = 60_000) async throws
        -> String?
    {
        try await exchange(in: try #require(sandbox.namespace), to: address, port: port, wait: wait)
    }

    func exchangeFromHost(to address: IPv4Address, port: UInt16, wait: Int = 60_000) async throws -> String? {
        try await exchange(in: hostNamespace, to: address, port: port, wait: wait)
    }

    /// Answers questions that come as datagrams, as long as `body` runs.
    func answer(in sandbox: NetworkSandbox, port: UInt16, _ body: (Counter) async throws -> Void) async throws {
        let raw = try await inside(try #require(sandbox.namespace)) { () throws(SystemError) -> Int32 in
            let socket = try InternetSocket.make(.udp)
            try InternetSocket.bind(socket.raw, .any, port)
            return socket.release()
        }
        let counter = Counter()
        let channel = try await DatagramBootstrap(group: Self.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Upstream(counter))
                }
            }
            .withBoundSocket(raw).get()
        var failure: (any Error)?
        do { try await body(counter) } catch { failure = error }
        try await channel.close()
        if let failure { throw failure }
    }

    /// A socket of the host that keeps its port and talks to one address.
    func datagramClient(to address: IPv4Address, port: UInt16) async throws -> SharedDescriptor {
        let raw = try await inside(hostNamespace) { () throws(SystemError) -> Int32 in
            let socket = try InternetSocket.make(.udp)
            try InternetSocket.setTimeout(socket.raw, milliseconds: 60_000)
            try InternetSocket.connect(socket.raw, address, port)
            return socket.release()
        }
        return SharedDescriptor(OwnedDescriptor(owning: raw))
    }

    /// Asks and waits for the answer.
    func ask(_ client: SharedDescriptor) async throws {
        try await pool.runIfActive {
            try writeAll(client.raw, DNSMessageTests.question("any.example"))
            _ = try self.receive(client.raw)
        }
    }

    /// The addresses 127.0.0.11 has for a name, in a container.
    func lookUp(
        _ name: String, from sandbox: NetworkSandbox, over transport: InternetSocket.Transport
    ) async throws -> [IPv4Address] {
        let namespace = try #require(sandbox.namespace)
        let question = DNSMessageTests.question(name)
        let answer = try await inside(namespace) { () throws(SystemError) -> [UInt8] in
            let socket = try InternetSocket.make(transport)
            try InternetSocket.setTimeout(socket.raw, milliseconds: 60_000)
            try InternetSocket.connect(socket.raw, NameServer.address, 53)
            if transport == .udp {
                try writeAll(socket.raw, question)
                return try self.receive(socket.raw)
            }
            try writeAll(socket.raw, DNSAnswer.big(UInt16(question.count)) + question)
            var bytes: [UInt8] = []
            while bytes.count < 2 || bytes.count < 2 + Int(bytes[0]) << 8 + Int(bytes[1]) {
                let more = try self.receive(socket.raw)
                if more.isEmpty { break }
                bytes += more
            }
            return Array(bytes.dropFirst(2))
        }
        let count = Int(answer[7])
        return (0..<count).map {
            IPv4Address(octets: answer[(question.count + 16 * $0 + 12)..<(question.count + 16 * $0 + 16)])
        }
    }

    private func receive(_ descriptor: Int32) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            do throws(SystemError) { count = try read(descriptor, into: UnsafeMutableRawBufferPointer(buffer)) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    // MARK: The outside

    /// A machine beside the host that sends everything to it.
    struct Outside: Sendable {
        let namespace: SharedDescriptor
        let address = IPv4Address(198, 51, 100, 2)
        let hostAddress = IPv4Address(198, 51, 100, 1)
    }

    func makeOutside() async throws -> Outside {
        let other = try NetworkNamespace.make()
        let outside = Outside(namespace: SharedDescriptor(try other.descriptor.duplicate()))
        try await inside(hostNamespace) { () throws(SystemError) in
            var netlink = try NetlinkSocket()
            let pair = RouteMessage.VethPair(
                name: "wan", bridge: 0, peerName: "lan", peerAddress: nil, peerNamespace: outside.namespace.raw,
                mtu: 1500)
            try netlink.transact([
                RouteMessage.makeVeth(pair), RouteMessage.raisePort("wan", isolated: false, hairpin: false),
            ])
            guard let index = try netlink.link(named: "wan")?.index else { throw SystemError.noSuchDevice("wan") }
            try netlink.transact([RouteMessage.addAddress(IPv4Prefix(outside.hostAddress, 24), to: index)])
        }
        try await inside(outside.namespace) { () throws(SystemError) in
            var netlink = try NetlinkSocket()
            guard let index = try netlink.link(named: "lan")?.index else { throw SystemError.noSuchDevice("lan") }
            try netlink.transact([
                RouteMessage.addAddress(IPv4Prefix(outside.address, 24), to: index), RouteMessage.setUp(index),
                RouteMessage.addDefaultRoute(via: outside.hostAddress, index: index),
            ])
        }
        return outside
    }

    /// Makes 127.0.0.0/8 of a namespace lead out of an interface, as an attacker who owns the namespace can.
    func sendLoopbackOut(_ namespace: SharedDescriptor, by interface: String) async throws {
        try await inside(namespace) { () throws(SystemError) in
            var netlink = try NetlinkSocket()
            try netlink.transact([RouteMessage.removeAddress(IPv4Prefix(.loopback, 8), from: 1)])
            try writeControl("/proc/sys/net/ipv4/conf/\(interface)/route_localnet", "1")
        }
    }
}

/// Who connected, by address.
final class Peers: Sendable {
    private let addresses = Mutex<[IPv4Address]>([])
    func add(_ address: IPv4Address) { addresses.withLock { $0.append(address) } }
    var all: [IPv4Address] { addresses.withLock { $0 } }
}

final class Counter: Sendable {
    private let number = Mutex(0)
    func count() { number.withLock { $0 += 1 } }
    var value: Int { number.withLock { $0 } }
}

/// Says its word to whoever connects, and closes.
private final class Greeter: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let word: String
    private let peers: Peers

    init(_ word: String, _ peers: Peers) {
        self.word = word
        self.peers = peers
    }

    func channelActive(context: ChannelHandlerContext) {
        if let text = context.remoteAddress?.ipAddress, let address = IPv4Address(text) { peers.add(address) }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: word))).whenComplete { _ in channel.close(promise: nil)
        }
    }
}

/// A name server of the outside: everything is 192.0.2.77.
private final class Upstream: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    private let questions: Counter

    init(_ questions: Counter) { self.questions = questions }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard case .query(let query) = DNSQuery.read(Array(envelope.data.readableBytesView)) else { return }
        questions.count()
        let answer = DNSAnswer.addresses([IPv4Address(192, 0, 2, 77)], to: query, limit: 512)
        context.writeAndFlush(
            wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: answer))),
            promise: nil)
    }
}
