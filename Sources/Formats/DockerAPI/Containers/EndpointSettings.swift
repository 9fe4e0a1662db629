/// A container's place in a network: what was asked for and what it got.
public struct EndpointSettings: Codable, Sendable, Hashable, Defaultable {
    @Nullable public var ipamConfig: EndpointIPAMConfig?
    @Nullable public var links: [String]?
    @Nullable public var aliases: [String]?
    @Defaulted public var macAddress: String = ""
    @Nullable public var driverOptions: [String: String]?
    @Defaulted public var gatewayPriority: Int = 0
    @Defaulted public var networkID: String = ""
    @Defaulted public var endpointID: String = ""
    @Defaulted public var gateway: String = ""
    @Defaulted public var ipAddress: String = ""
    @Defaulted public var ipPrefixLength: Int = 0
    @Defaulted public var ipv6Gateway: String = ""
    @Defaulted public var globalIPv6Address: String = ""
    @Defaulted public var globalIPv6PrefixLength: Int = 0
    @Nullable public var dnsNames: [String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case ipamConfig = "IPAMConfig", links = "Links", aliases = "Aliases", macAddress = "MacAddress"
        case driverOptions = "DriverOpts", gatewayPriority = "GwPriority", networkID = "NetworkID"
        case endpointID = "EndpointID", gateway = "Gateway", ipAddress = "IPAddress"
        case ipPrefixLength = "IPPrefixLen", ipv6Gateway = "IPv6Gateway", globalIPv6Address = "GlobalIPv6Address"
        case globalIPv6PrefixLength = "GlobalIPv6PrefixLen", dnsNames = "DNSNames"
    }
}

/// The addresses asked for.
public struct EndpointIPAMConfig: Codable, Sendable, Hashable, Defaultable {
    public var ipv4Address: String?
    public var ipv6Address: String?
    public var linkLocalIPs: [String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case ipv4Address = "IPv4Address", ipv6Address = "IPv6Address", linkLocalIPs = "LinkLocalIPs"
    }
}
