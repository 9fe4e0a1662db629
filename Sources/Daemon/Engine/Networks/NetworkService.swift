public import Failures
internal import Linux
public import Networking

/// Networks as containers see them: thin over `Networking`, plus who is attached where and the events.
public final class NetworkService: Sendable {
    private let networks: Networks
    private let containers: ContainerService

    public init(networks: Networks, containers: ContainerService) {
        (self.networks, self.containers) = (networks, containers)
    }

    /// Makes a network.
    ///
    /// - Throws: `conflict` when the name is taken.
    public func create(_ settings: NetworkSettings) async throws(Failure) -> Network {
        let network = try await networks.create(settings)
        tell("create", network)
        return network
    }

    /// Removes a network that no running container is attached to.
    public func remove(_ reference: String) async throws(Failure) {
        tell("destroy", try await networks.remove(reference))
    }

    /// Joins a container to a network, live when it runs.
    ///
    /// - Throws: `forbidden` "endpoint with name x already exists in network y" when it is joined already.
    public func connect(_ network: String, container: String, settings: EndpointSettings) async throws(Failure) {
        let container = try containers.index.resolve(container)
        let network = try networks.resolve(network)
        guard network.driver == .bridge else {
            throw Failure(
                .forbidden, "container cannot be connected to \(network.name) network: it is chosen at creation only")
        }
        guard container.host.networkMode != "host", NetworkPlan.sharedWith(container.host.networkMode) == nil else {
            throw Failure(
                .forbidden,
                "container sharing network namespace with another container or host cannot be connected to any other network"
            )
        }
        let request = try NetworkPlan.endpoint(settings)
        try await container.queue.run { () throws(Failure) in
            try await self.connect(container, to: network, settings: settings, request)
        }
    }

    private func connect(
        _ container: Container, to network: Network, settings: EndpointSettings, _ request: EndpointRequest
    ) async throws(Failure) {
        let (isThere, isRunning, wasIsolated) = container.withLock { state in
            (
                state.record.networks.contains { $0.networkID == network.id || $0.networkName == network.name },
                state.task != nil, state.record.networks.map(\.networkName) == ["none"]
            )
        }
        guard !isThere else {
            throw Failure(.forbidden, "endpoint with name \(container.name) already exists in network \(network.name)")
        }
        guard !wasIsolated else {
            throw Failure(
                .forbidden,
                "container cannot be connected to multiple networks with one of the networks in private (none) mode")
        }
        let sandbox = isRunning ? try await networks.connect(container.id, to: request) : nil
        container.withLock { state in
            state.record.networks.append(
                NetworkAttachment(settings: settings, networkName: network.name, networkID: network.id))
            if let sandbox { state.apply(sandbox) { $0.endpoints.append(request) } }
        }
        do throws(Failure) {
            try await settle(container, sandbox)
        } catch {
            container.withLock { $0.record.networks.removeAll { $0.networkID == network.id } }
            if isRunning, let sandbox = try? await networks.disconnect(container.id, from: network.id, force: true) {
                container.withLock { state in state.apply(sandbox) { $0.endpoints.removeAll { $0 == request } } }
            }
            throw error
        }
        containers.tell("connect", container, network: network.id, name: network.name)
    }

    /// Takes a container off a network, live when it runs.
    public func disconnect(_ network: String, container: String, force: Bool = false) async throws(Failure) {
        let container = try containers.index.resolve(container)
        let network = try networks.resolve(network)
        try await container.queue.run { () throws(Failure) in
            let (isThere, isRunning) = container.withLock { state in
                (
                    state.record.networks.contains { $0.networkID == network.id || $0.networkName == network.name },
                    state.task != nil
                )
            }
            guard isThere else {
                if force { return }
                throw Failure(.forbidden, "container \(container.id) is not connected to network \(network.name)")
            }
            guard network.driver != .host else {
                throw Failure(
                    .forbidden, "container cannot be disconnected from host network or connected to host network")
            }
            let sandbox =
                isRunning ? try await self.networks.disconnect(container.id, from: network.id, force: force) : nil
            container.withLock { state in
                state.record.networks.removeAll { $0.networkID == network.id || $0.networkName == network.name }
                if let sandbox {
                    state.apply(sandbox) {
                        $0.endpoints.removeAll { $0.network == network.name || $0.network == network.id }
                    }
                }
            }
            try await self.settle(container, sandbox)
            self.containers.tell("disconnect", container, network: network.id, name: network.name)
        }
    }

    /// Puts what changed on record and into the name files.
    private func settle(_ container: Container, _ sandbox: NetworkSandbox?) async throws(Failure) {
        if let files = sandbox?.files {
            let writer = NameFileWriter(containers.configuration, container.id)
            try await containers.pool.blocking { () throws(Failure) in try writer.write(files) }
        }
        try await containers.save(container)
    }

    private func tell(_ action: String, _ network: Network) {
        containers.events.publish(
            Event(
                .network, action, actor: network.id,
                attributes: ["name": network.name, "type": network.driver.rawValue]))
    }
}

extension Container.Mutable {
    /// Takes over a network that changed while the container runs.
    mutating func apply(_ sandbox: NetworkSandbox, _ change: (inout SandboxRequest) -> Void) {
        record.apply(endpoints: sandbox.endpoints)
        guard var kept = record.sandbox else { return }
        change(&kept.request)
        kept.endpoints = sandbox.endpoints
        kept.ports = sandbox.ports
        record.sandbox = kept
    }
}
