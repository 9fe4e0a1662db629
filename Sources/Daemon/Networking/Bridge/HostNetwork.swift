internal import Failures
internal import Linux
internal import NIOPosix
internal import Synchronization

/// The host's side of containers' networks: bridges, ports of bridges, the packet filter, held ports.
///
/// Everything runs on one thread of its own, since the kernel does these things one at a time anyway (RTNL) and since that
/// thread's network namespace then decides what "the host" is.
final class HostNetwork: Sendable {
    /// What the thread works with.
    struct Tools: ~Copyable {
        var netlink: NetlinkSocket
        let filter: PacketFilter
    }

    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let tools: Mutex<Tools?>
    private let namespace: SharedDescriptor?

    /// - Parameter namespace: taken for the host; nil is the one the process is in.
    init(namespace: SharedDescriptor?) {
        self.namespace = namespace
        tools = Mutex(nil)
        thread.start()
    }

    /// Ends the thread; what was made stays.
    func stop() async { try? await thread.shutdownGracefully() }

    /// Runs `body` on the host's thread.
    func run<Value: Sendable>(_ body: @escaping @Sendable (inout Tools) throws -> Value) async throws -> Value {
        try await thread.runIfActive { [self] in
            try tools.withLock { tools in
                if tools == nil {
                    if let namespace { try NetworkNamespace.moveThread(to: namespace.raw) }
                    let netlink = try NetlinkSocket()
                    tools = Tools(netlink: netlink, filter: try PacketFilter())
                }
                // Taken out and put back: the value has one owner and cannot be changed inside an optional.
                guard var taken = tools.take() else { throw Failure(.internal, "the host's network is busy") }
                do {
                    let value = try body(&taken)
                    tools = consume taken
                    return value
                } catch {
                    tools = consume taken
                    throw error
                }
            }
        }
    }
}

// MARK: What is there

/// The host's network as it is before a decision.
struct HostState: Sendable {
    let links: [NetworkLink]
    let addresses: [InterfaceAddress]
    let routes: [NetworkRoute]

    /// What others use: everything but what hangs on the links named.
    func used(except names: Set<String>) -> [IPv4Prefix] {
        let own = Set(links.filter { names.contains($0.name) }.map(\.index))
        return SubnetChoice.used(
            routes: routes.filter { !own.contains($0.index) }, addresses: addresses.filter { !own.contains($0.index) })
    }

    /// The MTU of the way out, at most Ethernet's: a larger packet would not get out whole.
    var mtu: UInt32 {
        let out = routes.filter { $0.destination.length == 0 }.map(\.index)
        let mtus = links.filter { out.contains($0.index) && $0.mtu >= 576 }.map(\.mtu)
        return min(1500, mtus.min() ?? 1500)
    }
}

extension HostNetwork.Tools {
    mutating func state() throws(SystemError) -> HostState {
        HostState(links: try netlink.links(), addresses: try netlink.addresses(), routes: try netlink.routes())
    }

    // MARK: Bridges

    /// Makes the bridge, or brings the one that is there to what it shall be.
    ///
    /// - Returns: whether its subnet is ours alone. Another daemon may have chosen the same one in the same moment: both then see
    ///   both, and the one whose link is the older keeps it.
    mutating func ensure(_ plan: BridgePlan, hairpin: Bool = false) throws -> Bool {
        let found = try netlink.link(named: plan.name)
        if let found, found.kind != "bridge" {
            throw Failure(.conflict, "there is a link \(plan.name) already that is no bridge; remove or rename it")
        }
        do {
            if found == nil {
                let random = withUnsafeBytes(of: UInt32.random(in: .min ... .max), Array.init)
                try netlink.transact([
                    RouteMessage.makeBridge(
                        plan.name, address: MACAddress(octets: [0x02, 0x42] + random), mtu: plan.mtu)
                ])
            }
            guard let link = try netlink.link(named: plan.name) else {
                throw SystemError.noSuchDevice(plan.name)
            }
            try setBridgeControls(plan.name)
            let present = try netlink.addresses().filter { $0.index == link.index }.map(\.prefix)
            var messages = present.filter { $0 != plan.address }.map {
                RouteMessage.removeAddress($0, from: link.index)
            }
            if !present.contains(plan.address) {
                messages.append(RouteMessage.addAddress(plan.address, to: link.index))
            }
            messages.append(RouteMessage.setUp(link.index))
            try netlink.transact(messages)
            let rivals = try netlink.addresses().filter {
                $0.index < link.index && $0.prefix.network.overlaps(plan.address)
            }
            return rivals.isEmpty
        } catch {
            if found == nil { try? netlink.transact([RouteMessage.deleteLink(plan.name)]) }
            throw error
        }
    }

    private func setBridgeControls(_ name: String) throws(SystemError) {
        // So that a connection from 127.0.0.1 may be led to a container; the filter keeps containers from using it backwards.
        try writeControl("/proc/sys/net/ipv4/conf/\(name)/route_localnet", "1")
        for (control, value) in [("accept_ra", "0"), ("disable_ipv6", "1")] {
            do throws(SystemError) { try writeControl("/proc/sys/net/ipv6/conf/\(name)/\(control)", value) } catch {
                if !error.isNoSuchFile { throw error }
            }
        }
    }

    mutating func removeLink(_ name: String) throws(SystemError) {
        do throws(SystemError) { try netlink.transact([RouteMessage.deleteLink(name)]) } catch {
            if !error.isNoSuchDevice { throw error }
        }
    }

    /// Turns forwarding on.
    ///
    /// True when it was off.
    func enableForwarding() throws(SystemError) -> Bool {
        let control = "/proc/sys/net/ipv4/ip_forward"
        if try readText(control, limit: 16).first == "1" { return false }
        try writeControl(control, "1")
        return true
    }

    /// Bridged packets pass the IP filter as well (br_netfilter), so that one led back to its sender turns round at its port.
    var bridgesCallFilter: Bool {
        (try? readText("/proc/sys/net/bridge/bridge-nf-call-iptables", limit: 16).first) == "1"
    }

    /// What the kernel gives out by itself as a port.
    func ephemeralPorts() -> ClosedRange<UInt16> {
        let text = (try? readText("/proc/sys/net/ipv4/ip_local_port_range", limit: 64)) ?? ""
        let numbers = text.split { !$0.isNumber }.compactMap { UInt16($0) }
        return numbers.count == 2 && numbers[0] < numbers[1] && numbers[0] > 0 ? numbers[0]...numbers[1] : 32768...60999
    }

    // MARK: Datagrams

    /// Makes the kernel forget where datagrams for these ports went until now.
    ///
    /// Connection tracking decides about translation once for each sender, and a sender that never pauses would go on talking to
    /// the host itself, or to a container that is gone.
    func forgetDatagrams(to ports: [ForwardedPort]) {
        let ports = ports.filter { $0.proto == .udp }
        guard !ports.isEmpty else { return }
        do throws(SystemError) {
            var tracking = try NetlinkSocket(family: NetlinkSocket.netfilter)
            try tracking.forgetConnections { connection in
                connection.proto == 17
                    && ports.contains { port in
                        port.hostPort == connection.destinationPort
                            && (port.hostIP == .any || port.hostIP == connection.destination)
                    }
            }
        } catch {
            // Without connection tracking there is nothing to forget.
        }
    }

    // MARK: Endpoints

    /// Makes an interface in a container and its other end on the bridge.
    mutating func connect(_ plan: EndpointPlan, namespace: Int32, inside: inout NetlinkSocket) throws {
        guard let bridge = try netlink.link(named: plan.bridge.name) else {
            throw Failure(
                .internal,
                "the bridge \(plan.bridge.name) of network \(plan.endpoint.networkName) is gone; restart the daemon to have it again"
            )
        }
        let link = plan.endpoint.hostInterface
        let pair = RouteMessage.VethPair(
            name: link, bridge: bridge.index, peerName: plan.endpoint.interface, peerAddress: plan.endpoint.mac,
            peerNamespace: namespace,
            mtu: plan.bridge.mtu)
        let raise = RouteMessage.raisePort(link, isolated: !plan.bridge.letsNeighboursTalk, hairpin: bridgesCallFilter)
        do {
            try netlink.transact([RouteMessage.makeVeth(pair), raise])
            guard let index = try inside.link(named: plan.endpoint.interface)?.index else {
                throw SystemError.noSuchDevice(plan.endpoint.interface)
            }
            let address = plan.endpoint.ipv4.map {
                RouteMessage.addAddress(IPv4Prefix($0, plan.endpoint.prefix), to: index)
            }
            try inside.transact([address, RouteMessage.setUp(index)].compactMap { $0 })
        } catch {
            try? removeLink(link)
            throw error
        }
    }
}

/// One interface to be made.
///
/// Pure.
struct EndpointPlan: Sendable, Hashable {
    var endpoint: Endpoint
    let bridge: BridgePlan
}
