public import OCI

/// What a daemon is and where it runs: read once at start by whoever puts it together, shown by `/info` and `/version`.
public struct DaemonFacts: Sendable {
    /// Skiff's own version.
    public var version = ""
    public var gitCommit = ""
    public var buildTime = ""
    /// Tells daemons apart over restarts.
    public var id = ""
    public var dataRoot = ""
    public var name = ""
    public var kernelVersion = ""
    public var operatingSystem = ""
    public var osVersion = ""
    /// As the kernel says it: `x86_64`.
    public var machine = ""
    public var processors = 0
    /// Bytes.
    public var memory: Int64 = 0
    /// 1 or 2.
    public var cgroupVersion = 2
    /// Docker's name of who makes containers' cgroups.
    public var cgroupDriver = "cgroupfs"
    public var swapLimit = false
    public var ipv4Forwarding = true
    public var hasSeccomp = true
    public var labels: [String] = []
    public var isDebug = false
    public var defaultRuntime = "skiff"
    /// The log driver of containers that name none.
    public var logDriver = "json-file"
    /// The runtimes' programs by name.
    public var runtimes: [String: RuntimeProgram] = [:]
    public var insecureRegistries: [String] = []
    public var registryMirrors: [String] = []
    public var httpProxy = ""
    public var httpsProxy = ""
    public var noProxy = ""
    public var warnings: [String] = []

    public init() {}

    /// As Go and the OCI specifications say it: `amd64`.
    var architecture: String {
        switch machine {
        case "x86_64": "amd64"
        case "aarch64": "arm64"
        case "i686", "i386": "386"
        case "armv7l", "armv6l": "arm"
        default: machine
        }
    }
}
