internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import Images
internal import JSON
internal import Linux
internal import NIOCore
internal import NIOHTTP1

/// `/containers`: their life, and what is known of them.
struct ContainerRoutes: Sendable {
    let containers: ContainerService
    let processes: ProcessLister
    let prune: PruneService
    let images: ImageStore

    var routes: [Route] {
        [
            Route(.GET, "/containers/json", list),
            Route(.POST, "/containers/create", create),
            Route(.POST, "/containers/prune", pruneContainers),
            Route(.GET, "/containers/{id}/json", inspect),
            Route(.GET, "/containers/{id}/top", top),
            Route(.POST, "/containers/{id}/start", start),
            Route(.POST, "/containers/{id}/stop", stop),
            Route(.POST, "/containers/{id}/restart", restart),
            Route(.POST, "/containers/{id}/kill", kill),
            Route(.POST, "/containers/{id}/pause", pause),
            Route(.POST, "/containers/{id}/unpause", unpause),
            Route(.POST, "/containers/{id}/rename", rename),
            Route(.POST, "/containers/{id}/resize", resize),
            Route(.DELETE, "/containers/{id}", remove),
        ]
    }

    private var shape: ContainerShape { ContainerShape(images: images) }

    // MARK: What there is

    private func list(_ exchange: Exchange) async throws -> Reply {
        let limit = try exchange.integer("limit").flatMap { $0 > 0 ? $0 : nil }
        let request = ContainerListRequest(
            all: exchange.query.flag("all") || limit != nil, limit: limit,
            filters: try exchange.filters(Filters.containerList))
        let now = Timestamp.now
        let found = try containers.list(request)
        let sizes = exchange.query.flag("size") ? try await containers.sizes(of: found) : [:]
        return try .json(
            found.map { container in
                var line = shape.summary(container, version: exchange.version, now: now)
                line.sizeRw = sizes[container.id]?.written
                line.sizeRootFs = sizes[container.id]?.whole
                return line
            })
    }

    private func inspect(_ exchange: Exchange) async throws -> Reply {
        let container = try containers.inspect(exchange.name)
        var answer = shape.inspect(container, version: exchange.version)
        if exchange.query.flag("size"), let size = try await containers.sizes(of: [container])[container.id] {
            (answer.sizeRw, answer.sizeRootFs) = (size.written, size.whole)
        }
        return try .json(answer)
    }

    private func top(_ exchange: Exchange) async throws -> Reply {
        let format = exchange.query["ps_args"].map { $0.split(separator: " ").map(String.init) } ?? []
        let table = try await processes.top(exchange.name, format: format)
        var answer = ContainerTopResponse()
        answer.titles = table.titles
        answer.processes = table.rows
        return try .json(answer)
    }

    // MARK: Life

    private func create(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.json()
        guard body.objectValue != nil, try await hasBody(body) else {
            throw Failure(.invalid, "config cannot be empty in order to create a container")
        }
        let shaped = try CreateShaping.shape(body, version: exchange.version)
        let platform = exchange.version >= APIVersion(1, 41) ? exchange.query["platform"] : nil
        let result = try await containers.create(
            try CreateRequest(name: exchange.query["name"], platform: platform, body: shaped))
        var answer = ContainerCreateResponse()
        answer.id = result.id
        answer.warnings = result.warnings
        return try .json(answer, .created)
    }

    private func hasBody(_ body: JSON) async throws -> Bool { body.objectValue?.isEmpty == false }

    /// A body has had no meaning here since 1.24 and would be a mistake: only an empty one, or `null`, passes.
    private func start(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.request.body.collect(upTo: 1 << 20)
        guard body.readableBytes <= 7 else {
            throw Failure(
                .invalid,
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
        }
        try await containers.start(exchange.name)
        return .noContent
    }

    private func stop(_ exchange: Exchange) async throws -> Reply {
        try await containers.stop(exchange.name, timeout: try timeout(exchange), signal: signal(exchange))
        return .noContent
    }

    private func restart(_ exchange: Exchange) async throws -> Reply {
        try await containers.restart(exchange.name, timeout: try timeout(exchange), signal: signal(exchange))
        return .noContent
    }

    private func kill(_ exchange: Exchange) async throws -> Reply {
        try await containers.kill(exchange.name, signal: exchange.query["signal"])
        return .noContent
    }

    private func pause(_ exchange: Exchange) async throws -> Reply {
        try await containers.pause(exchange.name)
        return .noContent
    }

    private func unpause(_ exchange: Exchange) async throws -> Reply {
        try await containers.unpause(exchange.name)
        return .noContent
    }

    private func rename(_ exchange: Exchange) async throws -> Reply {
        try await containers.rename(exchange.name, to: exchange.query["name"] ?? "")
        return .noContent
    }

    private func resize(_ exchange: Exchange) async throws -> Reply {
        try await containers.resize(exchange.name, to: try exchange.terminalSize())
        return Reply(.ok)
    }

    private func remove(_ exchange: Exchange) async throws -> Reply {
        guard !exchange.query.flag("link") else {
            throw Failure(.notImplemented, "links between containers are not kept: nothing to remove")
        }
        try await containers.remove(
            exchange.name, force: exchange.query.flag("force"), volumes: exchange.query.flag("v"))
        return .noContent
    }

    private func pruneContainers(_ exchange: Exchange) async throws -> Reply {
        let result = try await prune.containers(try exchange.filters(Filters.containerPrune))
        var answer = ContainersPruneResponse()
        answer.containersDeleted = result.removed
        answer.spaceReclaimed = result.reclaimedBytes
        return try .json(answer)
    }

    private func timeout(_ exchange: Exchange) throws(Failure) -> Int? { try exchange.integer("t") }

    private func signal(_ exchange: Exchange) -> String? {
        exchange.version >= APIVersion(1, 42) ? exchange.query["signal"] : nil
    }
}

extension Exchange {
    /// The size of a terminal: both numbers, or Docker's complaint about the one that is none.
    func terminalSize() throws(Failure) -> TerminalSize {
        func side(_ name: String) throws(Failure) -> UInt16 {
            let text = query[name] ?? ""
            guard let value = UInt16(text) else {
                throw Failure(.invalid, "strconv.ParseUint: parsing \"\(text)\": invalid syntax")
            }
            return value
        }
        return TerminalSize(rows: try side("h"), columns: try side("w"))
    }
}
