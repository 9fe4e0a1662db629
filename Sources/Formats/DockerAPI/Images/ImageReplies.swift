public import JSON

/// One step of an image's making, newest first.
public struct ImageHistoryEntry: Codable, Sendable, Hashable, Defaultable {
    /// The image's id on the first line, `<missing>` below.
    @Defaulted public var id: String = ""
    @Defaulted public var created: Int64 = 0
    @Defaulted public var createdBy: String = ""
    @Nullable public var tags: [String]?
    @Defaulted public var size: Int64 = 0
    @Defaulted public var comment: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id", created = "Created", createdBy = "CreatedBy", tags = "Tags", size = "Size"
        case comment = "Comment"
    }
}

/// One thing a removal did.
public struct ImageDeleteItem: Codable, Sendable, Hashable, Defaultable {
    public var untagged: String?
    public var deleted: String?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case untagged = "Untagged", deleted = "Deleted"
    }
}

/// What `POST /images/prune` answers.
public struct ImagesPruneResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var imagesDeleted: [ImageDeleteItem] = []
    @Defaulted public var spaceReclaimed: Int64 = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case imagesDeleted = "ImagesDeleted", spaceReclaimed = "SpaceReclaimed"
    }
}

/// What `POST /commit` answers.
public struct CommitResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id"
    }
}

/// What a registry says about an image.
public struct DistributionInspect: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var descriptor: JSON = .null
    @Defaulted public var platforms: JSON = .null

    public init() {}

    enum CodingKeys: String, CodingKey {
        case descriptor = "Descriptor", platforms = "Platforms"
    }
}
