/// A volume.
public struct Volume: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var createdAt: String = ""
    @Defaulted public var driver: String = ""
    @Nullable public var labels: [String: String]?
    @Defaulted public var mountpoint: String = ""
    @Defaulted public var name: String = ""
    @Nullable public var options: [String: String]?
    @Defaulted public var scope: String = ""
    /// Only where disk usage is asked for.
    public var usageData: VolumeUsage?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case createdAt = "CreatedAt", driver = "Driver", labels = "Labels", mountpoint = "Mountpoint"
        case name = "Name", options = "Options", scope = "Scope", usageData = "UsageData"
    }
}

/// What a volume holds and who has it.
public struct VolumeUsage: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var size: Int64 = -1
    @Defaulted public var refCount: Int64 = -1

    public init() {}

    enum CodingKeys: String, CodingKey {
        case size = "Size", refCount = "RefCount"
    }
}

/// What `GET /volumes` answers.
public struct VolumeListResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var volumes: [Volume] = []
    @Nullable public var warnings: [String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case volumes = "Volumes", warnings = "Warnings"
    }
}

/// What a new volume shall be: `POST /volumes/create`.
public struct VolumeCreateRequest: Codable, Sendable, Hashable, Defaultable {
    public var name: String?
    public var driver: String?
    public var driverOptions: [String: String]?
    public var labels: [String: String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", driver = "Driver", driverOptions = "DriverOpts", labels = "Labels"
    }
}

/// What `POST /volumes/prune` answers.
public struct VolumesPruneResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var volumesDeleted: [String] = []
    @Defaulted public var spaceReclaimed: Int64 = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case volumesDeleted = "VolumesDeleted", spaceReclaimed = "SpaceReclaimed"
    }
}
