internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import Images
internal import JSON
internal import NIOHTTP1
internal import OCI

/// `/images`: what is here, its names and its end.
struct ImageRoutes: Sendable {
    let images: ImageStore
    let containers: ContainerService
    let events: ImageEvents

    static let listFilters: Set<String> = ["before", "dangling", "label", "label!", "reference", "since", "until"]
    static let pruneFilters: Set<String> = ["dangling", "label", "label!", "until"]

    var routes: [Route] {
        [
            Route(.GET, "/images/json", list),
            Route(.POST, "/images/prune", prune),
            Route(.GET, "/images/{name...}/json", inspect),
            Route(.GET, "/images/{name...}/history", history),
            Route(.POST, "/images/{name...}/tag", tag),
            Route(.DELETE, "/images/{name...}", remove),
        ]
    }

    private func list(_ exchange: Exchange) async throws -> Reply {
        let filter = try ImageFilter(try exchange.filters(Self.listFilters), images: images)
        // Below 1.51 the count was always -1.
        let counted = exchange.version >= APIVersion(1, 51)
        let users = counted ? Dictionary(grouping: try everyContainer(), by: \.image) : [:]
        let lines = images.list().filter(filter.matches).map { image in
            var line = ImageShape.summary(image, version: exchange.version)
            if let names = filter.names(of: image) {
                line.repoTags = names.map(\.familiar)
                let repositories = Set(names.map(\.name))
                line.repoDigests = image.shownDigests.filter { repositories.contains($0.name) }.map(\.familiar)
            }
            if counted { line.containers = Int64(users[image.id]?.count ?? 0) }
            return line
        }
        return try .json(lines)
    }

    private func everyContainer() throws -> [ContainerSnapshot] {
        try containers.list(ContainerListRequest(all: true))
    }

    private func inspect(_ exchange: Exchange) async throws -> Reply {
        try .json(ImageShape.inspect(try images.resolve(exchange.name), version: exchange.version))
    }

    private func history(_ exchange: Exchange) async throws -> Reply {
        try .json(
            try images.history(exchange.name).map { entry in
                var line = ImageHistoryEntry()
                line.id = entry.id?.description ?? "<missing>"
                line.created = entry.created
                line.createdBy = entry.createdBy
                line.tags = entry.tags.isEmpty ? nil : entry.tags
                line.size = entry.size
                line.comment = entry.comment
                return line
            })
    }

    private func tag(_ exchange: Exchange) async throws -> Reply {
        let name = try ImageName.parse(exchange.query["repo"] ?? "", tag: exchange.query["tag"])
        guard name.digest == nil else { throw Failure(.invalid, "refusing to create a tag with a digest reference") }
        let image = try images.resolve(exchange.name)
        try await images.tag(image, as: name.withDefaultTag)
        events.tell("tag", image, name: name.withDefaultTag.familiar)
        return Reply(.created)
    }

    private func remove(_ exchange: Exchange) async throws -> Reply {
        let image = try images.resolve(exchange.name)
        let removed = try await images.remove(
            exchange.name, force: exchange.query.flag("force"), prune: !exchange.query.flag("noprune"))
        return try .json(told(removed, image))
    }

    private func prune(_ exchange: Exchange) async throws -> Reply {
        let filters = try exchange.filters(Self.pruneFilters)
        // `dangling` true, the default: only those without a name.
        let all = try filters.flag("dangling").map { !$0 } ?? false
        let filter = try ImageFilter(filters.without("dangling"), images: images)
        let (removed, reclaimed) = try await images.prune(all: all) { filter.matches($0) }
        var answer = ImagesPruneResponse()
        answer.imagesDeleted = removed.map(Self.item)
        answer.spaceReclaimed = reclaimed
        events.pruned(reclaimed: reclaimed)
        return try .json(answer)
    }

    private func told(_ removed: [Removal], _ image: Image) -> [ImageDeleteItem] {
        for removal in removed {
            switch removal {
            case .untagged: events.tell("untag", image, name: image.id.description)
            case .deleted(let id): events.tell("delete", image, name: id.description)
            }
        }
        return removed.map(Self.item)
    }

    private static func item(_ removal: Removal) -> ImageDeleteItem {
        var item = ImageDeleteItem()
        switch removal {
        case .untagged(let name): item.untagged = name
        case .deleted(let id): item.deleted = id.description
        }
        return item
    }
}

/// An image's name in two parameters, as pull, tag and import take it.
enum ImageName {
    /// `tag` may be a digest; a name that has its own tag keeps it when `tag` is empty.
    static func parse(_ name: String, tag: String?) throws(Failure) -> Reference {
        let reference = try Reference(parsing: name)
        guard let tag, !tag.isEmpty else { return reference }
        if tag.contains(":") { return reference.withoutTagOrDigest.with(digest: try Digest(parsing: tag)) }
        return try reference.withoutTagOrDigest.with(validating: tag)
    }
}
