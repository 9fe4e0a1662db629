internal import CLinux

/// One connection the kernel's connection tracking knows: who began it, and where the answers come from.
public struct TrackedConnection: Sendable, Hashable {
    /// `IPPROTO_UDP` is 17.
    public let proto: UInt8
    /// As the first packet was sent.
    public let source: IPv4Address
    public let destination: IPv4Address
    public let destinationPort: UInt16
    /// Who answers: another than `destination` when the destination was translated.
    public let replier: IPv4Address
    /// The first tuple as it came, to name the connection when it is deleted.
    fileprivate let original: [UInt8]

    static let new = UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_NEW.rawValue)
    static let get = UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_GET.rawValue)
    static let delete = UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_DELETE.rawValue)

    public init?(_ reply: NetlinkReply) {
        guard reply.type == Self.new, reply.payload.count >= 4, reply.payload[0] == UInt8(AF_INET) else { return nil }
        let attributes = reply.attributes(from: 4)
        guard let original = attributes[UInt16(CTA_TUPLE_ORIG.rawValue)],
            let reversed = attributes.nested(UInt16(CTA_TUPLE_REPLY.rawValue)),
            let replier = Self.address(reversed, UInt16(CTA_IP_V4_SRC.rawValue))
        else { return nil }
        let tuple = NetlinkAttributes(original)
        guard let source = Self.address(tuple, UInt16(CTA_IP_V4_SRC.rawValue)),
            let destination = Self.address(tuple, UInt16(CTA_IP_V4_DST.rawValue)),
            let transport = tuple.nested(UInt16(CTA_TUPLE_PROTO.rawValue)),
            let proto = transport[UInt16(CTA_PROTO_NUM.rawValue)]?.first
        else { return nil }
        let port = transport[UInt16(CTA_PROTO_DST_PORT.rawValue)] ?? []
        self.proto = proto
        self.source = source
        self.destination = destination
        self.replier = replier
        // Ports are in network order, unlike the rest.
        destinationPort = port.count == 2 ? port.reduce(0) { $0 << 8 | UInt16($1) } : 0
        self.original = Array(original)
    }

    private static func address(_ tuple: NetlinkAttributes, _ type: UInt16) -> IPv4Address? {
        guard let octets = tuple.nested(UInt16(CTA_TUPLE_IP.rawValue))?[type], octets.count == 4 else { return nil }
        return IPv4Address(octets: octets)
    }

    /// A `struct nfgenmsg`.
    fileprivate static func message(_ type: UInt16, flags: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: type, flags: UInt16(flags))
        message.append(UInt8(AF_INET))
        message.append(UInt8(0))
        message.append(UInt16(0))
        return message
    }

    fileprivate var deletion: NetlinkMessage {
        var message = Self.message(Self.delete, flags: 0)
        message.attribute(UInt16(CTA_TUPLE_ORIG.rawValue) | UInt16(NLA_F_NESTED), original)
        return message
    }
}

extension NetlinkSocket {
    /// Forgets every tracked connection that `isStale` picks, on a socket of family ``netfilter``: their next packet is looked at anew.
    public mutating func forgetConnections(where isStale: (TrackedConnection) -> Bool) throws(SystemError) {
        let all = try query(TrackedConnection.message(TrackedConnection.get, flags: NLM_F_DUMP))
        for connection in all.lazy.compactMap(TrackedConnection.init) where isStale(connection) {
            do throws(SystemError) { try transact([connection.deletion]) } catch {
                // Ended by itself meanwhile.
                if !error.isNoSuchFile { throw error }
            }
        }
    }
}
