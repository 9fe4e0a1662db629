internal import APIServer
internal import Builder
internal import CLinux
internal import Engine
internal import Execution
internal import Failures
internal import HTTPServer
internal import Images
internal import Linux
internal import Logging
internal import NIOPosix
internal import Networking
internal import ServiceLifecycle
internal import Storage

/// The composition root: every service of the daemon, made by hand, in the order in which they need each other.
struct Daemon {
    let services: [any Service]
    let close: @Sendable () async -> Void

    static func assemble(
        _ settings: DaemonSettings, from source: ConfigurationSource, shim: String?, logger: Logger
    ) async throws -> Daemon {
        let environment = ProcessEnvironment.read()
        let directories = try StateDirectories(settings)
        let mark = RunMark(dataRoot: settings.dataRoot)
        let afterPowerCut = mark.isOfAnEarlierBoot
        if afterPowerCut { logger.warning("the machine went down under the last run: what was unfinished is dropped") }
        if let path = settings.pidfile { try StateDirectories.writePidfile(path) }

        // Where work is done: sockets on the loops, what blocks on the pools.
        let group = MultiThreadedEventLoopGroup.singleton
        let pool = NIOThreadPool(numberOfThreads: 8)
        let stages = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        stages.start()

        // What is kept.
        let metadata = try MetadataStore(path: settings.dataRoot + "/skiff.db")
        let content = try ContentStore(root: settings.dataRoot + "/content")
        let snapshots = try OverlaySnapshotter(root: settings.dataRoot + "/snapshots", metadata: metadata)
        let collector = GarbageCollector(metadata: metadata, content: content, snapshots: snapshots)
        let collect: @Sendable () async -> Int64 = {
            let collected = try? await pool.runIfActive { try collector.collect() }
            return collected?.bytes ?? 0
        }

        // Images.
        let index = ContainerIndex()
        let images = try await ImageStore.open(
            metadata: metadata, content: content, snapshots: snapshots, pool: pool, logger: logger, collect: collect,
            uses: { image in index.users(of: image).map { ImageUse(container: $0.container, running: $0.running) } })
        let layers = LayerStore(
            content: content, snapshots: snapshots, pool: pool, stages: stages,
            parallelDownloads: settings.maxDownloads,
            attempts: settings.maxAttempts)
        let registries = Registries(
            settings: RegistrySettings(insecure: settings.insecureRegistries, mirrors: settings.registryMirrors),
            group: group)

        // Networks.
        let networks = Networks(
            configuration: networking(settings), records: StoredNetworkRecords(metadata.networks), group: group,
            pool: pool, logger: logger)

        // Containers.
        let launcher = try ShimLauncher(
            shimPath: try ShimProgram.find(shim), execRoot: settings.execRoot, pool: pool, logger: logger)
        let events = EventBus()
        let engine = engineConfiguration(settings)
        let cgroups = CgroupParent(of: settings.cgroups, execRoot: settings.execRoot)
        try cgroups?.claim()
        let volumes = VolumeService(
            configuration: engine, rows: metadata.volumes, index: index, events: events, pool: pool, logger: logger)
        let containers = ContainerService(
            configuration: engine, index: index, rows: metadata.containers, snapshots: snapshots, images: images,
            networks: networks, launcher: launcher, volumes: volumes, events: events, pool: pool, group: group,
            logger: logger)
        let membership = NetworkService(networks: networks, containers: containers)
        let supervision = Supervision(containers: containers)
        try await supervision.start()

        let puller = ImagePuller(store: images, layers: layers, registries: registries)
        let builder = BuildService(
            BuildEnvironment(
                root: settings.dataRoot + "/build", images: images, puller: puller, metadata: metadata,
                content: content, snapshots: snapshots, networks: networks, launcher: launcher,
                cgroups: settings.cgroups, fetcher: BuildFetcher(registries: registries),
                cacheLimits: try cacheLimits(settings), collect: collect,
                pool: pool, logger: logger))
        try await builder.start()
        // What the last run left is at rest now, and nobody asks for anything yet.
        try await pool.runIfActive {
            _ = try collector.sweepAtStart(afterPowerCut: afterPowerCut)
            try mark.set()
        }
        let services = APIServices(
            containers: containers, execs: ExecService(containers: containers),
            processes: ProcessLister(containers: containers), volumes: volumes, membership: membership,
            prune: PruneService(containers: containers, volumes: volumes, networks: membership), events: events,
            networks: networks, images: images, puller: puller,
            pusher: ImagePusher(
                store: images, layers: layers, registries: registries, parallelUploads: settings.maxUploads),
            archive: ImageArchive(store: images, layers: layers),
            importer: ImageImporter(store: images, layers: layers),
            registries: registries, builder: builder)

        // Last, when everything is there to answer: the sockets.
        let listeners = try ListeningSockets(
            group: try SocketGroup.find(settings.group), environment: environment
        ).open(settings.hosts)
        let facts = HostFacts.read(
            settings, id: try StateDirectories.daemonID(settings.dataRoot), environment: environment)
        let api = APIServer(services: services, facts: facts, listeners: listeners, group: group, logger: logger)
        let reloader = Reloader(
            source: source, registries: registries, events: events, daemonID: facts.id, name: facts.name, logger: logger
        )
        return Daemon(services: [reloader, api]) {
            await supervision.close()
            await networks.shutdown()
            await registries.shutdown()
            for case .unix(let path) in settings.hosts { try? unlink(path) }
            if let path = settings.pidfile { try? unlink(path) }
            cgroups?.removeIfUnused()
            try? metadata.close()
            mark.remove()
            withExtendedLifetime(directories) {}
        }
    }

    private static func networking(_ settings: DaemonSettings) -> NetworkingConfiguration {
        var configuration = NetworkingConfiguration(instance: settings.instance)
        configuration.bridgeAddress = settings.bridgeAddress
        configuration.mtu = settings.mtu
        configuration.dns = settings.dns
        configuration.pools = settings.addressPools
        return configuration
    }

    private static func engineConfiguration(_ settings: DaemonSettings) -> EngineConfiguration {
        var configuration = EngineConfiguration(
            dataRoot: settings.dataRoot, cgroups: settings.cgroups,
            runtimes: settings.runtimes, defaultRuntime: settings.defaultRuntime)
        configuration.streamPatience = settings.attachPatience
        configuration.logDriver = settings.logDriver
        configuration.logOptions = settings.logOptions
        if let size = settings.shmSize { configuration.sharedMemorySize = size }
        return configuration
    }

    /// What `builder.gc` says; nil when the cache shall grow as it likes.
    private static func cacheLimits(_ settings: DaemonSettings) throws -> CacheLimits? {
        guard settings.limitsBuildCache else { return nil }
        if let limits = settings.buildCacheLimits { return limits }
        let root = try open(settings.dataRoot, O_RDONLY | O_DIRECTORY)
        return .standard(disk: try diskBytes(root.raw))
    }
}
