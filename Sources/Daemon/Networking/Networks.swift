public import Failures
public import Logging
public import NIOCore
public import NIOPosix

/// Every network of a daemon, and every container's place in them.
///
/// The order of life: `start` once; then `create`, `attach`, `detach` and the rest at any time from any task; `shutdown` at
/// the end leaves containers connected. Containers must be attached before they are started in the sandbox's
/// namespace, and detached when they have ended.
public final class Networks: Sendable {
    /// - Parameters:
    ///   - records: where networks are kept; `StoredNetworkRecords(metadata.networks)` in the daemon.
    ///   - group: serves DNS.
    ///   - pool: makes namespaces, blocking.
    public init(
        configuration: NetworkingConfiguration, records: any NetworkRecords, group: any EventLoopGroup,
        pool: NIOThreadPool, logger: Logger
    ) {}

    /// Brings the host to what the rows say (bridges, firewall), adopts the containers that run, and sweeps what is left of
    /// those that do not.
    ///
    /// - Returns: why each container that could not be adopted could not, by id; the others work as before.
    public func start(recovering sandboxes: [RecoveredSandbox] = []) async throws(Failure) -> [String: Failure] {
        throw Failure(.notImplemented, "networks")
    }

    // MARK: Networks

    public func create(_ settings: NetworkSettings) async throws(Failure) -> Network {
        throw Failure(.notImplemented, "networks")
    }
    /// All networks by name.
    public func list() -> [Network] { [] }
    /// By name, id, or an unambiguous start of an id.
    public func resolve(_ reference: String) throws(Failure) -> Network { throw Failure(.notImplemented, "networks") }
    /// Refused while a container is connected, and for the predefined ones.
    public func remove(_ reference: String) async throws(Failure) -> Network {
        throw Failure(.notImplemented, "networks")
    }
    /// Who is connected now: sandbox id and endpoint.
    public func endpoints(of networkID: String) -> [(sandbox: String, name: String, endpoint: Endpoint)] { [] }

    // MARK: Sandboxes

    /// Makes a container's network: namespace, interfaces, published ports, names. All or nothing.
    public func attach(_ request: SandboxRequest) async throws(Failure) -> NetworkSandbox {
        throw Failure(.notImplemented, "networks")
    }
    /// Takes everything of a container's network away: links, rules, ports, names, addresses. Fine when there is nothing.
    public func detach(_ id: String) async {}
    /// Connects a running container to one more network.
    public func connect(_ id: String, to request: EndpointRequest) async throws(Failure) -> NetworkSandbox {
        throw Failure(.notImplemented, "networks")
    }
    /// Takes a running container off a network.
    public func disconnect(_ id: String, from reference: String, force: Bool = false) async throws(Failure)
        -> NetworkSandbox
    {
        throw Failure(.notImplemented, "networks")
    }
    /// A container's network as it stands, if it has one.
    public func sandbox(_ id: String) -> NetworkSandbox? { nil }
    /// Other containers see a new name at once.
    public func rename(_ id: String, to name: String) {}

    // MARK: The end

    /// Stops answering and closes what is open; containers stay connected, for the next `start`.
    public func shutdown() async {}
    /// Removes every trace: containers' links, bridges, tables, rows. For tests and for an uninstall.
    public func teardownAll() async {}
}
