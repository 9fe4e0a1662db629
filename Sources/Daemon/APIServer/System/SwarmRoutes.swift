internal import Failures
internal import HTTPServer
internal import JSON
internal import NIOHTTP1

/// What belongs to a swarm: refused in the words by which clients tell that there is none, or listed as empty.
struct SwarmRoutes: Sendable {
    var routes: [Route] {
        let refused = ["swarm", "nodes", "services", "tasks", "secrets", "configs"]
        return refused.flatMap { noun in
            [HTTPMethod.GET, .POST, .DELETE].flatMap { method in
                [Route(method, "/\(noun)", refuse), Route(method, "/\(noun)/{rest...}", refuse)]
            }
        } + [Route(.GET, "/plugins", { _ in .json(tree: []) })]
    }

    private func refuse(_ exchange: Exchange) async throws -> Reply {
        throw Failure(
            .unavailable,
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."
        )
    }
}
