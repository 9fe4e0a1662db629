public import Linux

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
public typealias TerminalSize = WindowSize
