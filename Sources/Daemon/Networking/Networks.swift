public import Failures
internal import Linux
public import Logging
public import NIOCore
public import NIOPosix
internal import Synchronization

/// Every network of a daemon, and every container's place in them.
///
/// The order of life: `start` once; then `create`, `attach`, `detach` and the rest at any time from any task; `shutdown` at
/// the end leaves containers connected. Containers must be attached before they are started in the sandbox's
/// namespace, and detached when they have ended.
public final class Networks: Sendable {
    let configuration: NetworkingConfiguration
    let records: any NetworkRecords
    let group: any EventLoopGroup
    let pool: NIOThreadPool
    let logger: Logger
    let names: InstanceNames
    let host: HostNetwork
    let spares: SpareNamespaces
    let resolver: HostResolver
    let state: Mutex<NetworkingState>
    /// Set by `start`.
    let reaper = Mutex<LinkReaper?>(nil)
    /// Set by `start`.
    let monitor = Mutex<RulesetMonitor?>(nil)

    /// - Parameters:
    ///   - records: where networks are kept; `StoredNetworkRecords(metadata.networks)` in the daemon.
    ///   - group: serves DNS.
    ///   - pool: makes namespaces, blocking.
    public init(
        configuration: NetworkingConfiguration, records: any NetworkRecords, group: any EventLoopGroup,
        pool: NIOThreadPool, logger: Logger
    ) {
        self.configuration = configuration
        self.records = records
        self.group = group
        self.pool = pool
        self.logger = logger
        names = InstanceNames(instance: configuration.instance, bridgeName: configuration.bridgeName)
        host = HostNetwork(namespace: configuration.hostNamespace)
        spares = SpareNamespaces(target: configuration.spareNamespaces, pool: pool, logger: logger)
        resolver = HostResolver(path: configuration.resolvConfPath)
        state = Mutex(NetworkingState(names: names))
    }

    /// Brings the host to what the rows say (bridges, firewall), adopts the containers that run, and sweeps what is left of
    /// those that do not.
    ///
    /// - Returns: why each container that could not be adopted could not, by id; the others work as before.
    public func start(recovering sandboxes: [RecoveredSandbox] = []) async throws(Failure) -> [String: Failure] {
        try await shielded { try await self.startNow(sandboxes) }
    }

    // MARK: Networks

    /// Makes a network; its bridge is there when this returns.
    public func create(_ settings: NetworkSettings) async throws(Failure) -> Network {
        try await shielded { try await self.createNow(settings) }
    }

    /// All networks by name.
    public func list() -> [Network] {
        state.withLock { $0.networks.values.map(\.network) }.sorted { $0.name < $1.name }
    }

    /// By name, id, or an unambiguous start of an id.
    public func resolve(_ reference: String) throws(Failure) -> Network {
        try state.withLock { (state) throws(Failure) in try state.resolve(reference).network }
    }

    /// Refused while a container is connected, and for the predefined ones.
    public func remove(_ reference: String) async throws(Failure) -> Network {
        try await shielded { try await self.removeNow(reference) }
    }

    /// Removes every network that nobody is connected to and that `isWanted` picks; the names of those that are gone.
    public func prune(where isWanted: @escaping @Sendable (Network) -> Bool) async -> [String] {
        var removed: [String] = []
        for network in list() where !network.isPredefined && isWanted(network) && endpoints(of: network.id).isEmpty {
            if (try? await remove(network.id)) != nil { removed.append(network.name) }
        }
        return removed
    }

    /// Who is connected now: sandbox id, container name and endpoint.
    public func endpoints(of networkID: String) -> [(sandbox: String, name: String, endpoint: Endpoint)] {
        state.withLock { $0.endpoints(of: networkID) }
    }

    // MARK: Sandboxes

    /// Makes a container's network: namespace, interfaces, published ports, names.
    ///
    /// All or nothing.
    public func attach(_ request: SandboxRequest) async throws(Failure) -> NetworkSandbox {
        try await shielded { try await self.attachNow(request) }
    }

    /// Takes everything of a container's network away: links, rules, ports, names, addresses.
    ///
    /// Fine when there is nothing.
    public func detach(_ id: String) async {
        await Task { await self.detachNow(id) }.value
    }

    /// Connects a running container to one more network.
    public func connect(_ id: String, to request: EndpointRequest) async throws(Failure) -> NetworkSandbox {
        try await shielded { try await self.connectNow(id, to: request) }
    }

    /// Takes a running container off a network.
    ///
    /// - Parameter force: also when its routes and ports cannot be moved to another network.
    public func disconnect(
        _ id: String, from reference: String, force: Bool = false
    ) async throws(Failure) -> NetworkSandbox {
        try await shielded { try await self.disconnectNow(id, from: reference, force: force) }
    }

    /// A container's network as it stands, if it has one.
    public func sandbox(_ id: String) -> NetworkSandbox? {
        state.withLock { state in state.sandboxes[id].map { describe($0, in: state) } }
    }

    /// Other containers see a new name at once.
    public func rename(_ id: String, to name: String) {
        state.withLock { state in
            guard var sandbox = state.sandboxes[id] else { return }
            sandbox.request.name = name
            for index in sandbox.endpoints.indices {
                let endpoint = sandbox.endpoints[index]
                guard let network = state.networks[endpoint.networkID]?.network else { continue }
                sandbox.endpoints[index].dnsNames = NetworkingState.dnsNames(
                    sandbox.request, endpoint.aliases, on: network)
                state.table.remove(sandbox: id, network: endpoint.networkID)
                state.publishNames(sandbox.endpoints[index], of: id)
            }
            state.sandboxes[id] = sandbox
        }
    }

    // MARK: The end

    /// Stops answering and closes what is open; containers stay connected, for the next `start`.
    public func shutdown() async {
        await Task { await self.shutdownNow() }.value
    }

    /// Removes every trace: containers' links, bridges, tables, rows.
    ///
    /// For tests and for an uninstall.
    public func teardownAll() async {
        await Task { await self.teardownNow() }.value
    }

    /// Runs to its end even when whoever asked is cancelled: nothing is left half-made.
    private func shielded<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws(Failure) -> Value {
        do { return try await Task { try await body() }.value } catch { throw Failure.wrapping(error, "network") }
    }
}
