/// One line of `GET /events`.
public struct EventMessage: Codable, Sendable, Hashable, Defaultable {
    /// The action again, for containers and images, below API 1.52.
    public var status: String?
    public var id: String?
    public var from: String?
    @Defaulted public var type: String = ""
    @Defaulted public var action: String = ""
    @Defaulted public var actor: EventActor = EventActor()
    @Defaulted public var scope: String = "local"
    @Defaulted public var time: Int64 = 0
    @Defaulted public var timeNano: Int64 = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case status, id, from, type = "Type", action = "Action", actor = "Actor", scope, time, timeNano
    }
}

/// What an event happened to.
public struct EventActor: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    @Defaulted public var attributes: [String: String] = [:]

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID", attributes = "Attributes"
    }
}

/// The body of every error.
public struct ErrorResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var message: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case message
    }
}
