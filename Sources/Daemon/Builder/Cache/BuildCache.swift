internal import Failures
internal import Images
internal import JSON
internal import NIOPosix
internal import OCI
internal import Storage

/// What steps made, under the digest of what they were made from: the step's definition, the layers it stands on, and the
/// content it takes in.
///
/// Names and times of images play no part, so no image made elsewhere can pass for a result
/// (CVE-2024-24557).
struct BuildCache: Sendable {
    let rows: BuildCacheRows
    let snapshots: any Snapshotter
    let content: ContentStore
    let pool: NIOThreadPool

    /// One result.
    struct Entry: Sendable, Hashable {
        /// The layer it added, and the chain with it; `nil` when it changed nothing.
        var layer: LayerDescriptor?
        var chain: Digest?
        /// In nanoseconds since 1970.
        var created: Int64
        /// What made it, for people.
        var description: String
    }

    /// How old the note of a use may be before it is written again: writing it each time would cost every cached step a
    /// transaction.
    private static let patience: Int64 = 600 * 1_000_000_000

    /// The result under the key, if all it needs is still here.
    func find(_ key: Digest) async throws -> Entry? {
        guard let row = try await rows.find(key.description), let entry = Entry(row.document) else { return nil }
        if let layer = entry.layer, let chain = entry.chain {
            guard snapshots.contains(chain.description) else { return nil }
            let content = self.content
            guard try await pool.runIfActive({ content.contains(layer.blob.digest) }) else { return nil }
        }
        let now = BuildClock.now()
        if now - row.lastUsed > Self.patience { try await rows.touch(row.key, at: now) }
        return entry
    }

    func save(_ entry: Entry, under key: Digest) async throws {
        let now = BuildClock.now()
        try await rows.save(
            BuildCacheRow(
                key: key.description, layer: entry.chain?.description,
                blobs: entry.layer.map { [$0.blob.digest] } ?? [],
                created: entry.created, lastUsed: now, useCount: 0, size: entry.layer?.blob.size ?? 0,
                document: entry.document))
    }
}

extension BuildCache.Entry {
    /// - Returns: `nil` for a document this version does not understand: the step is run again then.
    fileprivate init?(_ document: [UInt8]) {
        guard let json = try? JSON.parse(document), let created = json["created"]?.intValue else { return nil }
        self.created = created
        description = json["description"]?.stringValue ?? ""
        guard let blob = json["blob"] else { return }
        guard let text = json["diffID"]?.stringValue, let diffID = try? Digest(parsing: text),
            let name = json["chain"]?.stringValue,
            let chain = try? Digest(parsing: name), let descriptor = try? JSONCoder.value(Descriptor.self, from: blob)
        else { return nil }
        layer = LayerDescriptor(blob: descriptor, diffID: diffID)
        self.chain = chain
    }

    fileprivate var document: [UInt8] {
        var object: JSONObject = ["created": .integer(created), "description": .string(description)]
        if let layer, let chain {
            object["chain"] = .string(chain.description)
            object["diffID"] = .string(layer.diffID.description)
            object["blob"] = [
                "mediaType": .string(layer.blob.mediaType.rawValue), "digest": .string(layer.blob.digest.description),
                "size": .integer(layer.blob.size),
            ]
        }
        return JSON.object(object).serialized()
    }
}
