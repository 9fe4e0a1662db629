/// The networks a container is to join, by name.
public struct NetworkingConfig: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var endpointsConfig: [String: EndpointSettings] = [:]

    public init() {}

    enum CodingKeys: String, CodingKey {
        case endpointsConfig = "EndpointsConfig"
    }
}

/// What `POST /containers/create` answers.
public struct ContainerCreateResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    @Defaulted public var warnings: [String] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id", warnings = "Warnings"
    }
}
