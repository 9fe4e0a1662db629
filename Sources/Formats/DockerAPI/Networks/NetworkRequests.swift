/// What a new network shall be: `POST /networks/create`.
public struct NetworkCreateRequest: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var name: String = ""
    public var driver: String?
    public var scope: String?
    public var isInternal: Bool?
    public var attachable: Bool?
    public var ingress: Bool?
    public var configOnly: Bool?
    public var ipam: IPAM?
    public var enableIPv4: Bool?
    public var enableIPv6: Bool?
    public var options: [String: String]?
    public var labels: [String: String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", driver = "Driver", scope = "Scope", isInternal = "Internal", attachable = "Attachable"
        case ingress = "Ingress", configOnly = "ConfigOnly", ipam = "IPAM", enableIPv4 = "EnableIPv4"
        case enableIPv6 = "EnableIPv6", options = "Options", labels = "Labels"
    }
}

/// What that answers.
public struct NetworkCreateResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    @Defaulted public var warning: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id", warning = "Warning"
    }
}

/// The body of `POST /networks/{id}/connect`.
public struct NetworkConnectRequest: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var container: String = ""
    public var endpointConfig: EndpointSettings?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case container = "Container", endpointConfig = "EndpointConfig"
    }
}

/// The body of `POST /networks/{id}/disconnect`.
public struct NetworkDisconnectRequest: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var container: String = ""
    @Defaulted public var force: Bool = false

    public init() {}

    enum CodingKeys: String, CodingKey {
        case container = "Container", force = "Force"
    }
}

/// What `POST /networks/prune` answers.
public struct NetworksPruneResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var networksDeleted: [String] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case networksDeleted = "NetworksDeleted"
    }
}
