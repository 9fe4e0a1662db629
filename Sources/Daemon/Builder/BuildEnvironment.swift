public import Execution
internal import Failures
public import Images
internal import Linux
public import Logging
public import NIOPosix
public import Networking
public import Storage

/// What a builder works with, handed in by whoever puts the daemon together.
public struct BuildEnvironment: Sendable {
    /// The directory `build` of the data root, private to the builder.
    ///
    /// ```
    /// steps/<id>/        one running step: name files, its script, copies for its bind mounts
    /// cache/<sha256>/    what RUN --mount=type=cache keeps
    /// ```
    public let root: String
    public let images: ImageStore
    public let puller: ImagePuller
    public let metadata: MetadataStore
    public let content: ContentStore
    public let snapshots: any Snapshotter
    public let networks: Networks
    public let launcher: ShimLauncher
    /// Where the steps have their cgroups.
    public let cgroups: CgroupPlacement
    /// Where an ADD of an address gets its bytes; `nil` refuses such an ADD.
    public let fetcher: (any RemoteFetcher)?
    /// How much is kept between builds; `nil` is everything until somebody prunes.
    public let cacheLimits: CacheLimits?
    /// Frees what nothing reaches any more, and says how many bytes that was.
    public let collect: @Sendable () async -> Int64
    public let pool: NIOThreadPool
    public let logger: Logger
    let cacheMounts: CacheMounts

    public init(
        root: String, images: ImageStore, puller: ImagePuller, metadata: MetadataStore, content: ContentStore,
        snapshots: any Snapshotter,
        networks: Networks, launcher: ShimLauncher, cgroups: CgroupPlacement, fetcher: (any RemoteFetcher)? = nil,
        cacheLimits: CacheLimits? = nil, collect: @escaping @Sendable () async -> Int64, pool: NIOThreadPool,
        logger: Logger
    ) {
        self.collect = collect
        self.cacheLimits = cacheLimits
        self.root = root
        self.images = images
        self.puller = puller
        self.metadata = metadata
        self.content = content
        self.snapshots = snapshots
        self.networks = networks
        self.launcher = launcher
        self.cgroups = cgroups
        self.fetcher = fetcher
        self.pool = pool
        self.logger = logger
        cacheMounts = CacheMounts(root: root + "/cache")
    }

    var steps: String { root + "/steps" }
}
