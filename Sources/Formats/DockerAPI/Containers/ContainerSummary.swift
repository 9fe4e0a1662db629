public import JSON

/// One line of `GET /containers/json`.
public struct ContainerSummary: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    /// With a leading slash.
    @Defaulted public var names: [String] = []
    /// The name asked for, or the id when that name has moved on.
    @Defaulted public var image: String = ""
    @Defaulted public var imageID: String = ""
    @Defaulted public var command: String = ""
    /// Seconds since 1970.
    @Defaulted public var created: Int64 = 0
    @Defaulted public var ports: [PortSummary] = []
    public var sizeRw: Int64?
    public var sizeRootFs: Int64?
    @Defaulted public var labels: [String: String] = [:]
    @Defaulted public var state: String = ""
    /// In words: `Up 5 minutes (healthy)`.
    @Defaulted public var status: String = ""
    @Defaulted public var hostConfig: HostConfigSummary = HostConfigSummary()
    @Defaulted public var networkSettings: NetworkSettingsSummary = NetworkSettingsSummary()
    @Defaulted public var mounts: [MountPoint] = []
    public var imageManifestDescriptor: JSON?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id", names = "Names", image = "Image", imageID = "ImageID", command = "Command"
        case created = "Created", ports = "Ports", sizeRw = "SizeRw", sizeRootFs = "SizeRootFs", labels = "Labels"
        case state = "State", status = "Status", hostConfig = "HostConfig", networkSettings = "NetworkSettings"
        case mounts = "Mounts", imageManifestDescriptor = "ImageManifestDescriptor"
    }
}

/// A port of a container in a list.
public struct PortSummary: Codable, Sendable, Hashable, Defaultable {
    public var ip: String?
    @Defaulted public var privatePort: UInt16 = 0
    public var publicPort: UInt16?
    @Defaulted public var type: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case ip = "IP", privatePort = "PrivatePort", publicPort = "PublicPort", type = "Type"
    }
}

/// What a list tells of a container's `HostConfig`.
public struct HostConfigSummary: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var networkMode: String = ""
    public var annotations: [String: String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case networkMode = "NetworkMode", annotations = "Annotations"
    }
}

/// What a list tells of a container's networks.
public struct NetworkSettingsSummary: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var networks: [String: EndpointSettings] = [:]

    public init() {}

    enum CodingKeys: String, CodingKey {
        case networks = "Networks"
    }
}

/// Where something is mounted in a container, and what.
public struct MountPoint: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var type: String = ""
    public var name: String?
    @Defaulted public var source: String = ""
    @Defaulted public var destination: String = ""
    public var driver: String?
    @Defaulted public var mode: String = ""
    @Defaulted public var rw: Bool = false
    @Defaulted public var propagation: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case type = "Type", name = "Name", source = "Source", destination = "Destination", driver = "Driver"
        case mode = "Mode", rw = "RW", propagation = "Propagation"
    }
}
