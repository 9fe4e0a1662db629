internal import Failures
internal import Images
internal import JSON
internal import Linux
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
    /// What this build rests on.
    let hold: CacheUses.Hold

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

    /// The result under the key, if all it needs is still here; a record whose layer is gone is dropped.
    func find(_ key: Digest) async throws -> Entry? {
        guard hold.take(key.description) else { return nil }
        guard let row = try await rows.find(key.description) else { return nil }
        guard let entry = Entry(row.document), try await isWhole(entry) else {
            try await rows.remove([row.key])
            return nil
        }
        let now = WallTime.now().total
        // Writing each use down would cost every cached step a transaction.
        if now - row.lastUsed > CachePruning.moment { try await rows.touch(row.key, at: now) }
        return entry
    }

    private func isWhole(_ entry: Entry) async throws -> Bool {
        guard let layer = entry.layer, let chain = entry.chain else { return true }
        guard snapshots.contains(chain.description) else { return false }
        let content = self.content
        return try await pool.runIfActive { content.contains(layer.blob.digest) }
    }

    func save(_ entry: Entry, under key: Digest) async throws {
        // One that is just being removed comes back with this; its removal may take it along, which costs a step later.
        _ = hold.take(key.description)
        let now = WallTime.now().total
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
    init?(_ document: [UInt8]) {
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
