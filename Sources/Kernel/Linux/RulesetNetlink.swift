internal import CLinux

/// A table, chain or rule of the packet filter that came or went, as the kernel announces it to whoever listens.
///
/// Format: `linux/netfilter/nf_tables.h`; the attributes of all three begin with the table's name.
public struct RulesetChange: Sendable, Hashable {
    /// `NFPROTO_IPV4` is 2.
    public let family: UInt8
    public let table: String

    public static let ipv4 = UInt8(AF_INET)

    /// C constants: `NFT_MSG_NEWTABLE`, `NFT_MSG_DELTABLE`, `NFT_MSG_NEWCHAIN`, `NFT_MSG_DELCHAIN`, `NFT_MSG_NEWRULE`,
    /// `NFT_MSG_DELRULE`.
    private static let told: Set<UInt16> = Set([0, 2, 3, 5, 6, 8].map { UInt16(NFNL_SUBSYS_NFTABLES) << 8 | $0 })
    /// C constants: `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_RULE_TABLE`.
    private static let tableName: UInt16 = 1

    public init?(_ reply: NetlinkReply) {
        guard Self.told.contains(reply.type), reply.payload.count >= 4,
            let table = reply.attributes(from: 4).text(Self.tableName)
        else { return nil }
        family = reply.payload[0]
        self.table = table
    }
}

extension NetlinkSocket {
    /// Hears of every change to the packet filter from now on, on a socket of family ``netfilter`` that asks nothing.
    ///
    /// C function: `bind`, with the group `NFNLGRP_NFTABLES`. Joining it alone is not enough: the kernel passes over
    /// sockets that have no address.
    public func hearRulesetChanges() throws(SystemError) {
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = 1 << (UInt32(NFNLGRP_NFTABLES.rawValue) - 1)
        try check("bind", "netlink") {
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(
                        descriptor.raw, __CONST_SOCKADDR_ARG(__sockaddr__: $0),
                        socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
    }

    /// What was announced since the last call, without waiting; nil when more was than the socket holds, so that anything
    /// may have changed.
    public func rulesetChanges() throws(SystemError) -> [RulesetChange]? {
        var changes: [RulesetChange] = []
        let capacity = 65536
        var buffer = [UInt8](repeating: 0, count: capacity)
        while true {
            let count: Int
            do throws(SystemError) {
                count = try check("recv", "netlink") {
                    recv(descriptor.raw, &buffer, capacity, Int32(MSG_TRUNC) | Int32(MSG_DONTWAIT))
                }
            } catch {
                if error.errno == EAGAIN { return changes }
                if error.errno == ENOBUFS { return nil }
                throw error
            }
            if count > capacity { return nil }
            changes += NetlinkReply.parse(buffer[..<count]).compactMap(RulesetChange.init)
        }
    }
}
