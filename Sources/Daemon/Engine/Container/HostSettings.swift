public import Failures
public import JSON

/// How a container is tied to its host: the part of Docker's `HostConfig` that the engine acts on, beside the whole of
/// it as it came, which inspect echoes.
public struct HostSettings: Sendable, Hashable {
    /// The request's `HostConfig` word for word, with Docker's defaults filled in.
    public let json: JSONObject

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

/// Where a published port is to appear on the host.
public struct PortBinding: Sendable, Hashable {
    /// Empty for every address.
    public let hostIP: String
    /// Empty or `0` for any free port, `8080`, or a range `8000-8010`.
    public let hostPort: String
    public init(hostIP: String, hostPort: String) { (self.hostIP, self.hostPort) = (hostIP, hostPort) }
}

/// `--mount`, long form: Docker's `Mount`.
public struct MountRequest: Sendable, Hashable {
    public var type = "volume"
    public var source = ""
    public var target = ""
    public var readOnly = false
    public var propagation = ""
    public var nonRecursive = false
    public var createMountpoint = false
    public var noCopy = false
    public var labels: [String: String] = [:]
    public var driver = ""
    public var driverOptions: [String: String] = [:]
    public var subpath = ""
    public var tmpfsSize: Int64 = 0
    public var tmpfsMode: Int?
    public init() {}
}

/// A host device shown in a container.
public struct DeviceMapping: Sendable, Hashable {
    public let pathOnHost: String
    public let pathInContainer: String
    /// Some of `rwm`.
    public let permissions: String
}

/// One resource limit of the process; -1 is unlimited.
public struct Ulimit: Sendable, Hashable {
    public let name: String
    public let soft: Int64
    public let hard: Int64
}

/// A terminal's size in character cells.
public struct TerminalSize: Sendable, Hashable {
    public let rows: UInt16
    public let columns: UInt16
    public init(rows: UInt16, columns: UInt16) { (self.rows, self.columns) = (rows, columns) }
}

/// What a container asks of one network.
public struct EndpointSettings: Sendable, Hashable {
    /// The network's name or id as given.
    public var network: String
    public var aliases: [String] = []
    public var links: [String] = []
    public var ipv4Address: String?
    public var ipv6Address: String?
    public var macAddress: String?
    public var driverOptions: [String: String] = [:]
    public init(network: String) { self.network = network }

    /// Reads Docker's `EndpointSettings` for the network under whose name it stands.
    public init(network: String, json: JSON) throws(Failure) {
        self.network = network
        let fields = Fields(json)
        aliases = try fields.strings("Aliases")
        links = try fields.strings("Links")
        if let ipam = fields.present("IPAMConfig") {
            let ipam = Fields(ipam)
            let ipv4 = try ipam.text("IPv4Address")
            let ipv6 = try ipam.text("IPv6Address")
            ipv4Address = ipv4.isEmpty ? nil : ipv4
            ipv6Address = ipv6.isEmpty ? nil : ipv6
        }
        let mac = try fields.text("MacAddress")
        macAddress = mac.isEmpty ? nil : mac
        driverOptions = try fields.dictionary("DriverOpts")
    }

    /// Docker's shape again, for the record.
    public var json: JSON {
        var object = JSONObject()
        if ipv4Address != nil || ipv6Address != nil {
            var ipam = JSONObject()
            if let ipv4Address { ipam["IPv4Address"] = .string(ipv4Address) }
            if let ipv6Address { ipam["IPv6Address"] = .string(ipv6Address) }
            object["IPAMConfig"] = .object(ipam)
        } else {
            object["IPAMConfig"] = .null
        }
        object["Links"] = links.isEmpty ? .null : .strings(links)
        object["Aliases"] = aliases.isEmpty ? .null : .strings(aliases)
        object["MacAddress"] = .string(macAddress ?? "")
        object["DriverOpts"] = driverOptions.isEmpty ? .null : .dictionary(driverOptions)
        return .object(object)
    }
}
