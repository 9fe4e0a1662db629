public import JSON

/// Everything about an image: `GET /images/{name}/json`.
public struct ImageInspect: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    public var descriptor: JSON?
    @Defaulted public var repoTags: [String] = []
    @Defaulted public var repoDigests: [String] = []
    @Defaulted public var parent: String = ""
    @Defaulted public var comment: String = ""
    /// RFC 3339.
    public var created: String?
    @Defaulted public var dockerVersion: String = ""
    @Defaulted public var author: String = ""
    @Defaulted public var config: JSON = .null
    @Defaulted public var architecture: String = ""
    public var variant: String?
    @Defaulted public var os: String = ""
    public var osVersion: String?
    @Defaulted public var size: Int64 = 0
    public var virtualSize: Int64?
    public var graphDriver: GraphDriver?
    @Defaulted public var rootFS: ImageRootFS = ImageRootFS()
    @Defaulted public var metadata: ImageMetadata = ImageMetadata()

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id", descriptor = "Descriptor", repoTags = "RepoTags", repoDigests = "RepoDigests"
        case parent = "Parent", comment = "Comment", created = "Created", dockerVersion = "DockerVersion"
        case author = "Author", config = "Config", architecture = "Architecture", variant = "Variant", os = "Os"
        case osVersion = "OsVersion", size = "Size", virtualSize = "VirtualSize", graphDriver = "GraphDriver"
        case rootFS = "RootFS", metadata = "Metadata"
    }
}

/// The layers, by the digests of their uncompressed tars.
public struct ImageRootFS: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var type: String = "layers"
    @Defaulted public var layers: [String] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case type = "Type", layers = "Layers"
    }
}

/// What the daemon knows of an image beside its content.
public struct ImageMetadata: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var lastTagTime: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case lastTagTime = "LastTagTime"
    }
}
