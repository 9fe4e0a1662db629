internal import Builder
internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import Images
internal import JSON
internal import Linux
internal import NIOCore
internal import NIOHTTP1
internal import OCI

/// `/images/create`, `push`, `load` and `get`: images on their way in and out.
struct TransferRoutes: Sendable {
    let images: ImageStore
    let puller: ImagePuller
    let pusher: ImagePusher
    let archive: ImageArchive
    let importer: ImageImporter
    let registries: Registries
    let events: ImageEvents

    var routes: [Route] {
        [
            Route(.POST, "/images/create", create),
            Route(.POST, "/images/load", load),
            Route(.GET, "/images/get", { try await save($0, $0.query.all("names")) }),
            Route(.GET, "/images/{name...}/get", { try await save($0, [$0.name]) }),
            Route(.POST, "/images/{name...}/push", push),
            Route(.GET, "/distribution/{name...}/json", describe),
            Route(.POST, "/auth", login),
        ]
    }

    private func create(_ exchange: Exchange) async throws -> Reply {
        if let source = exchange.query["fromSrc"], !source.isEmpty { return try importRootfs(exchange, source) }
        return try pull(exchange)
    }

    // MARK: Registries

    /// A name without a tag means all tags, as does one that ends in a colon.
    private func pull(_ exchange: Exchange) throws -> Reply {
        let name = exchange.query["fromImage"] ?? ""
        let reference = try ImageName.parse(
            name.hasSuffix(":") ? String(name.dropLast()) : name, tag: exchange.query["tag"])
        let platform = try Self.platform(exchange.query["platform"])
        let credentials = Self.credentials(exchange)
        return .progress { lines in
            let tell: @Sendable (TransferProgress) -> Void = {
                lines.send(ProgressMessage($0), droppable: $0.isCounter)
            }
            guard reference.isNameOnly else {
                let result = try await puller.pull(
                    reference, platform: platform, credentials: credentials, progress: tell)
                return events.tell("pull", result.image, name: reference.familiar)
            }
            let results = try await puller.pullAllTags(
                reference, platform: platform, credentials: credentials, progress: tell)
            for result in results { events.tell("pull", result.image, name: reference.familiar) }
        }
    }

    private func push(_ exchange: Exchange) async throws -> Reply {
        let reference = try ImageName.parse(exchange.name, tag: exchange.query["tag"])
        let credentials = Self.credentials(exchange)
        return .progress { lines in
            let image = try await pusher.push(reference, credentials: credentials) {
                lines.send(ProgressMessage($0), droppable: $0.isCounter)
            }
            events.tell("push", image, name: reference.withDefaultTag.familiar)
        }
    }

    private func describe(_ exchange: Exchange) async throws -> Reply {
        let reference = try Reference(parsing: exchange.name).withDefaultTag
        let found = try await registries.describe(reference, credentials: Self.credentials(exchange))
        var answer = DistributionInspect()
        answer.descriptor = try JSONCoder.tree(found.descriptor)
        answer.platforms = try JSONCoder.tree(found.platforms)
        return try .json(answer)
    }

    private func login(_ exchange: Exchange) async throws -> Reply {
        guard let credentials = Credentials(json: try await exchange.json()) else {
            throw Failure(.unauthorized, "unauthorized: no username and password were given")
        }
        try await registries.login(credentials)
        var answer = AuthResponse()
        answer.status = "Login Succeeded"
        return try .json(answer)
    }

    /// What cannot be read counts as none, on pull and push alike.
    private static func credentials(_ exchange: Exchange) -> Credentials? {
        exchange.request.headers.first(name: "x-registry-auth").flatMap { Credentials(header: $0) }
    }

    // MARK: Archives

    private func load(_ exchange: Exchange) async throws -> Reply {
        let platform = try Self.platform(exchange.query["platform"])
        let quiet = exchange.query.flag("quiet")
        return .progress { lines in
            let loaded = try await archive.load(from: exchange.request.body, platform: platform) { progress in
                if quiet, progress.stream == nil { return }
                lines.send(ProgressMessage(progress), droppable: progress.isCounter)
            }
            for image in loaded { events.tell("load", image, name: image.id.description) }
        }
    }

    private func save(_ exchange: Exchange, _ names: [String]) async throws -> Reply {
        guard !names.isEmpty else { throw Failure(.invalid, "no image is named: say which with names=") }
        let chosen = try names.map { try images.resolve($0) }
        let stream = try await archive.save(names)
        for image in chosen { events.tell("save", image, name: image.id.description) }
        return Reply(
            .ok, headers: ["Content-Type": "application/x-tar"],
            body: .stream { writer in
                for try await bytes in stream { try await writer.write(bytes) }
            }, endsWithClient: true)
    }

    private func importRootfs(_ exchange: Exchange, _ source: String) throws -> Reply {
        guard source == "-" else {
            throw Failure(.notImplemented, "importing from \(source) is not supported: send the archive in the request")
        }
        let query = exchange.query
        let repository = query["repo"] ?? ""
        let name = repository.isEmpty ? nil : try ImageName.parse(repository, tag: query["tag"]).withDefaultTag
        let platform = try Self.platform(query["platform"])
        let config = try DockerfileChanges.config(query.all("changes").filter { !$0.isEmpty })
        let message = query["message"] ?? ""
        return .progress { lines in
            let image = try await importer.importRootfs(
                from: exchange.request.body, name: name, config: config,
                message: message.isEmpty ? "Imported from \(source)" : message, platform: platform
            ) { lines.send(ProgressMessage($0), droppable: $0.isCounter) }
            events.tell("import", image, name: name?.familiar ?? image.id.description)
        }
    }

    /// `os/arch[/variant]`, or the object that newer calls send.
    static func platform(_ text: String?) throws(Failure) -> Platform? {
        guard let text, !text.isEmpty else { return nil }
        guard text.hasPrefix("{") else { return try Platform(parsing: text) }
        guard let json = try? JSON.parse(text), let os = json["os"]?.stringValue,
            let architecture = json["architecture"]?.stringValue
        else { throw Failure(.invalid, "invalid platform: \(text)") }
        return Platform(architecture: architecture, os: os, variant: json["variant"]?.stringValue)
    }
}
