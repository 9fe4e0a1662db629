internal import Failures
internal import Linux

/// The addresses of one network: which are taken, and which is next.
///
/// Pure.
///
/// The next address is the one after the last given out, so that one just freed is not at once somebody else's: old
/// connections and ARP entries have time to go.
struct AddressPool: Sendable {
    let subnet: IPv4Prefix
    /// Where addresses come from when none is asked for.
    let range: IPv4Prefix
    private var taken: Set<UInt32>
    private var next: UInt32

    /// - Parameters:
    ///   - range: inside the subnet; nil is all of it.
    ///   - reserved: never given out: the gateway and what the user named.
    init(subnet: IPv4Prefix, range: IPv4Prefix? = nil, reserved: some Sequence<IPv4Address> = []) {
        self.subnet = subnet.network
        self.range = (range ?? subnet).network
        taken = Set(reserved.map(\.value))
        next = self.range.first.value
    }

    /// The first and last address a host may have: not the network's own and not the broadcast address, except in
    /// /31 and /32, which have neither (RFC 3021).
    private var usable: ClosedRange<UInt32> {
        subnet.length >= 31
            ? subnet.first.value...subnet.last.value : (subnet.first.value + 1)...(subnet.last.value - 1)
    }

    var isFull: Bool { nextFree() == nil }

    private func nextFree() -> UInt32? {
        let low = max(usable.lowerBound, range.first.value)
        let high = min(usable.upperBound, range.last.value)
        guard low <= high else { return nil }
        let start = (low...high).contains(next) ? next : low
        var candidate = start
        repeat {
            if !taken.contains(candidate) { return candidate }
            candidate = candidate == high ? low : candidate + 1
        } while candidate != start
        return nil
    }

    /// Takes the next free address; nil when there is none left.
    mutating func take() -> IPv4Address? {
        guard let free = nextFree() else { return nil }
        taken.insert(free)
        next = free &+ 1
        return IPv4Address(free)
    }

    /// What became of a wish for one address.
    enum Claim: Equatable { case taken, alreadyInUse, outside }

    /// Takes this address; it may lie outside the range but not outside the subnet.
    mutating func take(_ address: IPv4Address) -> Claim {
        guard subnet.contains(address), usable.contains(address.value) else { return .outside }
        return taken.insert(address.value).inserted ? .taken : .alreadyInUse
    }

    mutating func release(_ address: IPv4Address) { taken.remove(address.value) }
}
