public import JSON

/// What `GET /info` answers.
public struct SystemInfo: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""
    @Defaulted public var containers: Int = 0
    @Defaulted public var containersRunning: Int = 0
    @Defaulted public var containersPaused: Int = 0
    @Defaulted public var containersStopped: Int = 0
    @Defaulted public var images: Int = 0
    @Defaulted public var driver: String = ""
    @Defaulted public var driverStatus: [[String]] = []
    @Defaulted public var plugins: PluginsInfo = PluginsInfo()
    @Defaulted public var memoryLimit: Bool = false
    @Defaulted public var swapLimit: Bool = false
    @Defaulted public var cpuCfsPeriod: Bool = false
    @Defaulted public var cpuCfsQuota: Bool = false
    @Defaulted public var cpuShares: Bool = false
    @Defaulted public var cpuSet: Bool = false
    @Defaulted public var pidsLimit: Bool = false
    @Defaulted public var ipv4Forwarding: Bool = false
    @Defaulted public var debug: Bool = false
    @Defaulted public var openFiles: Int = 0
    @Defaulted public var oomKillDisable: Bool = false
    @Defaulted public var goroutines: Int = 0
    @Defaulted public var systemTime: String = ""
    @Defaulted public var loggingDriver: String = ""
    @Defaulted public var cgroupDriver: String = ""
    @Defaulted public var cgroupVersion: String = ""
    @Defaulted public var eventsListeners: Int = 0
    @Defaulted public var kernelVersion: String = ""
    @Defaulted public var operatingSystem: String = ""
    @Defaulted public var osVersion: String = ""
    @Defaulted public var osType: String = ""
    /// `x86_64` here, `amd64` in version.
    @Defaulted public var architecture: String = ""
    @Defaulted public var indexServerAddress: String = ""
    @Defaulted public var registryConfig: RegistryServiceConfig = RegistryServiceConfig()
    @Defaulted public var cpus: Int = 0
    @Defaulted public var memTotal: Int64 = 0
    @Defaulted public var genericResources: JSON = .null
    @Defaulted public var dockerRootDir: String = ""
    @Defaulted public var httpProxy: String = ""
    @Defaulted public var httpsProxy: String = ""
    @Defaulted public var noProxy: String = ""
    @Defaulted public var name: String = ""
    @Defaulted public var labels: [String] = []
    @Defaulted public var experimentalBuild: Bool = false
    @Defaulted public var serverVersion: String = ""
    @Defaulted public var runtimes: [String: RuntimeInfo] = [:]
    @Defaulted public var defaultRuntime: String = ""
    @Defaulted public var swarm: SwarmInfo = SwarmInfo()
    @Defaulted public var liveRestoreEnabled: Bool = false
    @Defaulted public var isolation: String = ""
    @Defaulted public var initBinary: String = ""
    @Defaulted public var containerdCommit: CommitInfo = CommitInfo()
    @Defaulted public var runcCommit: CommitInfo = CommitInfo()
    @Defaulted public var initCommit: CommitInfo = CommitInfo()
    @Defaulted public var securityOptions: [String] = []
    public var firewallBackend: FirewallInfo?
    @Defaulted public var cdiSpecDirs: [String] = []
    @Defaulted public var warnings: JSON = .null

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID", containers = "Containers", containersRunning = "ContainersRunning"
        case containersPaused = "ContainersPaused", containersStopped = "ContainersStopped", images = "Images"
        case driver = "Driver", driverStatus = "DriverStatus", plugins = "Plugins", memoryLimit = "MemoryLimit"
        case swapLimit = "SwapLimit", cpuCfsPeriod = "CpuCfsPeriod", cpuCfsQuota = "CpuCfsQuota"
        case cpuShares = "CPUShares", cpuSet = "CPUSet", pidsLimit = "PidsLimit", ipv4Forwarding = "IPv4Forwarding"
        case debug = "Debug", openFiles = "NFd", oomKillDisable = "OomKillDisable", goroutines = "NGoroutines"
        case systemTime = "SystemTime", loggingDriver = "LoggingDriver", cgroupDriver = "CgroupDriver"
        case cgroupVersion = "CgroupVersion", eventsListeners = "NEventsListener", kernelVersion = "KernelVersion"
        case operatingSystem = "OperatingSystem", osVersion = "OSVersion", osType = "OSType"
        case architecture = "Architecture", indexServerAddress = "IndexServerAddress"
        case registryConfig = "RegistryConfig", cpus = "NCPU", memTotal = "MemTotal"
        case genericResources = "GenericResources", dockerRootDir = "DockerRootDir", httpProxy = "HttpProxy"
        case httpsProxy = "HttpsProxy", noProxy = "NoProxy", name = "Name", labels = "Labels"
        case experimentalBuild = "ExperimentalBuild", serverVersion = "ServerVersion", runtimes = "Runtimes"
        case defaultRuntime = "DefaultRuntime", swarm = "Swarm", liveRestoreEnabled = "LiveRestoreEnabled"
        case isolation = "Isolation", initBinary = "InitBinary", containerdCommit = "ContainerdCommit"
        case runcCommit = "RuncCommit", initCommit = "InitCommit", securityOptions = "SecurityOptions"
        case firewallBackend = "FirewallBackend", cdiSpecDirs = "CDISpecDirs", warnings = "Warnings"
    }
}

/// The drivers that are built in.
public struct PluginsInfo: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var volume: [String] = []
    @Defaulted public var network: [String] = []
    @Defaulted public var authorization: JSON = .null
    @Defaulted public var log: [String] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case volume = "Volume", network = "Network", authorization = "Authorization", log = "Log"
    }
}

/// One OCI runtime.
public struct RuntimeInfo: Codable, Sendable, Hashable, Defaultable {
    public var path: String?
    public var runtimeArgs: [String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case path, runtimeArgs
    }
}

/// What rules are made of.
public struct FirewallInfo: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var driver: String = ""
    public var info: [[String]]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case driver = "Driver", info = "Info"
    }
}

/// The build of a component.
public struct CommitInfo: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var id: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case id = "ID"
    }
}

/// The swarm this daemon is in: none.
public struct SwarmInfo: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var nodeID: String = ""
    @Defaulted public var nodeAddr: String = ""
    @Defaulted public var localNodeState: String = "inactive"
    @Defaulted public var controlAvailable: Bool = false
    @Defaulted public var error: String = ""
    @Defaulted public var remoteManagers: JSON = .null

    public init() {}

    enum CodingKeys: String, CodingKey {
        case nodeID = "NodeID", nodeAddr = "NodeAddr", localNodeState = "LocalNodeState"
        case controlAvailable = "ControlAvailable", error = "Error", remoteManagers = "RemoteManagers"
    }
}

/// How registries are spoken to.
public struct RegistryServiceConfig: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var insecureRegistryCIDRs: [String] = []
    @Defaulted public var indexConfigs: [String: IndexInfo] = [:]
    @Defaulted public var mirrors: [String] = []

    public init() {}

    enum CodingKeys: String, CodingKey {
        case insecureRegistryCIDRs = "InsecureRegistryCIDRs", indexConfigs = "IndexConfigs", mirrors = "Mirrors"
    }
}

/// One registry's configuration.
public struct IndexInfo: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var name: String = ""
    @Defaulted public var mirrors: [String] = []
    @Defaulted public var secure: Bool = false
    @Defaulted public var official: Bool = false

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", mirrors = "Mirrors", secure = "Secure", official = "Official"
    }
}
