public import JSON
public import Linux

/// How a container is tied to its host: the part of Docker's `HostConfig` that the engine acts on, beside the whole of
/// it as it came, which inspect echoes.
public struct HostSettings: Sendable, Hashable {
    /// The request's `HostConfig` word for word, with Docker's defaults filled in.
    public internal(set) var json: JSONObject

    // Storage
    public let binds: [String]
    public let mounts: [MountRequest]
    /// Destination to options, `/run` → `rw,size=64m`.
    public let tmpfs: [String: String]
    public let volumesFrom: [String]
    public let readonlyRootfs: Bool
    /// Bytes of `/dev/shm`.
    public let shmSize: Int64

    // Network
    /// `bridge`, `host`, `none`, `container:<ref>` or a network's name; never empty or `default`.
    public let networkMode: String
    /// `80/tcp` → where on the host; an empty list asks for a random port.
    public let portBindings: [String: [PortBinding]]
    public let publishAllPorts: Bool
    public let dns: [String]
    public let dnsOptions: [String]
    public let dnsSearch: [String]
    public let extraHosts: [String]
    public let links: [String]

    // Life
    public let restartPolicy: RestartPolicy
    public let autoRemove: Bool
    public let initProcess: Bool
    /// Rows and columns of the first terminal; nil when not given.
    public let consoleSize: TerminalSize?
    public let logDriver: String
    /// Whether the caller named the log driver: another one may be the daemon's default.
    let namesLogDriver: Bool
    public let logOptions: [String: String]
    public let runtime: String

    // Namespaces
    public let ipcMode: String
    public let pidMode: String
    public let utsMode: String
    public let usernsMode: String
    public let cgroupnsMode: String
    public let cgroupParent: String

    // Rights
    public let privileged: Bool
    public let capAdd: [String]
    public let capDrop: [String]
    public let groupAdd: [String]
    public let securityOptions: [String]
    public let sysctls: [String: String]
    public let devices: [DeviceMapping]
    public let deviceCgroupRules: [String]
    /// nil: Docker's default list; empty: nothing masked.
    public let maskedPaths: [String]?
    public let readonlyPaths: [String]?

    // Limits; nil is unlimited
    public let memory: Int64?
    public let memorySwap: Int64?
    public let memoryReservation: Int64?
    public let memorySwappiness: Int64?
    public let nanoCPUs: Int64?
    public let cpuShares: Int64?
    public let cpuPeriod: Int64?
    public let cpuQuota: Int64?
    public let cpusetCPUs: String
    public let cpusetMems: String
    public let pidsLimit: Int64?
    public let blkioWeight: Int64?
    public let oomKillDisable: Bool
    public let oomScoreAdj: Int
    public let ulimits: [Ulimit]
}
