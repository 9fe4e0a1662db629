/// An IPv4 address in host byte order, so that neighbours differ by one.
public struct IPv4Address: Sendable, Hashable, Comparable {
    /// The number: 127.0.0.1 is `0x7F00_0001`.
    public let value: UInt32

    public init(_ value: UInt32) { self.value = value }

    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        value = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Four bytes in network order.
    public init(octets: some Collection<UInt8>) { value = octets.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

    /// Dotted quad only: four decimal numbers, no leading zeros (which C reads as octal), nothing else.
    public init?(_ text: some StringProtocol) {
        var value: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if digits > 0 && octet == 0 { return nil }
                octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
                digits += 1
                if octet > 255 { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, dots < 3 else { return nil }
                value = value << 8 | octet
                (octet, digits) = (0, 0)
                dots += 1
            default: return nil
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        self.value = value << 8 | octet
    }

    /// Four bytes in network order, as messages carry them.
    public var octets: [UInt8] {
        [
            UInt8(truncatingIfNeeded: value >> 24), UInt8(truncatingIfNeeded: value >> 16),
            UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value),
        ]
    }

    /// 0.0.0.0: any address of the machine.
    public static let any = IPv4Address(0)
    public static let loopback = IPv4Address(127, 0, 0, 1)

    /// Whether it is in 127.0.0.0/8.
    public var isLoopback: Bool { value >> 24 == 127 }

    public static func < (left: IPv4Address, right: IPv4Address) -> Bool { left.value < right.value }
}

extension IPv4Address: CustomStringConvertible {
    public var description: String {
        "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
    }
}

extension IPv4Address: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = IPv4Address(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an IPv4 address: \(text)")
        }
        self = address
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// An IPv4 address with the length of its network part, as in 172.17.0.1/16.
public struct IPv4Prefix: Sendable, Hashable {
    public let address: IPv4Address
    /// 0 to 32.
    public let length: Int

    public init(_ address: IPv4Address, _ length: Int) {
        self.address = address
        self.length = min(max(length, 0), 32)
    }

    /// `a.b.c.d/n`; host bits may be set.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPv4Address(parts[0]), (1...2).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let length = Int(parts[1]), length <= 32
        else { return nil }
        self.init(address, length)
    }

    public var mask: UInt32 { length == 0 ? 0 : ~0 << UInt32(32 - length) }
    /// The first address, where all host bits are 0.
    public var first: IPv4Address { IPv4Address(address.value & mask) }
    /// The last address, where all host bits are 1: the broadcast address.
    public var last: IPv4Address { IPv4Address(address.value | ~mask) }
    /// The same network without host bits.
    public var network: IPv4Prefix { IPv4Prefix(first, length) }

    public func contains(_ other: IPv4Address) -> Bool { other.value & mask == first.value }
    public func contains(_ other: IPv4Prefix) -> Bool { other.length >= length && contains(other.first) }
    public func overlaps(_ other: IPv4Prefix) -> Bool { contains(other.first) || other.contains(first) }
}

extension IPv4Prefix: CustomStringConvertible {
    public var description: String { "\(address)/\(length)" }
}

extension IPv4Prefix: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let prefix = IPv4Prefix(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an IPv4 prefix: \(text)")
        }
        self = prefix
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A 48-bit Ethernet address.
public struct MACAddress: Sendable, Hashable {
    /// The number, the first octet highest.
    public let value: UInt64

    /// Six bytes in order.
    public init(octets: some Collection<UInt8>) { value = octets.prefix(6).reduce(0) { $0 << 8 | UInt64($1) } }

    /// `02:42:` and the address: locally administered, and the same whenever the endpoint gets the same address, so
    /// that neighbours' ARP tables stay right when a container is restarted.
    public init(derivedFrom address: IPv4Address) { self.init(octets: [0x02, 0x42] + address.octets) }

    /// Six hexadecimal octets between colons or hyphens.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
        guard parts.count == 6, parts.allSatisfy({ $0.utf8.count == 2 && $0.first != "+" && $0.first != "-" }) else {
            return nil
        }
        let octets = parts.compactMap { UInt8($0, radix: 16) }
        guard octets.count == 6 else { return nil }
        self.init(octets: octets)
    }

    public var octets: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: value >> UInt64(40 - 8 * $0)) } }
    /// Whether it names a group and so cannot be an interface's own.
    public var isMulticast: Bool { octets[0] & 1 == 1 }
}

extension MACAddress: CustomStringConvertible {
    public var description: String {
        octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}

extension MACAddress: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = MACAddress(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a MAC address: \(text)")
        }
        self = address
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
