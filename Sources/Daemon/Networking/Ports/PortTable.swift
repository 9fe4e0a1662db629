internal import Linux

/// Which ports of the host this daemon has given away.
///
/// Pure; whether other programs have them is for the kernel to say.
struct PortTable: Sendable {
    private struct Key: Hashable {
        let port: UInt16
        let proto: PortProtocol
    }

    private var taken: [Key: Set<IPv4Address>] = [:]
    private var nextRandom: UInt16?

    /// Whether the port is free on the address.
    ///
    /// All addresses (0.0.0.0) and one address exclude each other.
    func isFree(_ port: UInt16, _ proto: PortProtocol, on address: IPv4Address) -> Bool {
        guard let addresses = taken[Key(port: port, proto: proto)], !addresses.isEmpty else { return true }
        return address != .any && !addresses.contains(.any) && !addresses.contains(address)
    }

    mutating func take(_ port: UInt16, _ proto: PortProtocol, on address: IPv4Address) {
        taken[Key(port: port, proto: proto), default: []].insert(address)
    }

    mutating func release(_ port: UInt16, _ proto: PortProtocol, on address: IPv4Address) {
        let key = Key(port: port, proto: proto)
        taken[key]?.remove(address)
        if taken[key]?.isEmpty == true { taken[key] = nil }
    }

    /// The order in which ports are tried for a wish: the wished ones from the lowest, or the ephemeral range going on after
    /// the last random one.
    mutating func candidates(for wished: ClosedRange<UInt16>?, ephemeral: ClosedRange<UInt16>) -> [UInt16] {
        if let wished { return Array(wished) }
        let start = nextRandom.flatMap { ephemeral.contains($0) ? $0 : nil } ?? ephemeral.lowerBound
        return Array(start...ephemeral.upperBound)
            + (start > ephemeral.lowerBound ? Array(ephemeral.lowerBound..<start) : [])
    }

    /// Remembers that a random port was given away.
    mutating func gaveRandom(_ port: UInt16, ephemeral: ClosedRange<UInt16>) {
        nextRandom = port < ephemeral.upperBound ? port + 1 : ephemeral.lowerBound
    }
}
