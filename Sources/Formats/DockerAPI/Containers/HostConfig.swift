/// What a container takes from its host: Docker's `HostConfig`.
///
/// Members that are nil are not sent; the daemon fills in its defaults.
public struct HostConfig: Codable, Sendable, Hashable, Defaultable {
    /// `source:destination[:options]`.
    public var binds: [String]?
    public var containerIDFile: String?
    public var logConfig: LogConfig?
    /// `bridge`, `host`, `none`, `container:<id>` or a network's name.
    public var networkMode: String?
    /// By `80/tcp`; an empty list is a port of the daemon's choice.
    public var portBindings: [String: [PortBinding]]?
    public var restartPolicy: RestartPolicy?
    public var autoRemove: Bool?
    public var volumeDriver: String?
    public var volumesFrom: [String]?
    public var mounts: [Mount]?
    /// Height and width.
    public var consoleSize: [Int]?
    public var annotations: [String: String]?
    public var capAdd: [String]?
    public var capDrop: [String]?
    public var cgroupnsMode: String?
    public var dns: [String]?
    public var dnsOptions: [String]?
    public var dnsSearch: [String]?
    /// `name:address`.
    public var extraHosts: [String]?
    public var groupAdd: [String]?
    public var ipcMode: String?
    public var cgroup: String?
    public var links: [String]?
    public var oomScoreAdj: Int?
    public var pidMode: String?
    public var privileged: Bool?
    public var publishAllPorts: Bool?
    public var readonlyRootfs: Bool?
    public var securityOpt: [String]?
    public var storageOpt: [String: String]?
    /// Options by destination.
    public var tmpfs: [String: String]?
    public var utsMode: String?
    public var usernsMode: String?
    public var shmSize: Int64?
    public var sysctls: [String: String]?
    public var runtime: String?
    public var isolation: String?
    public var cpuShares: Int64?
    /// Bytes.
    public var memory: Int64?
    /// Billionths of a processor.
    public var nanoCPUs: Int64?
    public var cgroupParent: String?
    public var blkioWeight: Int?
    /// Microseconds.
    public var cpuPeriod: Int64?
    /// Microseconds.
    public var cpuQuota: Int64?
    public var cpuRealtimePeriod: Int64?
    public var cpuRealtimeRuntime: Int64?
    public var cpusetCpus: String?
    public var cpusetMems: String?
    public var devices: [DeviceMapping]?
    public var deviceCgroupRules: [String]?
    public var memoryReservation: Int64?
    /// Memory and swap together; -1 for any amount of swap.
    public var memorySwap: Int64?
    public var memorySwappiness: Int?
    public var oomKillDisable: Bool?
    public var `init`: Bool?
    public var pidsLimit: Int64?
    public var ulimits: [Ulimit]?
    public var maskedPaths: [String]?
    public var readonlyPaths: [String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case binds = "Binds", containerIDFile = "ContainerIDFile", logConfig = "LogConfig"
        case networkMode = "NetworkMode", portBindings = "PortBindings", restartPolicy = "RestartPolicy"
        case autoRemove = "AutoRemove", volumeDriver = "VolumeDriver", volumesFrom = "VolumesFrom"
        case mounts = "Mounts", consoleSize = "ConsoleSize", annotations = "Annotations", capAdd = "CapAdd"
        case capDrop = "CapDrop", cgroupnsMode = "CgroupnsMode", dns = "Dns", dnsOptions = "DnsOptions"
        case dnsSearch = "DnsSearch", extraHosts = "ExtraHosts", groupAdd = "GroupAdd", ipcMode = "IpcMode"
        case cgroup = "Cgroup", links = "Links", oomScoreAdj = "OomScoreAdj", pidMode = "PidMode"
        case privileged = "Privileged", publishAllPorts = "PublishAllPorts", readonlyRootfs = "ReadonlyRootfs"
        case securityOpt = "SecurityOpt", storageOpt = "StorageOpt", tmpfs = "Tmpfs", utsMode = "UTSMode"
        case usernsMode = "UsernsMode", shmSize = "ShmSize", sysctls = "Sysctls", runtime = "Runtime"
        case isolation = "Isolation", cpuShares = "CpuShares", memory = "Memory", nanoCPUs = "NanoCpus"
        case cgroupParent = "CgroupParent", blkioWeight = "BlkioWeight", cpuPeriod = "CpuPeriod"
        case cpuQuota = "CpuQuota", cpuRealtimePeriod = "CpuRealtimePeriod"
        case cpuRealtimeRuntime = "CpuRealtimeRuntime", cpusetCpus = "CpusetCpus", cpusetMems = "CpusetMems"
        case devices = "Devices", deviceCgroupRules = "DeviceCgroupRules", memoryReservation = "MemoryReservation"
        case memorySwap = "MemorySwap", memorySwappiness = "MemorySwappiness", oomKillDisable = "OomKillDisable"
        case `init` = "Init", pidsLimit = "PidsLimit", ulimits = "Ulimits", maskedPaths = "MaskedPaths"
        case readonlyPaths = "ReadonlyPaths"
    }
}
