public import JSON

/// Everything about a container: `GET /containers/{id}/json`.
public struct ContainerInspect: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    /// RFC 3339 with nanoseconds.
    @Defaulted public var created: String = ""
    @Defaulted public var path: String = ""
    @Defaulted public var args: [String] = []
    @Defaulted public var state: ContainerState = ContainerState()
    @Defaulted public var image: String = ""
    @Defaulted public var resolvConfPath: String = ""
    @Defaulted public var hostnamePath: String = ""
    @Defaulted public var hostsPath: String = ""
    @Defaulted public var logPath: String = ""
    /// With a leading slash.
    @Defaulted public var name: String = ""
    @Defaulted public var restartCount: Int = 0
    @Defaulted public var driver: String = ""
    @Defaulted public var platform: String = ""
    @Defaulted public var mountLabel: String = ""
    @Defaulted public var processLabel: String = ""
    @Defaulted public var appArmorProfile: String = ""
    /// A list, or null when there are none.
    @Defaulted public var execIDs: JSON = .null
    /// As the daemon keeps it, with its defaults filled in.
    @Defaulted public var hostConfig: JSON = .null
    public var graphDriver: GraphDriver?
    public var sizeRw: Int64?
    public var sizeRootFs: Int64?
    @Defaulted public var mounts: [MountPoint] = []
    /// What the image gave and the request overrode.
    @Defaulted public var config: JSON = .null
    @Defaulted public var networkSettings: NetworkSettings = NetworkSettings()
    public var imageManifestDescriptor: JSON?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "Id", created = "Created", path = "Path", args = "Args", state = "State", image = "Image"
        case resolvConfPath = "ResolvConfPath", hostnamePath = "HostnamePath", hostsPath = "HostsPath"
        case logPath = "LogPath", name = "Name", restartCount = "RestartCount", driver = "Driver"
        case platform = "Platform", mountLabel = "MountLabel", processLabel = "ProcessLabel"
        case appArmorProfile = "AppArmorProfile", execIDs = "ExecIDs", hostConfig = "HostConfig"
        case graphDriver = "GraphDriver", sizeRw = "SizeRw", sizeRootFs = "SizeRootFs", mounts = "Mounts"
        case config = "Config", networkSettings = "NetworkSettings"
        case imageManifestDescriptor = "ImageManifestDescriptor"
    }
}

/// Where the layers are, for clients that ask.
public struct GraphDriver: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var data: JSON = .null
    @Defaulted public var name: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case data = "Data", name = "Name"
    }
}

/// What a container is doing and how its last run ended.
public struct ContainerState: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var status: String = ""
    @Defaulted public var running: Bool = false
    @Defaulted public var paused: Bool = false
    @Defaulted public var restarting: Bool = false
    @Defaulted public var oomKilled: Bool = false
    @Defaulted public var dead: Bool = false
    @Defaulted public var pid: Int = 0
    @Defaulted public var exitCode: Int = 0
    @Defaulted public var error: String = ""
    @Defaulted public var startedAt: String = ""
    @Defaulted public var finishedAt: String = ""
    public var health: Health?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status", running = "Running", paused = "Paused", restarting = "Restarting"
        case oomKilled = "OOMKilled", dead = "Dead", pid = "Pid", exitCode = "ExitCode", error = "Error"
        case startedAt = "StartedAt", finishedAt = "FinishedAt", health = "Health"
    }
}

/// What the probes have shown.
public struct Health: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var status: String = ""
    @Defaulted public var failingStreak: Int = 0
    @Defaulted public var log: [HealthProbe] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status", failingStreak = "FailingStreak", log = "Log"
    }
}

/// One probe.
public struct HealthProbe: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var start: String = ""
    @Defaulted public var end: String = ""
    @Defaulted public var exitCode: Int = 0
    @Defaulted public var output: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case start = "Start", end = "End", exitCode = "ExitCode", output = "Output"
    }
}
