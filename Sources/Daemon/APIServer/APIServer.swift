public import Builder
public import Engine
public import HTTPServer
public import Images
public import Logging
public import NIOCore
public import Networking
public import ServiceLifecycle

/// Everything the API lets clients do, each noun by the service that owns it.
public struct APIServices: Sendable {
    public var containers: ContainerService
    public var execs: ExecService
    public var processes: ProcessLister
    public var volumes: VolumeService
    public var membership: NetworkService
    public var prune: PruneService
    public var events: EventBus
    public var networks: Networks
    public var images: ImageStore
    public var puller: ImagePuller
    public var pusher: ImagePusher
    public var archive: ImageArchive
    public var importer: ImageImporter
    public var registries: Registries
    public var builder: BuildService

    public init(
        containers: ContainerService, execs: ExecService, processes: ProcessLister, volumes: VolumeService,
        membership: NetworkService, prune: PruneService, events: EventBus, networks: Networks, images: ImageStore,
        puller: ImagePuller, pusher: ImagePusher, archive: ImageArchive, importer: ImageImporter,
        registries: Registries, builder: BuildService
    ) {
        self.containers = containers
        self.execs = execs
        self.processes = processes
        self.volumes = volumes
        self.membership = membership
        self.prune = prune
        self.events = events
        self.networks = networks
        self.images = images
        self.puller = puller
        self.pusher = pusher
        self.archive = archive
        self.importer = importer
        self.registries = registries
        self.builder = builder
    }

    /// Every route, as a list that reads like the API.
    func routes(_ facts: DaemonFacts) -> [Route] {
        let imageEvents = ImageEvents(bus: events)
        return SystemRoutes(
            facts: facts, containers: containers, volumes: volumes, images: images, builder: builder
        ).routes
            + EventRoutes(bus: events).routes
            + ContainerRoutes(containers: containers, processes: processes, prune: prune, images: images).routes
            + ContainerStreams(containers: containers, events: events).routes
            + ExecRoutes(execs: execs, containers: containers, events: events).routes
            + TransferRoutes(
                images: images, puller: puller, pusher: pusher, archive: archive, importer: importer,
                registries: registries, events: imageEvents
            ).routes
            + ImageRoutes(images: images, containers: containers, events: imageEvents).routes
            + NetworkRoutes(
                networks: networks, membership: membership, containers: containers, prune: prune, events: events
            ).routes
            + VolumeRoutes(volumes: volumes, prune: prune).routes
            + BuildRoutes(builder: builder, events: events).routes
            + SwarmRoutes().routes
    }
}

/// The Docker Engine API on any number of sockets, as one service of the daemon.
public struct APIServer: Service {
    private let server: Server
    private let listeners: [Listener]

    /// - Parameter listeners: bound sockets; the server takes them over.
    public init(
        services: APIServices, facts: DaemonFacts, listeners: [Listener], group: any EventLoopGroup, logger: Logger
    ) {
        let dispatcher = Dispatcher(
            routes: RouteTable(services.routes(facts)), serverVersion: facts.version, logger: logger)
        server = Server(responder: dispatcher, group: group, logger: logger)
        self.listeners = listeners
    }

    /// Serves until the group shuts down gracefully: answers under way are finished, streams end.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.run(listeners)
        } onGracefulShutdown: {
            server.shutDown()
        }
    }
}
