public import JSON

/// A container's networks and published ports.
///
/// The members beside `Ports` and `Networks` describe the default bridge, for clients of API 1.20.
public struct NetworkSettings: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var bridge: String = ""
    @Defaulted public var sandboxID: String = ""
    @Defaulted public var sandboxKey: String = ""
    /// By `80/tcp`; null for a port that is exposed only.
    @Defaulted public var ports: [String: [PortBinding]?] = [:]
    @Defaulted public var hairpinMode: Bool = false
    @Defaulted public var linkLocalIPv6Address: String = ""
    @Defaulted public var linkLocalIPv6PrefixLength: Int = 0
    @Defaulted public var secondaryIPAddresses: JSON = .null
    @Defaulted public var secondaryIPv6Addresses: JSON = .null
    @Defaulted public var endpointID: String = ""
    @Defaulted public var gateway: String = ""
    @Defaulted public var globalIPv6Address: String = ""
    @Defaulted public var globalIPv6PrefixLength: Int = 0
    @Defaulted public var ipAddress: String = ""
    @Defaulted public var ipPrefixLength: Int = 0
    @Defaulted public var ipv6Gateway: String = ""
    @Defaulted public var macAddress: String = ""
    @Defaulted public var networks: [String: EndpointSettings] = [:]

    public init() {}

    enum CodingKeys: String, CodingKey {
        case bridge = "Bridge", sandboxID = "SandboxID", sandboxKey = "SandboxKey", ports = "Ports"
        case hairpinMode = "HairpinMode", linkLocalIPv6Address = "LinkLocalIPv6Address"
        case linkLocalIPv6PrefixLength = "LinkLocalIPv6PrefixLen", secondaryIPAddresses = "SecondaryIPAddresses"
        case secondaryIPv6Addresses = "SecondaryIPv6Addresses", endpointID = "EndpointID", gateway = "Gateway"
        case globalIPv6Address = "GlobalIPv6Address", globalIPv6PrefixLength = "GlobalIPv6PrefixLen"
        case ipAddress = "IPAddress", ipPrefixLength = "IPPrefixLen", ipv6Gateway = "IPv6Gateway"
        case macAddress = "MacAddress", networks = "Networks"
    }
}
