public import JSON
public import Linux

/// What a container's process may see and do, in Docker's terms; `SandboxSpec` makes the OCI document of it.
///
/// The defaults are Docker's: what is not set is as restricted as `docker run` without flags.
public struct SandboxSettings: Sendable, Hashable {
    // MARK: The process

    /// The program and its arguments; the program is looked up in the `PATH` of `environment`.
    public var arguments: [String]
    /// The whole environment, `NAME=value` each.
    public var environment: [String] = []
    public var workingDirectory = "/"
    /// Docker's `user[:group]`, names looked up in the container's own files; empty is root.
    public var user = ""
    /// Further groups, numbers or names (`--group-add`).
    public var additionalGroups: [String] = []
    public var terminal = false
    public var consoleSize: WindowSize?
    public var rlimits: [ResourceLimit] = []
    /// -1000…1000; Docker's default is 0.
    public var oomScoreAdjustment = 0
    public var noNewPrivileges = false
    /// A profile that is loaded on the host; nil for none (`--security-opt apparmor=`).
    public var apparmorProfile: String?

    // MARK: What it sees

    public var hostname = ""
    public var domainname = ""
    public var readonlyRootfs = false
    /// Volumes, binds, tmpfs and name files, in any order: they are made parents first, over the default mounts.
    public var mounts: [SandboxMount] = []
    /// The size of `/dev/shm` in bytes.
    public var sharedMemorySize: Int64 = 64 << 20
    public var namespaces = SandboxNamespaces()
    /// Devices of the host to be there as well (`--device`).
    public var devices: [DeviceMapping] = []
    /// `c 10:200 rwm` and the like (`--device-cgroup-rule`).
    public var deviceRules: [DeviceRule] = []
    /// Namespaced kernel settings, by dotted name.
    public var sysctls: [String: String] = [:]
    /// nil: Docker's list; empty: none.
    public var maskedPaths: [String]?
    /// nil: Docker's list; empty: none.
    public var readonlyPaths: [String]?

    // MARK: What it may do

    /// With or without `CAP_`, any case, or `ALL`.
    public var capabilitiesToAdd: [String] = []
    public var capabilitiesToDrop: [String] = []
    /// Every capability and device, no masks, no filter.
    public var privileged = false
    /// Which system calls are filtered; a privileged container's are not.
    public var seccomp = SeccompChoice.standard
    public var limits = ResourceLimits()
    public var cgroup: SandboxCgroup

    public init(arguments: [String], cgroup: SandboxCgroup) {
        self.arguments = arguments
        self.cgroup = cgroup
    }
}

/// Which system call filter a process gets.
public enum SeccompChoice: Sendable, Hashable {
    /// Docker's default profile, as the process's capabilities open it.
    case standard
    /// None at all.
    case unconfined
    /// A profile in Docker's JSON form.
    case custom(JSON)
}

/// Whose namespaces a container is in.
public struct SandboxNamespaces: Sendable, Hashable {
    public enum Source: Sendable, Hashable {
        /// A new one.
        case own
        /// The host's.
        case host
        /// The one at this path, such as `/proc/<pid>/ns/pid` of another container.
        case path(String)
    }

    public var pid = Source.own
    public var ipc = Source.own
    public var uts = Source.own
    public var network = Source.own
    public var cgroup = Source.own

    public init() {}
}

/// Something mounted into the container beside the defaults.
public struct SandboxMount: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// A file or directory of the host.
        case bind(source: String)
        /// A new memory file system; `options` are Docker's `--tmpfs` words (`size=64m`, `mode=1777`, `exec`).
        case tmpfs
        /// Any other type of the kernel's, with its source.
        case other(type: String, source: String)
    }

    public var kind: Kind
    /// An absolute path in the container.
    public var target: String
    public var readOnly: Bool
    /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`; for binds.
    public var propagation: String
    /// Whether what is mounted below the source comes along.
    public var recursive: Bool
    /// Further mount options.
    public var options: [String]

    public init(
        _ kind: Kind, target: String, readOnly: Bool = false, propagation: String = "rprivate", recursive: Bool = true,
        options: [String] = []
    ) {
        self.kind = kind
        self.target = target
        self.readOnly = readOnly
        self.propagation = propagation
        self.recursive = recursive
        self.options = options
    }
}

/// A device of the host, or a directory of them, under the container's `/dev`.
public struct DeviceMapping: Sendable, Hashable {
    public var hostPath: String
    public var containerPath: String
    /// Of `r`, `w`, `m`.
    public var permissions: String

    public init(hostPath: String, containerPath: String, permissions: String = "rwm") {
        self.hostPath = hostPath
        self.containerPath = containerPath
        self.permissions = permissions
    }
}

/// A rule of the device cgroup; nil numbers are `*`.
public struct DeviceRule: Sendable, Hashable {
    public var allow: Bool
    /// `a`, `b` or `c`.
    public var type: String
    public var major: Int64?
    public var minor: Int64?
    public var access: String

    public init(allow: Bool = true, type: String, major: Int64?, minor: Int64?, access: String) {
        self.allow = allow
        self.type = type
        self.major = major
        self.minor = minor
        self.access = access
    }
}

/// One limit of `setrlimit(2)`.
public struct ResourceLimit: Sendable, Hashable {
    /// `nofile`, `nproc` and so on, as `--ulimit` names them.
    public var name: String
    public var soft: UInt64
    public var hard: UInt64

    public init(_ name: String, soft: UInt64, hard: UInt64) {
        self.name = name
        self.soft = soft
        self.hard = hard
    }
}

/// What the container's cgroup may use; nil sets no limit.
public struct ResourceLimits: Sendable, Hashable {
    /// Bytes.
    public var memory: Int64?
    /// Memory and swap together, bytes, -1 without limit.
    public var memoryAndSwap: Int64?
    public var memoryReservation: Int64?
    public var swappiness: Int64?
    public var disableOOMKiller = false
    public var cpuShares: Int64?
    /// Microseconds of CPU per period.
    public var cpuQuota: Int64?
    /// Microseconds.
    public var cpuPeriod: Int64?
    public var cpusetCPUs = ""
    public var cpusetMemory = ""
    /// nil or 0 or negative: no limit.
    public var pids: Int64?
    /// 10…1000.
    public var blockIOWeight: UInt16?

    public init() {}
}
