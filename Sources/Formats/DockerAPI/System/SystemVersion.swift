/// What `GET /version` answers.
public struct SystemVersion: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var platform: PlatformName = PlatformName()
    @Defaulted public var components: [ComponentVersion] = []
    @Defaulted public var version: String = ""
    @Defaulted public var apiVersion: String = ""
    @Defaulted public var minAPIVersion: String = ""
    @Defaulted public var gitCommit: String = ""
    @Defaulted public var goVersion: String = ""
    @Defaulted public var os: String = ""
    @Defaulted public var arch: String = ""
    @Defaulted public var kernelVersion: String = ""
    public var experimental: Bool?
    @Defaulted public var buildTime: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case platform = "Platform", components = "Components", version = "Version", apiVersion = "ApiVersion"
        case minAPIVersion = "MinAPIVersion", gitCommit = "GitCommit", goVersion = "GoVersion", os = "Os"
        case arch = "Arch", kernelVersion = "KernelVersion", experimental = "Experimental", buildTime = "BuildTime"
    }
}

/// The product's name.
public struct PlatformName: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var name: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name"
    }
}

/// One part of the engine.
public struct ComponentVersion: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var name: String = ""
    @Defaulted public var version: String = ""
    public var details: [String: String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", version = "Version", details = "Details"
    }
}
