internal import Builder
internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import JSON
internal import NIOHTTP1

/// `/build`: a context in, an image out, told as Docker's classic builder tells it.
struct BuildRoutes: Sendable {
    let builder: BuildService
    let events: EventBus

    var routes: [Route] {
        [
            Route(.POST, "/build", build),
            Route(.POST, "/build/prune", prune),
        ]
    }

    private func build(_ exchange: Exchange) async throws -> Reply {
        guard exchange.query["version"] != "2" else {
            throw Failure(.notImplemented, "BuildKit builds over /build are not supported: set DOCKER_BUILDKIT=0")
        }
        guard exchange.query["remote", default: ""].isEmpty else {
            throw Failure(.notImplemented, "building from a remote context is not supported: send the context")
        }
        let request = try BuildQuery.request(exchange)
        return .progress { lines in
            let result = try await builder.build(request, context: exchange.request.body) { event in
                for message in Self.messages(event, quiet: request.quiet) { lines.send(message) }
            }
            if request.quiet {
                var message = ProgressMessage()
                message.stream = "\(result.imageID)\n"
                lines.send(message)
            }
        }
    }

    /// What is told of an event: its line, and before `Successfully built` the id as data, which docker-py waits for.
    private static func messages(_ event: BuildEvent, quiet: Bool) -> [ProgressMessage] {
        var messages: [ProgressMessage] = []
        switch event {
        case .built, .tagged:
            if quiet { return [] }
        default: break
        }
        if case .built(let id) = event {
            var message = ProgressMessage()
            message.aux = ["ID": .string(id)]
            messages.append(message)
        }
        if let message = ProgressMessage(event) { messages.append(message) }
        return messages
    }

    private func prune(_ exchange: Exchange) async throws -> Reply {
        let (removed, reclaimed) = try await builder.prune(try BuildQuery.pruning(exchange))
        events.publish(Event(.builder, "prune", actor: "", attributes: ["reclaimed": String(reclaimed)]))
        var answer = BuildPruneResponse()
        answer.cachesDeleted = removed
        answer.spaceReclaimed = reclaimed
        return try .json(answer)
    }
}

extension Query {
    subscript(name: String, default fallback: String) -> String { self[name] ?? fallback }
}
