/// What `POST /containers/{id}/wait` answers in the end.
public struct ContainerWaitResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var statusCode: Int = 0
    /// Only when waiting failed.
    public var error: WaitError?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case statusCode = "StatusCode", error = "Error"
    }
}

/// Why a wait failed.
public struct WaitError: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var message: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case message = "Message"
    }
}

/// What `GET /containers/{id}/top` answers.
public struct ContainerTopResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var titles: [String] = []
    @Defaulted public var processes: [[String]] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case titles = "Titles", processes = "Processes"
    }
}

/// What `POST /containers/prune` answers.
public struct ContainersPruneResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var containersDeleted: [String] = []
    @Defaulted public var spaceReclaimed: Int64 = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case containersDeleted = "ContainersDeleted", spaceReclaimed = "SpaceReclaimed"
    }
}

/// What `POST /containers/{id}/update` answers.
public struct ContainerUpdateResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var warnings: [String] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case warnings = "Warnings"
    }
}
