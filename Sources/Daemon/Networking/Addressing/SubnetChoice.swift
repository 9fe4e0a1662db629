internal import Failures
internal import Linux

/// Which subnet a new network gets, and whether one that was asked for makes sense.
///
/// Pure.
enum SubnetChoice {
    /// The first subnet of the pools that overlaps nothing in use: networks of this daemon, the host's addresses and
    /// routes, and so the bridges of other daemons too.
    static func choose(from pools: [SubnetPool], avoiding used: [IPv4Prefix]) -> IPv4Prefix? {
        for pool in pools where pool.size >= pool.base.length && pool.size <= 30 {
            let count = UInt64(1) << UInt64(pool.size - pool.base.length)
            let step = UInt64(1) << UInt64(32 - pool.size)
            for index in 0..<min(count, 65536) {
                let first = UInt64(pool.base.first.value) + index * step
                let candidate = IPv4Prefix(IPv4Address(UInt32(truncatingIfNeeded: first)), pool.size)
                if !used.contains(where: candidate.overlaps) { return candidate }
            }
        }
        return nil
    }

    /// What the host uses: its addresses' networks and its routes, without the default route, which overlaps all.
    static func used(routes: [NetworkRoute], addresses: [InterfaceAddress]) -> [IPv4Prefix] {
        routes.map(\.destination).filter { $0.length > 0 } + addresses.map(\.prefix.network)
    }

    /// Checks what a user asked for and fills in the gateway.
    static func complete(_ wish: Addressing, network: String) throws(Failure) -> Addressing {
        var result = wish
        guard let subnet = wish.subnet else {
            if wish.range != nil || wish.gateway != nil || !wish.reserved.isEmpty {
                throw Failure(
                    .invalid, "network \(network): a gateway, range or reserved address needs a subnet; add --subnet")
            }
            return wish
        }
        guard subnet.length >= 8, subnet.length <= 30 else {
            throw Failure(.invalid, "network \(network): subnet \(subnet) must have a prefix length from 8 to 30")
        }
        guard subnet.address == subnet.first else {
            throw Failure(.invalid, "invalid subnet \(subnet): it should be \(subnet.network)")
        }
        if subnet.overlaps(IPv4Prefix(.loopback, 8)) || subnet.first.value >> 28 >= 0xE {
            throw Failure(
                .invalid, "network \(network): subnet \(subnet) is not for networks of containers; choose a private one"
            )
        }
        if let range = wish.range, !subnet.contains(range) {
            throw Failure(.invalid, "invalid ip-range \(range): it is not inside subnet \(subnet)")
        }
        let gateway = wish.gateway ?? IPv4Address((wish.range.map(\.first) ?? subnet.first).value | 1)
        guard subnet.contains(gateway), gateway != subnet.first, gateway != subnet.last else {
            throw Failure(.invalid, "invalid gateway address \(gateway): it is not a host address of subnet \(subnet)")
        }
        for (name, address) in wish.reserved where !subnet.contains(address) {
            throw Failure(.invalid, "invalid auxiliary address \(name)=\(address): it is not inside subnet \(subnet)")
        }
        result.gateway = gateway
        return result
    }
}
