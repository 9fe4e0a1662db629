/// Docker's `Config`: what the process is to be.
///
/// Members that are nil are left to the image.
public struct ContainerConfig: Codable, Sendable, Hashable, Defaultable {
    public var hostname: String?
    public var domainname: String?
    public var user: String?
    public var attachStdin: Bool?
    public var attachStdout: Bool?
    public var attachStderr: Bool?
    /// `80/tcp` and the like.
    public var exposedPorts: [String: EmptyObject]?
    public var tty: Bool?
    public var openStdin: Bool?
    public var stdinOnce: Bool?
    /// `NAME=value`; a name alone removes the image's.
    public var env: [String]?
    public var cmd: [String]?
    public var healthcheck: HealthConfig?
    public var image: String?
    public var volumes: [String: EmptyObject]?
    public var workingDir: String?
    /// Empty or `[""]` resets the image's.
    public var entrypoint: [String]?
    public var networkDisabled: Bool?
    public var macAddress: String?
    public var onBuild: [String]?
    public var labels: [String: String]?
    public var stopSignal: String?
    /// Seconds.
    public var stopTimeout: Int?
    public var shell: [String]?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case hostname = "Hostname", domainname = "Domainname", user = "User", attachStdin = "AttachStdin"
        case attachStdout = "AttachStdout", attachStderr = "AttachStderr", exposedPorts = "ExposedPorts"
        case tty = "Tty", openStdin = "OpenStdin", stdinOnce = "StdinOnce", env = "Env", cmd = "Cmd"
        case healthcheck = "Healthcheck", image = "Image", volumes = "Volumes", workingDir = "WorkingDir"
        case entrypoint = "Entrypoint", networkDisabled = "NetworkDisabled", macAddress = "MacAddress"
        case onBuild = "OnBuild", labels = "Labels", stopSignal = "StopSignal", stopTimeout = "StopTimeout"
        case shell = "Shell"
    }
}

/// How to ask a container whether it is well; durations in nanoseconds, 0 or nil for the default.
public struct HealthConfig: Codable, Sendable, Hashable, Defaultable {
    /// `["NONE"]`, `["CMD", argument…]`, `["CMD-SHELL", line]`.
    public var test: [String]?
    public var interval: Int64?
    public var timeout: Int64?
    public var startPeriod: Int64?
    public var startInterval: Int64?
    public var retries: Int?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case test = "Test", interval = "Interval", timeout = "Timeout", startPeriod = "StartPeriod"
        case startInterval = "StartInterval", retries = "Retries"
    }
}
