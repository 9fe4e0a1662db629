public import Linux

/// One network as users see it: a name, a driver, an address range and the containers that are in it.
public struct Network: Sendable, Hashable, Codable {
    /// 64 hexadecimal digits.
    public let id: String
    public let name: String
    public let driver: NetworkDriver
    /// When it was made, in nanoseconds since 1970.
    public let created: Int64
    /// Without a way out of the machine.
    public var isInternal: Bool
    public var isAttachable: Bool
    public var labels: [String: String]
    /// The driver's options as they were given; Docker's names (`com.docker.network.…`).
    public var options: [String: String]
    /// What was asked for, and what was chosen where nothing was asked.
    public var addressing: Addressing
    /// The subnet was asked for by the user, so fixed addresses may be asked for too.
    public var hasConfiguredSubnet: Bool

    /// One of the three networks that always are.
    public var isPredefined: Bool { Self.predefinedNames.contains(name) }
    public static let predefinedNames: Set<String> = ["bridge", "host", "none"]

    /// Only `local` until there are clusters.
    public var scope: String { "local" }

    /// Names are resolved on it: on every bridge but the default one.
    public var resolvesNames: Bool { driver == .bridge && name != "bridge" }
}

/// What carries a network's traffic.
public enum NetworkDriver: String, Sendable, Hashable, Codable, CaseIterable {
    /// A software bridge of the host with address translation to the outside.
    case bridge
    /// The host's own network, shared.
    case host
    /// Loopback and nothing else.
    case null
}

/// The address range of a network; the fields of the API's `IPAM.Config`.
public struct Addressing: Sendable, Hashable, Codable {
    public var subnet: IPv4Prefix?
    /// Where addresses are taken from when none is asked for; inside the subnet.
    public var range: IPv4Prefix?
    public var gateway: IPv4Address?
    /// Addresses that are used by something else, by name.
    public var reserved: [String: IPv4Address]

    public init(
        subnet: IPv4Prefix? = nil, range: IPv4Prefix? = nil, gateway: IPv4Address? = nil,
        reserved: [String: IPv4Address] = [:]
    ) {
        self.subnet = subnet
        self.range = range
        self.gateway = gateway
        self.reserved = reserved
    }
}

/// What a new network shall be.
public struct NetworkSettings: Sendable, Hashable {
    public var name: String
    /// As the user wrote it; empty is `bridge`.
    public var driver: String
    public var isInternal: Bool
    public var isAttachable: Bool
    public var enableIPv6: Bool
    public var labels: [String: String]
    public var options: [String: String]
    /// At most one, since networks have IPv4 only.
    public var addressing: [Addressing]

    public init(
        name: String, driver: String = "bridge", isInternal: Bool = false, isAttachable: Bool = false,
        enableIPv6: Bool = false,
        labels: [String: String] = [:], options: [String: String] = [:], addressing: [Addressing] = []
    ) {
        self.name = name
        self.driver = driver
        self.isInternal = isInternal
        self.isAttachable = isAttachable
        self.enableIPv6 = enableIPv6
        self.labels = labels
        self.options = options
        self.addressing = addressing
    }
}
