/// A network: `GET /networks` and `GET /networks/{id}`.
public struct NetworkInspect: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var name: String = ""
    @Defaulted public var id: String = ""
    @Defaulted public var created: String = ""
    @Defaulted public var scope: String = ""
    @Defaulted public var driver: String = ""
    @Defaulted public var enableIPv4: Bool = false
    @Defaulted public var enableIPv6: Bool = false
    @Defaulted public var ipam: IPAM = IPAM()
    @Defaulted public var isInternal: Bool = false
    @Defaulted public var attachable: Bool = false
    @Defaulted public var ingress: Bool = false
    @Defaulted public var configFrom: ConfigReference = ConfigReference()
    @Defaulted public var configOnly: Bool = false
    /// Those that run, by id.
    public var containers: [String: NetworkContainer]?
    @Defaulted public var options: [String: String] = [:]
    @Defaulted public var labels: [String: String] = [:]

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", id = "Id", created = "Created", scope = "Scope", driver = "Driver"
        case enableIPv4 = "EnableIPv4", enableIPv6 = "EnableIPv6", ipam = "IPAM", isInternal = "Internal"
        case attachable = "Attachable", ingress = "Ingress", configFrom = "ConfigFrom", configOnly = "ConfigOnly"
        case containers = "Containers", options = "Options", labels = "Labels"
    }
}

/// A network that another takes its configuration from; Skiff has none, clients expect the member.
public struct ConfigReference: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var network: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case network = "Network"
    }
}

/// A container in a network, addresses with the length of their prefix.
public struct NetworkContainer: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var name: String = ""
    @Defaulted public var endpointID: String = ""
    @Defaulted public var macAddress: String = ""
    @Defaulted public var ipv4Address: String = ""
    @Defaulted public var ipv6Address: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", endpointID = "EndpointID", macAddress = "MacAddress", ipv4Address = "IPv4Address"
        case ipv6Address = "IPv6Address"
    }
}

/// How a network's addresses are given out.
public struct IPAM: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var driver: String = "default"
    @Nullable public var options: [String: String]?
    @Defaulted public var config: [IPAMConfig] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case driver = "Driver", options = "Options", config = "Config"
    }
}

/// One address range.
public struct IPAMConfig: Codable, Sendable, Hashable, Defaultable {
    public var subnet: String?
    public var ipRange: String?
    public var gateway: String?
    public var auxiliaryAddresses: [String: String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case subnet = "Subnet", ipRange = "IPRange", gateway = "Gateway", auxiliaryAddresses = "AuxiliaryAddresses"
    }
}
