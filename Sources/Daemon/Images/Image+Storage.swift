internal import Failures
internal import JSON
internal import OCI
internal import Storage

extension Image {
    /// The image of a row, its documents read from their blobs.
    ///
    /// Blocks.
    init(row: ImageRow, content: ContentStore) throws(Failure) {
        let record: ImageRecord
        do { record = try JSONCoder.decode(ImageRecord.self, from: row.document) } catch {
            throw Failure(.internal, "the record of image \(row.id) cannot be read", cause: error)
        }
        try self.init(
            record: record, manifest: try content.read(row.id, limit: ManifestDocument.maximumBytes),
            arrived: row.created
        ) { (digest) throws(Failure) in
            try content.read(digest, limit: ImageConfig.maximumBytes)
        }
    }

    /// The image of a manifest's bytes and the configuration it names.
    init(
        record: ImageRecord, manifest bytes: [UInt8], arrived: Int64, config: (Digest) throws(Failure) -> [UInt8]
    ) throws(Failure) {
        guard case .manifest(let manifest) = try ManifestDocument(parsing: bytes) else {
            throw Failure(.invalid, "\(record.descriptor.digest) is an index, not an image")
        }
        let config = try ImageConfig(parsing: try config(manifest.config.digest))
        self.init(record: record, manifest: manifest, config: config, arrived: arrived)
    }

    /// The layers as the transfer deals with them.
    var targets: [LayerTarget] {
        get throws(Failure) { try LayerTarget.targets(manifest, config) }
    }
}

extension Image {
    /// The steps that made it, newest first.
    ///
    /// A history that does not fit the layers loses only its sizes.
    var history: [HistoryEntry] {
        var layer = 0
        var entries: [HistoryEntry] = []
        var steps = config.history
        // Images of other tools have layers without a history: each is a step of its own.
        let told = steps.count { !$0.emptyLayer }
        for _ in told..<max(told, config.rootfs.diffIDs.count) { steps.insert(ImageConfig.History(), at: 0) }
        for step in steps {
            var size: Int64 = 0
            if !step.emptyLayer {
                if layer < record.layerSizes.count { size = record.layerSizes[layer] }
                layer += 1
            }
            entries.append(
                HistoryEntry(
                    id: nil, created: Timestamp.seconds(step.created), createdBy: step.createdBy ?? "",
                    comment: step.comment ?? "", size: size, tags: []))
        }
        guard let last = entries.popLast() else { return [] }
        entries.append(
            HistoryEntry(
                id: id, created: last.created, createdBy: last.createdBy, comment: last.comment, size: last.size,
                tags: names.map(\.familiar)))
        return entries.reversed()
    }
}
