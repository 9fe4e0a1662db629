internal import Failures
internal import Linux
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

extension Networks {
    // MARK: Attach

    func attachNow(_ request: SandboxRequest) async throws -> NetworkSandbox {
        try begin(request.id, mustExist: false)
        defer { end(request.id) }
        var request = request
        let plans = try state.withLock { state in
            let extra = request.extraHosts.first { NameFiles.extraHost($0, gateway: hostGateway(state)) == nil }
            if let extra { throw Failure(.invalid, "invalid extra host \"\(extra)\": it should be name:address") }
            let plans = try state.plan(request)
            if plans.contains(where: { state.networks[$0.endpoint.networkID]?.network.driver == .host }) {
                request.mode = .host
            }
            return plans
        }
        var sandbox = ActiveSandbox(request: request, space: nil)
        do {
            if request.mode == .isolated {
                let space = try await spares.take()
                sandbox = ActiveSandbox(request: request, space: space)
                try await connectAll(plans, space: space, sandbox: &sandbox)
            }
            sandbox.endpoints = plans.map(\.endpoint)
            let made = sandbox
            state.withLock { state in
                state.sandboxes[request.id] = made
                for endpoint in made.endpoints { state.publishNames(endpoint, of: request.id) }
            }
        } catch {
            state.withLock { state in for plan in plans { state.release(plan.endpoint) } }
            throw error
        }
        do { try await startNameServer(request.id) } catch {
            await detachNow(request.id)
            throw error
        }
        return try described(request.id)
    }

    /// Interfaces, routes and ports in one go on the host's thread; on failure none of them.
    private func connectAll(_ plans: [PlannedEndpoint], space: SandboxSpace, sandbox: inout ActiveSandbox) async throws
    {
        let links = plans.compactMap(\.link)
        let gateway = NetworkingState.gateway(among: plans.map(\.endpoint))
        let wishes = gateway == nil ? [] : NetworkingState.wishes(sandbox.request)
        let request = sandbox.request
        let (held, forwarded) = try await host.run { [self] tools -> ([PortHolder.Held], [ForwardedPort]) in
            resolver.refresh()
            var done: [String] = []
            do {
                try space.namespace.withLock { namespace in
                    let raw = namespace.descriptor.raw
                    for link in links {
                        try tools.connect(link, namespace: raw, inside: &namespace.netlink)
                        done.append(link.endpoint.hostInterface)
                    }
                    try Self.route(nil, gateway, in: &namespace.netlink)
                }
                guard let gateway, !wishes.isEmpty else { return ([], []) }
                return try publish(wishes, to: gateway, of: request, tools: &tools)
            } catch {
                for link in done { try? tools.removeLink(link) }
                throw error
            }
        }
        sandbox.held = held
        sandbox.forwarded = forwarded
    }

    /// Moves the default route from one endpoint to another.
    private static func route(_ old: Endpoint?, _ new: Endpoint?, in netlink: inout NetlinkSocket) throws(SystemError) {
        if let new, let gateway = new.gateway {
            guard let index = try netlink.link(named: new.interface)?.index else {
                throw SystemError.noSuchDevice(new.interface)
            }
            try netlink.transact([RouteMessage.addDefaultRoute(via: gateway, index: index, replacing: old != nil)])
        } else if let old, let gateway = old.gateway, let index = try netlink.link(named: old.interface)?.index {
            try netlink.transact([RouteMessage.removeDefaultRoute(via: gateway, index: index)])
        }
    }

    /// Holds ports and leads them to an endpoint; on the host's thread.
    private func publish(
        _ wishes: [PortRequest], to endpoint: Endpoint, of request: SandboxRequest, tools: inout HostNetwork.Tools
    ) throws(Failure) -> ([PortHolder.Held], [ForwardedPort]) {
        let ephemeral = tools.ephemeralPorts()
        do throws(Failure) {
            let held = try state.withLock { (state) throws(Failure) in
                let address = state.networks[endpoint.networkID]?.bridge?.publishAddress ?? configuration.publishAddress
                return try PortHolder.hold(wishes, table: &state.ports, defaultAddress: address, ephemeral: ephemeral)
            }
            let forwarded = NetworkingState.forwarded(held.map(\.port), to: endpoint)
            do throws(Failure) {
                try tools.filter.run(FirewallScript(table: names.table).additions(of: forwarded))
            } catch {
                state.withLock { PortHolder.release(held.map(\.port), table: &$0.ports) }
                throw error
            }
            tools.forgetDatagrams(to: forwarded)
            return (held, forwarded)
        } catch {
            throw Failure(
                error.kind,
                "driver failed programming external connectivity on endpoint \(request.name) (\(endpoint.endpointID)): \(error.message)",
                cause: error)
        }
    }

    // MARK: Detach

    func detachNow(_ id: String) async {
        guard let sandbox = state.withLock({ $0.sandboxes.removeValue(forKey: id) }) else { return }
        state.withLock { state in
            for endpoint in sandbox.endpoints {
                state.table.remove(sandbox: id, network: endpoint.networkID)
            }
        }
        await sandbox.nameServer?.stop()
        await unpublish(sandbox.held, sandbox.forwarded)
        removeLinks(sandbox.endpoints.map(\.hostInterface))
        state.withLock { state in for endpoint in sandbox.endpoints { state.release(endpoint) } }
    }

    /// Rules first, then the sockets: between the two nobody else can have the port.
    private func unpublish(_ held: [PortHolder.Held], _ forwarded: [ForwardedPort]) async {
        guard !held.isEmpty || !forwarded.isEmpty else { return }
        let script = FirewallScript(table: names.table).removals(of: forwarded)
        do {
            try await host.run { tools in
                try tools.filter.run(script)
                tools.forgetDatagrams(to: forwarded)
            }
        } catch {
            logger.warning("rules of published ports are left", metadata: ["error": "\(error)"])
        }
        state.withLock { PortHolder.release(held.map(\.port), table: &$0.ports) }
    }

    // MARK: Live changes

    func connectNow(_ id: String, to wish: EndpointRequest) async throws -> NetworkSandbox {
        try begin(id, mustExist: true)
        defer { end(id) }
        let (plan, sandbox) = try state.withLock { state -> (PlannedEndpoint, ActiveSandbox) in
            guard let sandbox = state.sandboxes[id] else { throw Self.notConnected(id) }
            let network = try state.resolve(wish.network).network
            if sandbox.request.mode == .host || network.driver == .host {
                throw Failure(
                    .forbidden, "container cannot be disconnected from host network or connected to host network")
            }
            if network.driver == .null
                || sandbox.endpoints.contains(where: { state.networks[$0.networkID]?.network.driver == .null })
            {
                throw Failure(
                    .forbidden,
                    "container cannot be connected to multiple networks with one of the networks in private (none) mode"
                )
            }
            return (try state.plan(wish, of: sandbox.request, interfaces: sandbox.endpoints.map(\.interface)), sandbox)
        }
        var changed = sandbox
        changed.request.endpoints.append(wish)
        changed.endpoints.append(plan.endpoint)
        do {
            guard let space = sandbox.space, let link = plan.link else { throw Self.notConnected(id) }
            try await host.run { tools in
                try space.namespace.withLock { namespace in
                    let raw = namespace.descriptor.raw
                    try tools.connect(link, namespace: raw, inside: &namespace.netlink)
                }
            }
        } catch {
            state.withLock { $0.release(plan.endpoint) }
            throw error
        }
        do {
            changed = try await moveWayOut(from: sandbox, to: changed)
        } catch {
            removeLinks([plan.endpoint.hostInterface])
            state.withLock { $0.release(plan.endpoint) }
            throw error
        }
        let connected = changed
        state.withLock { state in
            state.sandboxes[id] = connected
            state.publishNames(plan.endpoint, of: id)
        }
        try await startNameServer(id)
        return try described(id)
    }

    func disconnectNow(_ id: String, from reference: String, force: Bool) async throws -> NetworkSandbox {
        try begin(id, mustExist: true)
        defer { end(id) }
        let (gone, sandbox) = try state.withLock { state -> (Endpoint, ActiveSandbox) in
            guard let sandbox = state.sandboxes[id] else { throw Self.notConnected(id) }
            let network = try state.resolve(reference).network
            if network.driver == .host {
                throw Failure(
                    .forbidden, "container cannot be disconnected from host network or connected to host network")
            }
            guard let endpoint = sandbox.endpoints.first(where: { $0.networkID == network.id }) else {
                throw Failure(.forbidden, "container \(id) is not connected to network \(network.name)")
            }
            return (endpoint, sandbox)
        }
        var changed = sandbox
        changed.endpoints.removeAll { $0.endpointID == gone.endpointID }
        changed.request.endpoints.removeAll { (try? resolve($0.network).id) == gone.networkID }
        do { changed = try await moveWayOut(from: sandbox, to: changed) } catch {
            guard force else { throw error }
            logger.warning(
                "a container is left without a way out", metadata: ["container": "\(id)", "error": "\(error)"])
        }
        let disconnected = changed
        state.withLock { state in
            state.sandboxes[id] = disconnected
            state.table.remove(sandbox: id, network: gone.networkID)
        }
        removeLinks([gone.hostInterface])
        await reaper.withLock { $0 }?.settle()
        state.withLock { $0.release(gone) }
        return try described(id)
    }

    /// Default route and published ports follow the endpoint that leads out, when another does than before.
    private func moveWayOut(from old: ActiveSandbox, to new: ActiveSandbox) async throws -> ActiveSandbox {
        let before = NetworkingState.gateway(among: old.endpoints)
        let after = NetworkingState.gateway(among: new.endpoints)
        guard before != after, let space = new.space else { return new }
        var result = new
        let ports = old.held.map(\.port)
        let forwarded = NetworkingState.forwarded(ports, to: after)
        let wishes = NetworkingState.wishes(new.request)
        let script = FirewallScript(table: names.table)
        let change = script.removals(of: old.forwarded) + script.additions(of: forwarded)
        let request = new.request
        let fresh = try await host.run { [self] tools -> ([PortHolder.Held], [ForwardedPort])? in
            try space.namespace.withLock { namespace in try Self.route(before, after, in: &namespace.netlink) }
            // Its first way out: now ports can be published.
            if ports.isEmpty, let after, !wishes.isEmpty {
                return try publish(wishes, to: after, of: request, tools: &tools)
            }
            try tools.filter.run(change)
            tools.forgetDatagrams(to: forwarded)
            return nil
        }
        if let (held, forwarded) = fresh {
            result.held = held
            result.forwarded = forwarded
        } else {
            result.forwarded = forwarded
        }
        return result
    }

    // MARK: One thing at a time

    private func begin(_ id: String, mustExist: Bool) throws(Failure) {
        try state.withLock { (state) throws(Failure) in
            if state.busy.contains(id) {
                throw Failure(.conflict, "the network of container \(id) is being changed; try again")
            }
            if mustExist, state.sandboxes[id] == nil { throw Self.notConnected(id) }
            if !mustExist, state.sandboxes[id] != nil {
                throw Failure(.conflict, "container \(id) is connected already")
            }
            state.busy.insert(id)
        }
    }

    private func end(_ id: String) { state.withLock { _ = $0.busy.remove(id) } }

    private static func notConnected(_ id: String) -> Failure { Failure(.conflict, "container \(id) is not running") }

    // MARK: Names

    /// Starts the container's name server where it needs one and has none.
    ///
    /// - Parameter replacing: an earlier daemon may have led its questions to a server of its own.
    func startNameServer(_ id: String, replacing: Bool = false) async throws {
        let settings = resolver.current.overridden(by: configuration.dns)
        let space = state.withLock { state -> SandboxSpace? in
            guard let sandbox = state.sandboxes[id], sandbox.nameServer == nil,
                state.needsNameServer(sandbox.request, sandbox.endpoints, settings.overridden(by: sandbox.request.dns))
            else { return nil }
            return sandbox.space
        }
        guard let space else { return }
        let sockets = try await pool.runIfActive {
            try NameServer.prepare(in: space.descriptor.raw, replacing: replacing)
        }
        let backend = NameServer.Backend(
            decide: { [weak self] message, limit in
                self?.state.withLock { $0.decide(message, for: id, limit: limit) } ?? .ignore
            },
            servers: { [weak self] in self?.nameServers(of: id) ?? [] }, forwarder: NameForwarder())
        guard let bound = sockets.take() else { return }
        let server = try await NameServer.serve(bound, backend: backend, group: group)
        let isKept = state.withLock { state in
            guard state.sandboxes[id] != nil else { return false }
            state.sandboxes[id]?.nameServer = server
            return true
        }
        if !isKept { await server.stop() }
    }

    /// Whom to ask for a container: the servers it was given, the daemon's, or the host's.
    private func nameServers(of id: String) -> [SocketAddress] {
        let own = state.withLock { $0.sandboxes[id]?.request.dns } ?? DNSSettings()
        return resolver.current.overridden(by: configuration.dns).overridden(by: own).servers
            .compactMap { try? SocketAddress(ipAddress: $0, port: 53) }
    }

    private func hostGateway(_ state: NetworkingState) -> String {
        configuration.hostGateway ?? state.defaultBridge?.network.addressing.gateway?.description ?? "127.0.0.1"
    }

    // MARK: Describing

    private func described(_ id: String) throws(Failure) -> NetworkSandbox {
        guard let sandbox = sandbox(id) else { throw Self.notConnected(id) }
        return sandbox
    }

    func describe(_ sandbox: ActiveSandbox, in state: NetworkingState) -> NetworkSandbox {
        NetworkSandbox(
            id: sandbox.request.id, namespace: sandbox.space?.descriptor, endpoints: sandbox.endpoints,
            ports: sandbox.held.map(\.port),
            files: files(of: sandbox, in: state))
    }

    private func files(of sandbox: ActiveSandbox, in state: NetworkingState) -> NameFiles {
        let request = sandbox.request
        let settings = resolver.current.overridden(by: configuration.dns).overridden(by: request.dns)
        let isHost = request.mode == .host
        let resolved =
            if isHost { settings } else if state.needsNameServer(request, sandbox.endpoints, settings) {
                settings.embedded
            } else {
                settings.direct
            }
        let gateway = hostGateway(state)
        return NameFiles(
            hosts: NameFiles.hosts(
                base: isHost ? resolver.hostsFile : nil,
                extra: request.extraHosts.compactMap { NameFiles.extraHost($0, gateway: gateway) },
                addresses: sandbox.endpoints.compactMap(\.ipv4), hostname: isHost ? "" : request.hostname,
                domain: request.domainName),
            resolvConf: resolved.text, hostname: request.hostname + "\n")
    }
}
