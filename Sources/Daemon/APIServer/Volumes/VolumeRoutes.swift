internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import JSON
internal import NIOHTTP1

/// `/volumes`.
struct VolumeRoutes: Sendable {
    let volumes: VolumeService
    let prune: PruneService

    var routes: [Route] {
        [
            Route(.GET, "/volumes", list),
            Route(.POST, "/volumes/create", create),
            Route(.POST, "/volumes/prune", pruneVolumes),
            Route(.GET, "/volumes/{name...}", inspect),
            Route(.DELETE, "/volumes/{name...}", remove),
        ]
    }

    private func list(_ exchange: Exchange) async throws -> Reply {
        var answer = VolumeListResponse()
        answer.volumes = try volumes.list(try exchange.filters(Filters.volumeList)).map(Self.shape)
        return try .json(answer)
    }

    private func create(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.body(VolumeCreateRequest.self)
        var request = VolumeRequest(name: body.name)
        if let driver = body.driver, !driver.isEmpty { request.driver = driver }
        request.options = body.driverOptions ?? [:]
        request.labels = body.labels ?? [:]
        return try .json(Self.shape(try await volumes.create(request)), .created)
    }

    private func inspect(_ exchange: Exchange) async throws -> Reply {
        try .json(Self.shape(try volumes.inspect(exchange.name)))
    }

    private func remove(_ exchange: Exchange) async throws -> Reply {
        try await volumes.remove(exchange.name, force: exchange.query.flag("force"))
        return .noContent
    }

    /// Named volumes are data: since 1.42 they are only pruned when that is asked for.
    private func pruneVolumes(_ exchange: Exchange) async throws -> Reply {
        let filters = try exchange.filters(Filters.volumePrune)
        let all = try filters.flag("all") ?? false
        let result = try await prune.volumes(filters, all: all || exchange.version < APIVersion(1, 42))
        var answer = VolumesPruneResponse()
        answer.volumesDeleted = result.removed
        answer.spaceReclaimed = result.reclaimedBytes
        return try .json(answer)
    }

    static func shape(_ volume: Engine.Volume) -> DockerAPI.Volume {
        var answer = DockerAPI.Volume()
        answer.createdAt = volume.created.rfc3339
        answer.driver = volume.driver
        answer.labels = volume.labels.isEmpty ? nil : volume.labels
        answer.mountpoint = volume.mountpoint
        answer.name = volume.name
        answer.options = volume.options.isEmpty ? nil : volume.options
        answer.scope = "local"
        return answer
    }
}
