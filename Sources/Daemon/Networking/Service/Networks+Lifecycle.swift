internal import Failures
internal import Linux
internal import Logging
internal import NIOPosix
internal import Synchronization

extension Networks {
    // MARK: Start

    func startNow(_ recovered: [RecoveredSandbox]) async throws -> [String: Failure] {
        let socket = try await host.run { [resolver] _ in
            resolver.refresh()
            return SocketBox(try NetlinkSocket())
        }
        if let socket = socket.take() {
            let fresh = LinkReaper(socket: socket)
            reaper.withLock { $0 = fresh }
        }
        let table = names.table
        let (guarded, before) = try await host.run { tools -> (Bool, HostState) in
            let enabled = try tools.enableForwarding()
            let guardQuery = FirewallScript(table: table).guardQuery
            let wasGuarded = (try? tools.filter.run(guardQuery)) != nil
            return (enabled || wasGuarded, try tools.state())
        }
        state.withLock { state in
            state.guardsForwarding = guarded
            state.mtu = configuration.mtu.map { UInt32(clamping: $0) } ?? before.mtu
        }
        let inUse = Set(recovered.flatMap { $0.endpoints.map(\.networkID) })
        for network in try await loadNetworks() { try await bringUp(network, isInUse: inUse.contains(network.id)) }
        var failures: [String: Failure] = [:]
        for sandbox in recovered {
            do { try await adopt(sandbox) } catch {
                let failure = Failure.wrapping(error, "adopt the network of container \(sandbox.id)")
                logger.warning(
                    "a container's network is not adopted",
                    metadata: ["container": "\(sandbox.id)", "error": "\(failure)"])
                failures[sandbox.id] = failure
            }
        }
        try await applyFirewall()
        await watchOtherFirewalls()
        try await sweep()
        spares.refill()
        return failures
    }

    /// The rows, with the predefined networks among them from the first start on.
    private func loadNetworks() async throws -> [Network] {
        var networks = try await records.load()
        for (name, driver) in [("bridge", NetworkDriver.bridge), ("host", .host), ("none", .null)]
        where !networks.contains(where: { $0.name == name }) {
            let network = Network(
                id: RandomID.make(), name: name, driver: driver, created: Clock.wallNanoseconds(), isInternal: false,
                isAttachable: false, labels: [:],
                options: [:], addressing: Addressing(), hasConfiguredSubnet: false)
            try await records.save(network)
            networks.append(network)
        }
        let mtu = state.withLock { $0.mtu }
        return networks.map { network in
            guard network.name == "bridge" else { return network }
            var bridge = network
            bridge.options = [
                BridgeOption.isDefault: "true", BridgeOption.icc: "true", BridgeOption.masquerade: "true",
                BridgeOption.hostBinding: configuration.publishAddress.description,
                BridgeOption.name: names.defaultBridge,
                BridgeOption.mtu: "\(mtu)",
            ]
            if let address = configuration.bridgeAddress {
                bridge.addressing = Addressing(subnet: address.network, gateway: address.address)
                bridge.hasConfiguredSubnet = true
            } else if bridge.hasConfiguredSubnet {
                // It was given once and is no longer: a new one is chosen.
                bridge.addressing = Addressing()
                bridge.hasConfiguredSubnet = false
            }
            return bridge
        }
    }

    /// Makes a network's bridge and knows the network from then on.
    ///
    /// Chooses a subnet where none was asked for and the one chosen earlier is now somebody else's.
    ///
    /// - Parameter isInUse: containers that run have addresses in it, so it stays whatever happened.
    @discardableResult
    func bringUp(_ network: Network, isInUse: Bool) async throws -> Network {
        var network = network
        let (mtu, own) = state.withLock { state in
            (
                state.mtu,
                state.networks.values.filter { $0.network.id != network.id }.compactMap(\.network.addressing.subnet)
            )
        }
        guard network.driver == .bridge else {
            let active = try ActiveNetwork(network, mtu: mtu)
            state.withLock { $0.networks[network.id] = active }
            return network
        }
        let link = try BridgePlan.linkName(network)
        var refused: [IPv4Prefix] = []
        for _ in 0..<32 {
            let others = try await host.run { tools in try tools.state().used(except: [link]) } + own + refused
            let isClear = network.addressing.subnet.map { subnet in !others.contains(where: subnet.overlaps) } ?? false
            if !isClear, !network.hasConfiguredSubnet, !isInUse {
                guard let subnet = SubnetChoice.choose(from: configuration.pools, avoiding: others) else {
                    throw Failure(.internal, "all predefined address pools have been fully subnetted")
                }
                network.addressing.subnet = subnet
                network.addressing.gateway = IPv4Address(subnet.first.value + 1)
            }
            try await records.save(network)
            guard let plan = try BridgePlan(network, mtu: mtu) else { break }
            let isAlone = try await host.run { tools in try tools.ensure(plan) }
            if !isAlone, !network.hasConfiguredSubnet, !isInUse, let subnet = network.addressing.subnet {
                refused.append(subnet)
                continue
            }
            if !isAlone {
                logger.warning(
                    "another link of this machine has addresses of the network's subnet; answers to its containers may go there",
                    metadata: ["network": "\(network.name)", "subnet": "\(plan.address.network)"])
            }
            let active = try ActiveNetwork(network, mtu: mtu)
            state.withLock { $0.networks[network.id] = active }
            return network
        }
        throw Failure(.internal, "network \(network.name): no free subnet found")
    }

    /// The whole table in one transaction.
    func applyFirewall() async throws {
        let script = state.withLock { $0.firewall.replacement }
        try await host.run { tools in try tools.filter.run(script) }
    }

    /// Removes the ends of interfaces whose containers are gone.
    private func sweep() async throws {
        let known = state.withLock { state in Set(state.sandboxes.values.flatMap { $0.endpoints.map(\.hostInterface) })
        }
        let prefix = names.linkPrefix
        let links = try await host.run { tools in try tools.netlink.links() }
        let left = links.filter {
            $0.kind == "veth" && $0.name.utf8.count == 15 && $0.name.hasPrefix(prefix) && !known.contains($0.name)
        }
        removeLinks(left.map(\.name))
    }

    func removeLinks(_ links: [String]) {
        guard let reaper = reaper.withLock({ $0 }) else { return }
        reaper.remove(links.filter { !$0.isEmpty }, logger: logger)
    }

    // MARK: Adopting

    /// Takes up a container that ran on while the daemon was away.
    private func adopt(_ recovered: RecoveredSandbox) async throws {
        var sandbox = ActiveSandbox(request: recovered.request, space: nil)
        if recovered.request.mode == .isolated {
            let space = try await pool.runIfActive {
                let space = try SandboxSpace(NetworkNamespace.of(pid: recovered.pid))
                // A process id may be somebody else's by now.
                for endpoint in recovered.endpoints where !endpoint.interface.isEmpty {
                    let link = try space.namespace.withLock { (namespace) throws(SystemError) in
                        try namespace.netlink.link(named: endpoint.interface)
                    }
                    guard link?.address == endpoint.mac else {
                        throw Failure(
                            .notFound,
                            "process \(recovered.pid) has no interface \(endpoint.interface) of this container")
                    }
                }
                return space
            }
            sandbox = ActiveSandbox(request: recovered.request, space: space)
        }
        sandbox.endpoints = recovered.endpoints
        try state.withLock { state in
            var adopted: [Endpoint] = []
            do {
                for endpoint in recovered.endpoints {
                    try state.adopt(endpoint)
                    adopted.append(endpoint)
                }
            } catch {
                for endpoint in adopted { state.release(endpoint) }
                throw error
            }
            sandbox.forwarded = NetworkingState.forwarded(
                recovered.ports, to: NetworkingState.gateway(among: recovered.endpoints))
            for endpoint in recovered.endpoints { state.publishNames(endpoint, of: recovered.id) }
            state.sandboxes[recovered.id] = sandbox
        }
        let held = try await host.run { [self] _ in
            state.withLock { state in
                recovered.ports.map { port in
                    state.ports.take(port.hostPort, port.proto, on: port.hostIP)
                    // Should another program have taken it meanwhile, the rules still lead to the container as before.
                    let socket = (try? PortHolder.hold(port.hostPort, port.proto, on: port.hostIP)) ?? nil
                    return PortHolder.Held(port: port, socket: socket)
                }
            }
        }
        state.withLock { $0.sandboxes[recovered.id]?.held = held }
        try await startNameServer(recovered.id, replacing: true)
    }

    // MARK: The end

    func shutdownNow() async {
        let servers = state.withLock { state in
            let servers = state.sandboxes.values.compactMap(\.nameServer)
            for id in state.sandboxes.keys { state.sandboxes[id]?.nameServer = nil }
            return servers
        }
        for server in servers { await server.stop() }
        spares.close()
        let monitor = monitor.withLock { $0.take() }
        await monitor?.stop()
        let reaper = reaper.withLock { $0.take() }
        await reaper?.stop()
        await removeUnusedDevices()
        await host.stop()
    }

    /// Where nothing runs, a daemon that ends leaves no bridge and no table: the next start makes both again from the rows.
    private func removeUnusedDevices() async {
        let (bridges, removal) = state.withLock { state in
            state.sandboxes.isEmpty
                ? (state.networks.values.compactMap { $0.bridge?.name }, state.firewall.removal) : ([], "")
        }
        if bridges.isEmpty { return }
        let mark = names.table
        do {
            try await host.run { tools in
                try tools.letThrough([], mark: mark)
                try tools.filter.run(removal)
                for bridge in bridges { try tools.removeLink(bridge) }
            }
        } catch { logger.warning("a bridge or rule is left", metadata: ["error": "\(error)"]) }
    }

    func teardownNow() async {
        let (ids, bridges, networks) = state.withLock { state in
            (
                Array(state.sandboxes.keys), state.networks.values.compactMap { $0.bridge?.name },
                Array(state.networks.keys)
            )
        }
        for id in ids { await detachNow(id) }
        await reaper.withLock { $0 }?.settle()
        let monitor = monitor.withLock { $0.take() }
        await monitor?.stop()
        let removal = state.withLock { $0.firewall.removal }
        let mark = names.table
        do {
            try await host.run { tools in
                try tools.letThrough([], mark: mark)
                try tools.filter.run(removal)
                for bridge in bridges { try tools.removeLink(bridge) }
            }
            for id in networks { try await records.remove(id) }
        } catch {
            logger.warning("a part of the networks is left", metadata: ["error": "\(error)"])
        }
        state.withLock { state in
            state.networks = [:]
            state.sandboxes = [:]
        }
        await shutdownNow()
    }
}

/// Carries a socket from the thread that opened it to its owner, once.
final class SocketBox: Sendable {
    private let socket: Mutex<NetlinkSocket?>
    init(_ socket: consuming NetlinkSocket) { self.socket = Mutex(socket) }
    func take() -> NetlinkSocket? { socket.withLock { $0.take() } }
}
