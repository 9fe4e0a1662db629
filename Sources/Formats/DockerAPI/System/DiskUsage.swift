/// What `GET /system/df` answers, below API 1.52.
public struct DiskUsage: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var layersSize: Int64 = 0
    @Defaulted public var images: [ImageSummary] = []
    @Defaulted public var containers: [ContainerSummary] = []
    @Defaulted public var volumes: [Volume] = []
    @Defaulted public var buildCache: [BuildCacheRecord] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case layersSize = "LayersSize", images = "Images", containers = "Containers", volumes = "Volumes"
        case buildCache = "BuildCache"
    }
}

/// One result the builder keeps.
public struct BuildCacheRecord: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    public var parents: [String]?
    @Defaulted public var type: String = ""
    @Defaulted public var description: String = ""
    @Defaulted public var inUse: Bool = false
    @Defaulted public var shared: Bool = false
    @Defaulted public var size: Int64 = 0
    @Defaulted public var createdAt: String = ""
    public var lastUsedAt: String?
    @Defaulted public var usageCount: Int = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID", parents = "Parents", type = "Type", description = "Description", inUse = "InUse"
        case shared = "Shared", size = "Size", createdAt = "CreatedAt", lastUsedAt = "LastUsedAt"
        case usageCount = "UsageCount"
    }
}
