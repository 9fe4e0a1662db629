/// Where a container's output goes.
public struct LogConfig: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var type: String = ""
    @Defaulted public var config: [String: String] = [:]

    public init() {}

    enum CodingKeys: String, CodingKey {
        case type = "Type", config = "Config"
    }
}

/// A port of the host; an empty port is one of the daemon's choice.
public struct PortBinding: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var hostIP: String = ""
    @Defaulted public var hostPort: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case hostIP = "HostIp", hostPort = "HostPort"
    }
}

/// What happens when a container ends by itself.
public struct RestartPolicy: Codable, Sendable, Hashable, Defaultable {
    /// `no`, `always`, `unless-stopped`, `on-failure`.
    @Defaulted public var name: String = ""
    @Defaulted public var maximumRetryCount: Int = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", maximumRetryCount = "MaximumRetryCount"
    }
}

/// One mount, spelled out: `--mount`.
public struct Mount: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var target: String = ""
    public var source: String?
    /// `bind`, `volume`, `tmpfs`.
    @Defaulted public var type: String = ""
    public var readOnly: Bool?
    public var consistency: String?
    public var bindOptions: BindOptions?
    public var volumeOptions: VolumeOptions?
    public var tmpfsOptions: TmpfsOptions?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case target = "Target", source = "Source", type = "Type", readOnly = "ReadOnly"
        case consistency = "Consistency", bindOptions = "BindOptions", volumeOptions = "VolumeOptions"
        case tmpfsOptions = "TmpfsOptions"
    }
}

/// What is particular to a mount of a path of the host.
public struct BindOptions: Codable, Sendable, Hashable, Defaultable {
    public var propagation: String?
    public var nonRecursive: Bool?
    public var createMountpoint: Bool?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case propagation = "Propagation", nonRecursive = "NonRecursive", createMountpoint = "CreateMountpoint"
    }
}

/// What is particular to a mount of a volume.
public struct VolumeOptions: Codable, Sendable, Hashable, Defaultable {
    public var noCopy: Bool?
    public var labels: [String: String]?
    public var driverConfig: VolumeDriverConfig?
    public var subpath: String?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case noCopy = "NoCopy", labels = "Labels", driverConfig = "DriverConfig", subpath = "Subpath"
    }
}

/// A volume driver and its options.
public struct VolumeDriverConfig: Codable, Sendable, Hashable, Defaultable {
    public var name: String?
    public var options: [String: String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", options = "Options"
    }
}

/// What is particular to a file system in memory.
public struct TmpfsOptions: Codable, Sendable, Hashable, Defaultable {
    public var sizeBytes: Int64?
    public var mode: Int?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case sizeBytes = "SizeBytes", mode = "Mode"
    }
}

/// A device of the host inside the container.
public struct DeviceMapping: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var pathOnHost: String = ""
    @Defaulted public var pathInContainer: String = ""
    @Defaulted public var cgroupPermissions: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case pathOnHost = "PathOnHost", pathInContainer = "PathInContainer"
        case cgroupPermissions = "CgroupPermissions"
    }
}

/// A resource limit of the container's processes.
public struct Ulimit: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var name: String = ""
    @Defaulted public var soft: Int64 = 0
    @Defaulted public var hard: Int64 = 0

    public init() {}

    enum CodingKeys: String, CodingKey {
        case name = "Name", soft = "Soft", hard = "Hard"
    }
}
