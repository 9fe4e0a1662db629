public import Failures
public import JSON

/// What an image says of itself: how to start it, its layers' digests, its history.
///
/// Members that Skiff does not know are kept and written back, so that a config derived from another (build, commit)
/// loses nothing. What was pulled is never re-encoded: its bytes are its identity and stay in the content store.
/// See the OCI image specification, config.md, and Docker's image specification v1.2 for its additions.
public struct ImageConfig: Sendable, Hashable {
    public var architecture: String
    public var os: String
    public var variant: String?
    /// RFC 3339.
    public var created: String?
    public var author: String?
    public var config: Config?
    public var rootfs: RootFS
    public var history: [History]
    /// Members this type does not name.
    public var unknown: JSONObject

    /// The uncompressed layers, bottom first.
    public struct RootFS: Sendable, Hashable {
        public var type: String
        public var diffIDs: [Digest]

        public init(diffIDs: [Digest]) {
            type = "layers"
            self.diffIDs = diffIDs
        }
    }

    /// One step that made the image; an empty layer has no entry in ``RootFS/diffIDs``.
    public struct History: Sendable, Hashable {
        public var created: String?
        public var createdBy: String?
        public var author: String?
        public var comment: String?
        public var emptyLayer: Bool

        public init(
            created: String? = nil, createdBy: String? = nil, author: String? = nil, comment: String? = nil,
            emptyLayer: Bool = false
        ) {
            self.created = created
            self.createdBy = createdBy
            self.author = author
            self.comment = comment
            self.emptyLayer = emptyLayer
        }
    }

    public init(
        platform: Platform = .host, created: String? = nil, config: Config? = nil, diffIDs: [Digest] = [],
        history: [History] = []
    ) {
        architecture = platform.architecture
        os = platform.os
        variant = platform.variant
        self.created = created
        self.config = config
        rootfs = RootFS(diffIDs: diffIDs)
        self.history = history
        unknown = [:]
    }

    public var platform: Platform { Platform(architecture: architecture, os: os, variant: variant) }

    /// Configs carry the whole build history, and Labels can be long; beyond this it is an attack on memory.
    public static let maximumBytes = 8 << 20

    public init(parsing bytes: [UInt8]) throws(Failure) {
        let tree: JSON
        do {
            tree = try JSON.parse(bytes, limits: JSON.Limits(bytes: Self.maximumBytes, values: 500_000))
        } catch {
            throw Failure(.invalid, "invalid image config: \(error)", cause: error)
        }
        try self.init(json: tree)
    }

    public init(json: JSON) throws(Failure) {
        var members = try Members(json, of: "image config")
        architecture = try members.string("architecture") ?? ""
        os = try members.string("os") ?? ""
        variant = try members.string("variant")
        created = try members.string("created")
        author = try members.string("author")
        if let value = try members.object("config") {
            config = try Config(members: value)
        }
        guard var layers = try members.object("rootfs") else {
            throw Failure(.invalid, "invalid image config: rootfs is missing")
        }
        rootfs = RootFS(diffIDs: [])
        rootfs.type = try layers.string("type") ?? "layers"
        for text in try layers.strings("diff_ids") ?? [] { rootfs.diffIDs.append(try Digest(parsing: text)) }
        history = []
        for var entry in try members.objects("history") { history.append(try History(members: &entry)) }
        // Builders leave entries out, so fewer are fine; more would name layers that do not exist.
        guard history.count(where: { !$0.emptyLayer }) <= rootfs.diffIDs.count else {
            throw Failure(.invalid, "invalid image config: history has more layers than rootfs.diff_ids")
        }
        unknown = members.rest
    }

    public var json: JSON {
        var object = JSONObject()
        object["created"] = created.map { .string($0) }
        object["author"] = author.map { .string($0) }
        object["architecture"] = .string(architecture)
        object["variant"] = variant.map { .string($0) }
        object["os"] = .string(os)
        object["config"] = config?.json
        object["rootfs"] = ["type": .string(rootfs.type), "diff_ids": JSON(rootfs.diffIDs.map(\.description))]
        if !history.isEmpty { object["history"] = .array(history.map(\.json)) }
        return .object(object.merging(unknown))
    }

    /// The document as it is hashed and stored.
    public func encoded() -> [UInt8] { json.serialized() }
}

extension ImageConfig.History {
    init(members: inout Members) throws(Failure) {
        created = try members.string("created")
        createdBy = try members.string("created_by")
        author = try members.string("author")
        comment = try members.string("comment")
        emptyLayer = try members.bool("empty_layer") ?? false
    }

    var json: JSON {
        var object = JSONObject()
        object["created"] = created.map { .string($0) }
        object["created_by"] = createdBy.map { .string($0) }
        object["author"] = author.map { .string($0) }
        object["comment"] = comment.map { .string($0) }
        if emptyLayer { object["empty_layer"] = true }
        return .object(object)
    }
}

extension ImageConfig: Codable {
    public init(from decoder: any Decoder) throws { try self.init(json: JSON(from: decoder)) }
    public func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }
}
