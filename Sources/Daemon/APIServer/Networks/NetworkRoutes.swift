internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import JSON
internal import Linux
internal import NIOHTTP1
internal import Networking

/// `/networks`.
struct NetworkRoutes: Sendable {
    let networks: Networks
    let membership: NetworkService
    let containers: ContainerService
    let prune: PruneService
    let events: EventBus

    var routes: [Route] {
        [
            Route(.GET, "/networks", list),
            Route(.POST, "/networks/create", create),
            Route(.POST, "/networks/prune", pruneNetworks),
            Route(.GET, "/networks/{id}", inspect),
            Route(.DELETE, "/networks/{id}", remove),
            Route(.POST, "/networks/{id}/connect", connect),
            Route(.POST, "/networks/{id}/disconnect", disconnect),
        ]
    }

    private func list(_ exchange: Exchange) async throws -> Reply {
        let filter = try NetworkFilter(try exchange.filters(Filters.networkList))
        // Lists leave the containers out since 1.28; nobody reads them there.
        return try .json(
            networks.list().filter { network in
                filter.matches(network) { !networks.endpoints(of: network.id).isEmpty }
            }.map { NetworkShape.inspect($0, containers: [:]) })
    }

    private func inspect(_ exchange: Exchange) async throws -> Reply {
        let network = try networks.resolve(exchange.name)
        var members: [String: NetworkContainer] = [:]
        for (sandbox, name, endpoint) in networks.endpoints(of: network.id) {
            members[sandbox] = NetworkShape.container(name, endpoint)
        }
        return try .json(NetworkShape.inspect(network, containers: members))
    }

    private func create(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.body(NetworkCreateRequest.self)
        let network = try await networks.create(try NetworkShape.settings(body))
        tell("create", network)
        var answer = NetworkCreateResponse()
        answer.id = network.id
        return try .json(answer, .created)
    }

    private func remove(_ exchange: Exchange) async throws -> Reply {
        tell("destroy", try await networks.remove(exchange.name))
        return .noContent
    }

    private func connect(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.json().objectValue ?? JSONObject()
        let settings = body.caseInsensitive("EndpointConfig") ?? .null
        let container = body.caseInsensitive("Container")?.stringValue ?? ""
        try await membership.connect(
            exchange.name, container: container,
            settings: try Engine.EndpointSettings(
                network: exchange.name, json: settings.isNull ? .object(JSONObject()) : settings))
        return Reply(.ok)
    }

    private func disconnect(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.body(NetworkDisconnectRequest.self)
        try await membership.disconnect(exchange.name, container: body.container, force: body.force)
        return Reply(.ok)
    }

    private func pruneNetworks(_ exchange: Exchange) async throws -> Reply {
        var answer = NetworksPruneResponse()
        answer.networksDeleted = try await prune.networks(try exchange.filters(Filters.networkPrune)).removed
        return try .json(answer)
    }

    private func tell(_ action: String, _ network: Network) {
        events.publish(
            Event(
                .network, action, actor: network.id,
                attributes: ["name": network.name, "type": network.driver.rawValue]))
    }
}
