/// What somebody asks to be built: every option of `POST /build`, decoded, and no context yet.
public struct BuildRequest: Sendable {
    /// Names for the image, `a:b`, in the order given; `latest` is added where no tag is.
    public var tags: [String] = []
    /// Where in the context the Dockerfile lies.
    public var dockerfile: String = "Dockerfile"
    /// The Dockerfile itself when it comes beside the context and not in it.
    public var dockerfileText: [UInt8]?
    /// Every step is run, whatever the cache knows.
    public var noCache: Bool = false
    /// Base images are fetched again even where one of that name is here.
    public var pull: Bool = false
    /// Build arguments; `nil` stands for one that was named without a value.
    public var buildArguments: [String: String?] = [:]
    /// Labels put on the image after those of the Dockerfile.
    public var labels: [String: String] = [:]
    /// The stage to build; empty or `nil` for the last.
    public var target: String?
    /// `os/arch[/variant]` of the image; empty or `nil` for the host's.
    public var platform: String?
    /// `default`, `bridge`, `host`, `none`, or the name of a network, for the steps that run.
    public var networkMode: String?
    /// `name:address` lines for `/etc/hosts` of the steps that run.
    public var extraHosts: [String] = []
    /// What the steps that run may use.
    public var limits: BuildLimits = BuildLimits()
    /// Only the image's id is wanted: no events but warnings and failures.
    public var quiet: Bool = false
    /// Images whose layers may serve as a cache; accepted, since the cache here is keyed by content and needs no hint.
    public var cacheFrom: [String] = []
    /// All new layers as one; refused, with the reason.
    public var squash: Bool = false
    /// Logins for registries by server, as `X-Registry-Config` carries them.
    public var logins: [String: RegistryLogin] = [:]

    public init() {}
}

/// A user's proof for one registry, used for that registry alone.
public struct RegistryLogin: Sendable, Hashable {
    public var username: String
    public var password: String
    public var identityToken: String?

    public init(username: String, password: String, identityToken: String? = nil) {
        self.username = username
        self.password = password
        self.identityToken = identityToken
    }
}

/// The resources of the steps that run, in the units of the API: bytes, microseconds, relative weights; `nil` is no limit.
public struct BuildLimits: Sendable, Hashable {
    public var memory: Int64?
    /// Memory and swap together; -1 for any amount of swap.
    public var memorySwap: Int64?
    public var cpuShares: Int64?
    public var cpuPeriod: Int64?
    public var cpuQuota: Int64?
    /// As in cpusets: `0-3,5`.
    public var cpuSet: String?
    public var cpuSetMemory: String?
    /// Bytes of `/dev/shm`.
    public var sharedMemory: Int64?
    public var ulimits: [Ulimit] = []
    public var cgroupParent: String?

    public init() {}

    /// One resource limit of a process, named as by `ulimit`: `nofile`, `nproc`.
    public struct Ulimit: Sendable, Hashable {
        public var name: String
        public var soft: Int64
        public var hard: Int64

        public init(name: String, soft: Int64, hard: Int64) {
            self.name = name
            self.soft = soft
            self.hard = hard
        }
    }
}
