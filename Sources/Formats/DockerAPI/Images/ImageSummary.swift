public import JSON

/// One line of `GET /images/json`.
public struct ImageSummary: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    @Defaulted public var parentID: String = ""
    @Defaulted public var repoTags: [String] = []
    @Defaulted public var repoDigests: [String] = []
    /// Seconds since 1970.
    @Defaulted public var created: Int64 = 0
    @Defaulted public var size: Int64 = 0
    /// -1 where it was not asked for.
    @Defaulted public var sharedSize: Int64 = -1
    /// The same as `size`, below API 1.44.
    public var virtualSize: Int64?
    @Nullable public var labels: [String: String]?
    @Defaulted public var containers: Int64 = -1
    public var descriptor: JSON?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id", parentID = "ParentId", repoTags = "RepoTags", repoDigests = "RepoDigests"
        case created = "Created", size = "Size", sharedSize = "SharedSize", virtualSize = "VirtualSize"
        case labels = "Labels", containers = "Containers", descriptor = "Descriptor"
    }
}
