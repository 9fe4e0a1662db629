internal import CLinux

extension RouteMessage {
    /// Moves an interface into the network namespace a process is in, under another name.
    public static func moveLink(_ index: Int32, toNamespaceOf pid: Int32, name: String) -> NetlinkMessage {
        var message = NetlinkMessage(type: UInt16(RTM_NEWLINK))
        message.append(UInt32(0))
        message.append(index)
        message.append(UInt64(0))
        message.attribute(UInt16(IFLA_NET_NS_PID), UInt32(bitPattern: pid))
        message.attribute(UInt16(IFLA_IFNAME), text: name)
        return message
    }
}

/// An address of an interface that can be given to it again, of either family, as the kernel listed it.
///
/// Only what was set for good and reaches beyond the link: the kernel makes the others itself.
public struct PortableAddress: Sendable, Hashable {
    public let index: Int32
    private let family: UInt8
    private let length: UInt8
    private let scope: UInt8
    private let attributes: [(type: UInt16, value: [UInt8])]

    public static func == (left: PortableAddress, right: PortableAddress) -> Bool {
        left.added(to: left.index).bytes == right.added(to: right.index).bytes
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(added(to: index).bytes) }

    public init?(_ reply: NetlinkReply) {
        guard reply.type == UInt16(RTM_NEWADDR), reply.payload.count >= 8 else { return nil }
        family = reply.payload[0]
        length = reply.payload[1]
        scope = reply.payload[3]
        index = reply.payload.number(at: 4, Int32.self)
        let found = reply.attributes(from: 8)
        let flags = found.number(UInt16(IFA_FLAGS), UInt32.self) ?? UInt32(reply.payload[2])
        guard scope == UInt8(RT_SCOPE_UNIVERSE.rawValue), flags & UInt32(IFA_F_PERMANENT) != 0 else { return nil }
        attributes = [IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST].compactMap { type in
            found[UInt16(type)].map { (UInt16(type), Array($0)) }
        }
    }

    /// Gives the address to an interface.
    public func added(to index: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: UInt16(RTM_NEWADDR), flags: UInt16(NLM_F_CREATE | NLM_F_REPLACE))
        message.append(family)
        message.append(length)
        message.append(UInt8(0))
        message.append(scope)
        message.append(index)
        for (type, value) in attributes { message.attribute(type, value) }
        return message
    }
}

extension NetlinkSocket {
    /// The addresses of all interfaces that can be given to them again.
    public mutating func portableAddresses() throws(SystemError) -> [PortableAddress] {
        var message = NetlinkMessage(type: UInt16(RTM_GETADDR), flags: UInt16(NLM_F_DUMP))
        for _ in 0..<8 { message.append(UInt8(0)) }
        return try query(message).compactMap(PortableAddress.init)
    }
}
