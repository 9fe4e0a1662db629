internal import Failures
internal import Linux

/// A network and what is given away of it.
struct ActiveNetwork: Sendable {
    var network: Network
    /// nil for `host` and `none`.
    var bridge: BridgePlan?
    var pool: AddressPool?

    init(_ network: Network, mtu: UInt32) throws(Failure) {
        self.network = network
        bridge = try BridgePlan(network, mtu: mtu)
        let addressing = network.addressing
        if let subnet = addressing.subnet {
            let reserved = Array(addressing.reserved.values) + (addressing.gateway.map { [$0] } ?? [])
            pool = AddressPool(subnet: subnet, range: addressing.range, reserved: reserved)
        }
    }
}

/// A container's network and what it holds.
struct ActiveSandbox: Sendable {
    var request: SandboxRequest
    /// nil in the host's network.
    let space: SandboxSpace?
    var endpoints: [Endpoint] = []
    var held: [PortHolder.Held] = []
    /// What the packet filter has for it.
    var forwarded: [ForwardedPort] = []
    var nameServer: NameServer?
}

/// Everything the service knows, changed under one lock.
///
/// All decisions are here and pure; what they need of the kernel is done by the service afterwards, or undone.
struct NetworkingState: Sendable {
    let names: InstanceNames
    var networks: [String: ActiveNetwork] = [:]
    var sandboxes: [String: ActiveSandbox] = [:]
    /// Sandboxes something is being done to.
    var busy: Set<String> = []
    /// Names of networks that are being made.
    var coming: Set<String> = []
    var table = NameTable()
    var ports = PortTable()
    var guardsForwarding = false
    var mtu: UInt32 = 1500

    init(names: InstanceNames) { self.names = names }

    // MARK: Networks

    var defaultBridge: ActiveNetwork? { networks.values.first { $0.network.name == "bridge" } }

    /// By name first, then whole id, then a start of one.
    func resolve(_ reference: String) throws(Failure) -> ActiveNetwork {
        if let found = networks[reference] ?? networks.values.first(where: { $0.network.name == reference }) {
            return found
        }
        let starting = reference.isEmpty ? [] : networks.values.filter { $0.network.id.hasPrefix(reference) }
        if starting.count > 1 {
            throw Failure(.invalid, "network \(reference) is ambiguous (\(starting.count) matches found on name)")
        }
        guard let found = starting.first else { throw Failure(.notFound, "network \(reference) not found") }
        return found
    }

    func endpoints(of network: String) -> [(sandbox: String, name: String, endpoint: Endpoint)] {
        sandboxes.values.flatMap { sandbox in
            sandbox.endpoints.filter { $0.networkID == network }.map { (sandbox.request.id, sandbox.request.name, $0) }
        }
    }

    // MARK: Endpoints

    /// Works out every endpoint of a new sandbox and takes their addresses, all or none.
    mutating func plan(_ request: SandboxRequest) throws(Failure) -> [PlannedEndpoint] {
        var plans: [PlannedEndpoint] = []
        do throws(Failure) {
            for wish in request.endpoints {
                let interfaces = plans.map(\.endpoint.interface)
                if let double = plans.first(where: { $0.reference == wish.network })?.endpoint {
                    throw alreadyIn(double, request)
                }
                let plan = try self.plan(wish, of: request, interfaces: interfaces)
                plans.append(plan)
            }
            return plans
        } catch {
            for plan in plans { release(plan.endpoint) }
            throw error
        }
    }

    private func alreadyIn(_ endpoint: Endpoint, _ request: SandboxRequest) -> Failure {
        Failure(.forbidden, "endpoint with name \(request.name) already exists in network \(endpoint.networkName)")
    }

    /// Works out one endpoint and takes its address.
    mutating func plan(_ wish: EndpointRequest, of request: SandboxRequest, interfaces: [String]) throws(Failure)
        -> PlannedEndpoint
    {
        var active = try resolve(wish.network)
        let network = active.network
        if let present = sandboxes[request.id]?.endpoints.first(where: { $0.networkID == network.id }) {
            throw alreadyIn(present, request)
        }
        let id = RandomID.make()
        var endpoint = Endpoint(
            networkID: network.id, networkName: network.name, endpointID: id, ipv4: nil, prefix: 0, gateway: nil,
            mac: nil, interface: "",
            hostInterface: "", aliases: wish.aliases, dnsNames: [], gatewayPriority: wish.gatewayPriority)
        if !wish.aliases.isEmpty, !network.resolvesNames {
            throw Failure(.invalid, "network-scoped aliases are only supported for user-defined networks")
        }
        guard let bridge = active.bridge, var pool = active.pool else {
            return PlannedEndpoint(reference: wish.network, endpoint: endpoint, bridge: nil)
        }
        if let mac = wish.mac, mac.isMulticast {
            throw Failure(.invalid, "invalid MAC address \(mac): it names a group")
        }
        let address = try Self.take(wish.ipv4, from: &pool, of: network)
        active.pool = pool
        networks[network.id] = active
        endpoint.ipv4 = address
        endpoint.prefix = pool.subnet.length
        endpoint.gateway = network.isInternal ? nil : network.addressing.gateway
        endpoint.mac = wish.mac ?? MACAddress(derivedFrom: address)
        endpoint.interface = Self.nextInterface(after: interfaces)
        endpoint.hostInterface = names.link(endpoint: id)
        endpoint.dnsNames = Self.dnsNames(request, wish.aliases, on: network)
        return PlannedEndpoint(reference: wish.network, endpoint: endpoint, bridge: bridge)
    }

    private static func take(_ wish: IPv4Address?, from pool: inout AddressPool, of network: Network) throws(Failure)
        -> IPv4Address
    {
        guard let wish else {
            guard let address = pool.take() else {
                throw Failure(
                    .internal,
                    "no available IPv4 addresses on this network's address pools: \(network.name) (\(network.id))")
            }
            return address
        }
        if network.isPredefined {
            throw Failure(.invalid, "user specified IP address is supported on user defined networks only")
        }
        guard network.hasConfiguredSubnet else {
            throw Failure(
                .invalid,
                "user specified IP address is supported only when connecting to networks with user configured subnets")
        }
        switch pool.take(wish) {
        case .taken: return wish
        case .alreadyInUse: throw Failure(.forbidden, "Address already in use")
        case .outside: throw Failure(.invalid, "no configured subnet contains IP address \(wish)")
        }
    }

    static func nextInterface(after taken: [String]) -> String {
        var number = 0
        while taken.contains("eth\(number)") { number += 1 }
        return "eth\(number)"
    }

    static func dnsNames(_ request: SandboxRequest, _ aliases: [String], on network: Network) -> [String] {
        guard network.resolvesNames else { return [] }
        var names: [String] = []
        for name in [request.name] + aliases + [String(request.id.prefix(12)), request.hostname]
        where !name.isEmpty && !names.contains(name) {
            names.append(name)
        }
        return names
    }

    mutating func release(_ endpoint: Endpoint) {
        if let address = endpoint.ipv4 { networks[endpoint.networkID]?.pool?.release(address) }
    }

    /// Takes again what a running container has.
    mutating func adopt(_ endpoint: Endpoint) throws(Failure) {
        guard let active = networks[endpoint.networkID] else {
            throw Failure(.notFound, "network \(endpoint.networkName) not found")
        }
        if let address = endpoint.ipv4, var pool = active.pool {
            if pool.take(address) == .outside {
                throw Failure(.conflict, "address \(address) is no longer in network \(endpoint.networkName)")
            }
            networks[endpoint.networkID]?.pool = pool
        }
    }

    mutating func publishNames(_ endpoint: Endpoint, of sandbox: String) {
        guard let address = endpoint.ipv4, !endpoint.dnsNames.isEmpty else { return }
        table.insert(
            endpoint.dnsNames, address: address, sandbox: sandbox, network: endpoint.networkID,
            named: endpoint.networkName)
    }

    // MARK: Ways out

    /// The endpoint that has the default route, and to which published ports lead: the highest priority, then the first
    /// network by name.
    ///
    /// Internal networks lead nowhere.
    static func gateway(among endpoints: [Endpoint]) -> Endpoint? {
        endpoints.filter { $0.gateway != nil && $0.ipv4 != nil }
            .min { ($1.gatewayPriority, $0.networkName) < ($0.gatewayPriority, $1.networkName) }
    }

    /// What the user wants published, `-P` included: an exposed port that is published by name is not published again.
    static func wishes(_ request: SandboxRequest) -> [PortRequest] {
        let named = Set(request.ports.map { ExposedPort($0.containerPort, $0.proto) })
        return request.ports
            + request.publishAll.filter { !named.contains($0) }.map {
                PortRequest(containerPort: $0.port, proto: $0.proto)
            }
    }

    static func forwarded(_ ports: [PublishedPort], to endpoint: Endpoint?) -> [ForwardedPort] {
        guard let target = endpoint?.ipv4 else { return [] }
        return ports.map {
            ForwardedPort(
                hostIP: $0.hostIP, hostPort: $0.hostPort, target: target, containerPort: $0.containerPort,
                proto: $0.proto)
        }
    }

    var firewall: FirewallScript {
        FirewallScript(
            table: names.table,
            bridges: networks.values.compactMap { $0.bridge?.firewalled }.sorted { $0.name < $1.name },
            ports: sandboxes.values.flatMap(\.forwarded), guardsForwarding: guardsForwarding)
    }

    // MARK: Names

    /// Whether the container's questions go to the daemon: where names are resolved, and where the host's own servers listen only
    /// on loopback, which the container cannot reach.
    func needsNameServer(_ request: SandboxRequest, _ endpoints: [Endpoint], _ settings: ResolverSettings) -> Bool {
        let active = endpoints.compactMap { networks[$0.networkID]?.network }
        if active.contains(where: \.resolvesNames) { return true }
        return active.contains { $0.driver == .bridge } && settings.direct.servers.isEmpty
    }

    mutating func decide(_ message: [UInt8], for sandbox: String, limit: Int) -> NameDecision {
        let active = (sandboxes[sandbox]?.endpoints ?? []).compactMap { networks[$0.networkID]?.network }
        return NameDecision.decide(
            message, table: &table, networks: active.filter(\.resolvesNames).map(\.id),
            mayForward: active.contains { !$0.isInternal },
            limit: limit)
    }
}

/// One endpoint of a sandbox that is to be.
struct PlannedEndpoint: Sendable {
    /// As the request names the network.
    let reference: String
    let endpoint: Endpoint
    /// nil on `host` and `none`, where nothing is made.
    let bridge: BridgePlan?

    var link: EndpointPlan? { bridge.map { EndpointPlan(endpoint: endpoint, bridge: $0) } }
}
