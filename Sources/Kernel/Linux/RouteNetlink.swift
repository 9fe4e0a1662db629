internal import CLinux

/// The requests to `rtnetlink(7)` that networks of containers need, as pure values; ``NetlinkSocket`` sends them.
public enum RouteMessage {
    /// A new software bridge, down until its settings are made.
    ///
    /// Its own address keeps it from taking on that of whichever port comes first.
    public static func makeBridge(_ name: String, address: MACAddress, mtu: UInt32) -> NetlinkMessage {
        var message = link(RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL)
        message.attribute(UInt16(IFLA_IFNAME), text: name)
        message.attribute(UInt16(IFLA_MTU), mtu)
        message.attribute(UInt16(IFLA_ADDRESS), address.octets)
        message.nested(UInt16(IFLA_LINKINFO)) { $0.attribute(UInt16(IFLA_INFO_KIND), text: "bridge") }
        return message
    }

    /// A pair of virtual interfaces: one here, a port of a bridge, the other in another namespace.
    ///
    /// Both are down: the kernel brings none up that does not know its other end yet.
    public struct VethPair: Sendable, Hashable {
        public var name: String
        public var bridge: Int32
        public var peerName: String
        public var peerAddress: MACAddress?
        /// An open `/proc/…/ns/net`.
        public var peerNamespace: Int32
        public var mtu: UInt32

        public init(
            name: String, bridge: Int32, peerName: String, peerAddress: MACAddress?, peerNamespace: Int32, mtu: UInt32
        ) {
            self.name = name
            self.bridge = bridge
            self.peerName = peerName
            self.peerAddress = peerAddress
            self.peerNamespace = peerNamespace
            self.mtu = mtu
        }
    }

    public static func makeVeth(_ pair: VethPair) -> NetlinkMessage {
        var message = link(RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL)
        message.attribute(UInt16(IFLA_IFNAME), text: pair.name)
        message.attribute(UInt16(IFLA_MTU), pair.mtu)
        message.attribute(UInt16(IFLA_MASTER), pair.bridge)
        message.nested(UInt16(IFLA_LINKINFO)) { info in
            info.attribute(UInt16(IFLA_INFO_KIND), text: "veth")
            info.nested(UInt16(IFLA_INFO_DATA)) { data in
                data.nested(UInt16(VETH_INFO_PEER)) { peer in
                    appendLinkHeader(&peer, index: 0, up: false)
                    peer.attribute(UInt16(IFLA_IFNAME), text: pair.peerName)
                    peer.attribute(UInt16(IFLA_MTU), pair.mtu)
                    if let address = pair.peerAddress { peer.attribute(UInt16(IFLA_ADDRESS), address.octets) }
                    peer.attribute(UInt16(IFLA_NET_NS_FD), pair.peerNamespace)
                }
            }
        }
        return message
    }

    /// Brings a bridge's port up, without an IPv6 address of its own.
    ///
    /// - Parameters:
    ///   - isolated: it reaches the bridge, not other isolated ports.
    ///   - hairpin: frames may leave through it that came in through it.
    public static func raisePort(_ name: String, isolated: Bool, hairpin: Bool) -> NetlinkMessage {
        var message = link(RTM_NEWLINK, up: true)
        message.attribute(UInt16(IFLA_IFNAME), text: name)
        message.nested(UInt16(IFLA_AF_SPEC)) { families in
            families.nested(UInt16(AF_INET6)) {
                $0.attribute(UInt16(IFLA_INET6_ADDR_GEN_MODE), UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue))
            }
        }
        if isolated || hairpin {
            message.nested(UInt16(IFLA_LINKINFO)) { info in
                info.attribute(UInt16(IFLA_INFO_SLAVE_KIND), text: "bridge")
                info.nested(UInt16(IFLA_INFO_SLAVE_DATA)) { data in
                    data.attribute(UInt16(IFLA_BRPORT_MODE), UInt8(hairpin ? 1 : 0))
                    data.attribute(UInt16(IFLA_BRPORT_ISOLATED), UInt8(isolated ? 1 : 0))
                }
            }
        }
        return message
    }

    public static func setUp(_ index: Int32) -> NetlinkMessage { link(RTM_NEWLINK, index: index, up: true) }

    public static func deleteLink(_ name: String) -> NetlinkMessage {
        var message = link(RTM_DELLINK)
        message.attribute(UInt16(IFLA_IFNAME), text: name)
        return message
    }

    /// Asks for one link by name: `ENODEV` when there is none.
    public static func findLink(_ name: String) -> NetlinkMessage {
        var message = link(RTM_GETLINK)
        message.attribute(UInt16(IFLA_IFNAME), text: name)
        return message
    }

    public static func listLinks() -> NetlinkMessage { link(RTM_GETLINK, flags: NLM_F_DUMP) }

    /// Gives an interface an address, with the network's broadcast address beside it.
    public static func addAddress(_ prefix: IPv4Prefix, to index: Int32) -> NetlinkMessage {
        var message = address(RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL, prefix: prefix, index: index)
        if prefix.length < 31 { message.attribute(UInt16(IFA_BROADCAST), prefix.last.octets) }
        return message
    }

    public static func removeAddress(_ prefix: IPv4Prefix, from index: Int32) -> NetlinkMessage {
        address(RTM_DELADDR, flags: 0, prefix: prefix, index: index)
    }

    public static func listAddresses() -> NetlinkMessage {
        var message = NetlinkMessage(type: UInt16(RTM_GETADDR), flags: UInt16(NLM_F_DUMP))
        message.append(UInt8(AF_INET))
        for _ in 0..<7 { message.append(UInt8(0)) }
        return message
    }

    /// Adds the default route, or with `replacing` puts it in the place of the one there is.
    public static func addDefaultRoute(via gateway: IPv4Address, index: Int32, replacing: Bool = false)
        -> NetlinkMessage
    {
        var message = route(RTM_NEWROUTE, flags: NLM_F_CREATE | (replacing ? NLM_F_REPLACE : NLM_F_EXCL))
        message.attribute(UInt16(RTA_GATEWAY.rawValue), gateway.octets)
        message.attribute(UInt16(RTA_OIF.rawValue), index)
        return message
    }

    public static func removeDefaultRoute(via gateway: IPv4Address, index: Int32) -> NetlinkMessage {
        var message = route(RTM_DELROUTE, flags: 0)
        message.attribute(UInt16(RTA_GATEWAY.rawValue), gateway.octets)
        message.attribute(UInt16(RTA_OIF.rawValue), index)
        return message
    }

    public static func listRoutes() -> NetlinkMessage {
        var message = NetlinkMessage(type: UInt16(RTM_GETROUTE), flags: UInt16(NLM_F_DUMP))
        message.append(UInt8(AF_INET))
        for _ in 0..<11 { message.append(UInt8(0)) }
        return message
    }

    // MARK: Fixed parts

    /// A `struct ifinfomsg`.
    private static func link(_ type: Int, flags: Int32 = 0, index: Int32 = 0, up: Bool = false) -> NetlinkMessage {
        var message = NetlinkMessage(type: UInt16(type), flags: UInt16(flags))
        appendLinkHeader(&message, index: index, up: up)
        return message
    }

    private static func appendLinkHeader(_ message: inout NetlinkMessage, index: Int32, up: Bool) {
        let flag = up ? UInt32(1) : 0  // IFF_UP
        message.append(UInt8(AF_UNSPEC))
        message.append(UInt8(0))
        message.append(UInt16(0))
        message.append(index)
        message.append(flag)
        message.append(flag)
    }

    /// A `struct ifaddrmsg`.
    private static func address(_ type: Int, flags: Int32, prefix: IPv4Prefix, index: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: UInt16(type), flags: UInt16(flags))
        message.append(UInt8(AF_INET))
        message.append(UInt8(prefix.length))
        message.append(UInt16(0))
        message.append(index)
        message.attribute(UInt16(IFA_LOCAL), prefix.address.octets)
        message.attribute(UInt16(IFA_ADDRESS), prefix.address.octets)
        return message
    }

    /// A `struct rtmsg` for 0.0.0.0/0 in the main table.
    private static func route(_ type: Int, flags: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: UInt16(type), flags: UInt16(flags))
        for byte in [
            UInt8(AF_INET), 0, 0, 0, UInt8(RT_TABLE_MAIN.rawValue), UInt8(RTPROT_BOOT),
            UInt8(RT_SCOPE_UNIVERSE.rawValue),
            UInt8(RTN_UNICAST),
        ] { message.append(byte) }
        message.append(UInt32(0))
        return message
    }

    static func name(of type: UInt16) -> String {
        switch Int(type) {
        case RTM_NEWLINK: "RTM_NEWLINK"
        case RTM_DELLINK: "RTM_DELLINK"
        case RTM_GETLINK: "RTM_GETLINK"
        case RTM_NEWADDR: "RTM_NEWADDR"
        case RTM_DELADDR: "RTM_DELADDR"
        case RTM_GETADDR: "RTM_GETADDR"
        case RTM_NEWROUTE: "RTM_NEWROUTE"
        case RTM_DELROUTE: "RTM_DELROUTE"
        case RTM_GETROUTE: "RTM_GETROUTE"
        default: "message \(type)"
        }
    }
}

/// A network interface, from `RTM_NEWLINK`.
public struct NetworkLink: Sendable, Hashable {
    public let index: Int32
    public let name: String
    /// `bridge`, `veth`; nil for hardware and loopback.
    public let kind: String?
    public let mtu: UInt32
    /// The index of the bridge it is a port of; 0 for none.
    public let master: Int32
    public let address: MACAddress?
    public let isUp: Bool
    public let isLoopback: Bool

    public init?(_ reply: NetlinkReply) {
        guard reply.type == UInt16(RTM_NEWLINK), reply.payload.count >= 16 else { return nil }
        let attributes = reply.attributes(from: 16)
        guard let name = attributes.text(UInt16(IFLA_IFNAME)) else { return nil }
        self.name = name
        index = reply.payload.number(at: 4, Int32.self)
        let flags = reply.payload.number(at: 8, UInt32.self)
        isUp = flags & 1 != 0  // IFF_UP
        isLoopback = flags & 8 != 0  // IFF_LOOPBACK
        kind = attributes.nested(UInt16(IFLA_LINKINFO))?.text(UInt16(IFLA_INFO_KIND))
        mtu = attributes.number(UInt16(IFLA_MTU), UInt32.self) ?? 0
        master = attributes.number(UInt16(IFLA_MASTER), Int32.self) ?? 0
        address = attributes[UInt16(IFLA_ADDRESS)].flatMap { $0.count == 6 ? MACAddress(octets: $0) : nil }
    }
}

/// An address of an interface, from `RTM_NEWADDR`.
public struct InterfaceAddress: Sendable, Hashable {
    public let index: Int32
    public let prefix: IPv4Prefix

    public init?(_ reply: NetlinkReply) {
        guard reply.type == UInt16(RTM_NEWADDR), reply.payload.count >= 8, reply.payload[0] == UInt8(AF_INET) else {
            return nil
        }
        let attributes = reply.attributes(from: 8)
        guard let octets = attributes[UInt16(IFA_LOCAL)] ?? attributes[UInt16(IFA_ADDRESS)],
            octets.count == 4
        else { return nil }
        index = reply.payload.number(at: 4, Int32.self)
        prefix = IPv4Prefix(IPv4Address(octets: octets), Int(reply.payload[1]))
    }
}

/// A route to a network, from `RTM_NEWROUTE`; local and broadcast entries are none.
public struct NetworkRoute: Sendable, Hashable {
    public let destination: IPv4Prefix
    /// The interface it leaves by; 0 when it has several.
    public let index: Int32
    public let gateway: IPv4Address?

    public init?(_ reply: NetlinkReply) {
        guard reply.type == UInt16(RTM_NEWROUTE), reply.payload.count >= 12, reply.payload[0] == UInt8(AF_INET),
            reply.payload[7] == UInt8(RTN_UNICAST)
        else { return nil }
        let attributes = reply.attributes(from: 12)
        let octets = attributes[UInt16(RTA_DST.rawValue)].map(Array.init) ?? [0, 0, 0, 0]
        guard octets.count == 4 else { return nil }
        destination = IPv4Prefix(IPv4Address(octets: octets), Int(reply.payload[1]))
        index = attributes.number(UInt16(RTA_OIF.rawValue), Int32.self) ?? 0
        gateway = attributes[UInt16(RTA_GATEWAY.rawValue)].flatMap { $0.count == 4 ? IPv4Address(octets: $0) : nil }
    }
}

extension NetlinkSocket {
    /// The link of that name, if there is one.
    public mutating func link(named name: String) throws(SystemError) -> NetworkLink? {
        do { return try query(RouteMessage.findLink(name)).lazy.compactMap(NetworkLink.init).first } catch {
            if error.errno == ENODEV { return nil }
            throw error
        }
    }

    public mutating func links() throws(SystemError) -> [NetworkLink] {
        try query(RouteMessage.listLinks()).compactMap(NetworkLink.init)
    }

    public mutating func addresses() throws(SystemError) -> [InterfaceAddress] {
        try query(RouteMessage.listAddresses()).compactMap(InterfaceAddress.init)
    }

    public mutating func routes() throws(SystemError) -> [NetworkRoute] {
        try query(RouteMessage.listRoutes()).compactMap(NetworkRoute.init)
    }
}

/// Brings up the loopback interface of this network namespace, which gives it its addresses.
///
/// Not by netlink, which needs a message, an answer and memory for both.
///
/// C function: `ioctl(SIOCSIFFLAGS)`; netdevice(7).
public func bringUpLoopback() throws(SystemError) {
    let socket = try anySocket()
    try bringUpLoopback(through: socket.raw)
}

/// The same in the namespace that a socket was made in.
func bringUpLoopback(through socket: Int32) throws(SystemError) {
    try check("ioctl(SIOCSIFFLAGS)", "lo") { skiff_set_up(socket, "lo") }
}

/// A socket of this network namespace: any will do for what is asked of interfaces, and of this kind there is one on every
/// kernel.
func anySocket() throws(SystemError) -> OwnedDescriptor {
    let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    return OwnedDescriptor(owning: Int32(try check("socket") { CLinux.socket(AF_UNIX, kind, 0) }))
}
