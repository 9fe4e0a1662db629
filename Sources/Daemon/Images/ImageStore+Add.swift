public import Failures
internal import Linux
internal import NIOPosix
public import OCI
internal import Storage

extension ImageStore {
    /// Makes an image of a configuration and layers that are stored and unpacked, and names it.
    ///
    /// The manifest is made deterministically: the same configuration and layers give the same id, and nothing new.
    ///
    /// - Parameters:
    ///   - config: the document whose `rootfs.diff_ids` are the layers', byte for byte as it will be kept.
    ///   - layers: bottom first; blobs in the content store, snapshots under their chain ids.
    ///   - names: each taken from whichever image had it.
    public func add(
        config: [UInt8], layers: [LayerDescriptor], names: [Reference] = []
    ) async throws(Failure) -> Image {
        let parsed = try ImageConfig(parsing: config)
        guard parsed.rootfs.diffIDs == layers.map(\.diffID) else {
            throw Failure(.invalid, "the configuration's diff_ids are not those of the layers")
        }
        let manifest = Manifest(
            config: Descriptor(
                mediaType: .ociConfig, digest: Digest(sha256: SHA256Sum.of(config)), size: Int64(config.count)),
            layers: layers.map(\.blob))
        return try await add(manifest, try manifest.encoded(), config: config, names: names, sizes: nil)
    }

    /// Keeps manifest and configuration beside layers that are here, and makes the image.
    ///
    /// - Parameters:
    ///   - sizes: what unpacking found, nil to ask the snapshots.
    ///   - lease: what keeps the layers meanwhile; one is taken where there is none.
    func add(
        _ manifest: Manifest, _ bytes: [UInt8], config: [UInt8], names: [Reference], sizes: [LayerSize]?,
        repoDigests: [Reference] = [], index: [UInt8]? = nil, lease: String? = nil
    ) async throws(Failure) -> Image {
        let digest = Digest(sha256: SHA256Sum.of(bytes))
        let targets = try LayerTarget.targets(manifest, try ImageConfig(parsing: config))
        let held: String
        if let lease { held = lease } else { held = try await hold(digest, manifest, targets, index: index) }
        let (content, snapshots) = (self.content, self.snapshots)
        try await pool.blocking { () throws(Failure) in
            for target in targets {
                guard content.contains(target.blob.digest), snapshots.contains(target.chain.description) else {
                    throw Failure(.internal, "layer \(target.blob.digest) of the new image is not stored")
                }
            }
            try content.put(config)
            try content.put(bytes)
            if let index { try content.put(index) }
            // A row says that all this is here, also after a power cut. What was here before was synced then.
            let isNew = self.image(digest) == nil || (sizes?.contains { $0 != .unknown } ?? false)
            if isNew {
                try content.sync()
                try snapshots.sync()
            }
        }
        var record = ImageRecord(
            descriptor: Descriptor(
                mediaType: manifest.mediaType ?? .ociManifest, digest: digest, size: Int64(bytes.count)))
        record.repoDigests = repoDigests.sorted()
        record.layerSizes = try await layerSizes(targets, sizes)
        if let index { record.kept = [Digest(sha256: SHA256Sum.of(index))] }
        let image = try Image(record: record, manifest: bytes, arrived: WallTime.now().total) { _ in config }
        return try await save(image, names: names.map(\.withDefaultTag), lease: held)
    }

    /// Promises to keep everything an image is made of while it comes, for a day should nobody finish it.
    func hold(
        _ id: Digest, _ manifest: Manifest, _ targets: [LayerTarget], index: [UInt8]? = nil
    ) async throws(Failure) -> String {
        var resources: [LeaseResource] = [.blob(id), .blob(manifest.config.digest)]
        if let index { resources.append(.blob(Digest(sha256: SHA256Sum.of(index)))) }
        for target in targets {
            resources.append(.blob(target.blob.digest))
            resources.append(.snapshot(target.chain.description))
        }
        let now = WallTime.now().total
        let lease = LeaseRow(
            id: "image-\(id)", created: now, expires: now + 86400 * 1_000_000_000, resources: resources)
        try await metadata.leases.save(lease)
        return lease.id
    }

    /// Breaks a promise that nobody goes on with, and frees what only it kept.
    func abandon(_ lease: String) async {
        // Also for a task that was called off: what nobody wants takes room.
        await Task {
            try? await metadata.leases.release(lease)
            await freeUnneeded()
        }.value
    }

    /// What each layer holds: as unpacked now, as another image knows it, or as its snapshot says.
    private func layerSizes(_ targets: [LayerTarget], _ sizes: [LayerSize]?) async throws(Failure) -> [Int64] {
        var known: [Digest: Int64] = [:]
        for image in list() {
            for (chain, size) in zip(image.chainIDs, image.record.layerSizes) { known[chain] = size }
        }
        let snapshots = self.snapshots
        var result: [Int64] = []
        for (index, target) in targets.enumerated() {
            if let sizes, case .files(let bytes) = sizes[index] {
                result.append(bytes)
            } else if let bytes = known[target.chain] {
                result.append(bytes)
            } else {
                result.append(
                    try await pool.blocking { () throws(Failure) in try snapshots.usage(target.chain.description).bytes
                    })
            }
        }
        return result
    }
}
