public import JSON

/// One line of a pull, push, load, import or build.
public struct ProgressMessage: Codable, Sendable, Hashable, Defaultable {
    /// Text, with its own newlines.
    public var stream: String?
    public var status: String?
    public var progressDetail: ProgressDetail?
    /// A bar, ready to print, for old clients.
    public var progress: String?
    public var id: String?
    public var errorDetail: ProgressError?
    public var error: String?
    public var aux: JSON?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case stream, status, progressDetail, progress, id, errorDetail, error, aux
    }
}

/// Bytes done and bytes in all; neither when nothing is being counted.
public struct ProgressDetail: Codable, Sendable, Hashable, Defaultable {
    public var current: Int64?
    public var total: Int64?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case current, total
    }
}

/// Why it failed; a build step's exit code is beside the text.
public struct ProgressError: Codable, Sendable, Hashable, Defaultable {
    public var code: Int?
    @Defaulted public var message: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case code, message
    }
}

/// What `POST /build/prune` answers.
public struct BuildPruneResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var cachesDeleted: [String] = []
    @Defaulted public var spaceReclaimed: Int64 = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case cachesDeleted = "CachesDeleted", spaceReclaimed = "SpaceReclaimed"
    }
}
