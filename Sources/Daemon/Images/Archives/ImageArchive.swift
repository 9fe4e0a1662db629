internal import Archive
public import Failures
internal import Linux
public import NIOCore
internal import NIOPosix
public import OCI
internal import Storage

/// Images as files: docker-archive and OCI layout, read and written as streams.
///
/// Loading reads the stream once. Layers are written to the content store and unpacked while they come, because archives
/// say what they hold only at their end; what turns out not to be wanted is dropped.
public final class ImageArchive: Sendable {
    let store: ImageStore
    let layers: LayerStore

    public init(store: ImageStore, layers: LayerStore) {
        self.store = store
        self.layers = layers
    }

    /// Takes the images of an archive in, packed or not.
    ///
    /// - Parameters:
    ///   - platform: which image to take where the archive has several under one name.
    ///   - progress: layers as they come, then one `Loaded image` per name, in Docker's words.
    /// - Throws: `invalid` for what is no archive of images, or lies about a digest.
    public func load<Body: AsyncSequence & Sendable>(
        from body: Body, platform: Platform? = nil, progress: @escaping ProgressSink
    ) async throws(Failure) -> [Image] where Body.Element == ByteBuffer {
        let layers = self.layers
        let (intake, failure) = await BlockingBody.reading(body, on: layers.stages) {
            stream -> (ArchiveIntake, Failure?) in
            var intake = ArchiveIntake()
            do throws(Failure) {
                try intake.read(stream, into: layers, progress: progress)
                return (intake, nil)
            } catch {
                return (intake, error)
            }
        } onFailure: {
            (ArchiveIntake(), $0)
        }
        do throws(Failure) {
            if let failure { throw failure }
            let images = try await take(intake, platform, progress)
            await drop(intake)
            return images
        } catch {
            await drop(intake)
            throw error
        }
    }

    private func drop(_ intake: ArchiveIntake) async {
        for blob in intake.blobs.values {
            await blob.dropDraft(layers)
            await layers.pool.cleaningUp { blob.ingest.discard() }
        }
    }

    private func take(
        _ intake: ArchiveIntake, _ platform: Platform?, _ progress: ProgressSink
    ) async throws(Failure) -> [Image] {
        let contents = ArchiveContents(platform: platform) { intake.document($0) }
        var images: [Image] = []
        for entry in try contents.entries() {
            let image = try await LoadedImage(entry: entry, intake: intake, store: store, layers: layers).take()
            images.append(image)
            for name in entry.names { progress(.loaded(name)) }
            if entry.names.isEmpty { progress(.loadedDangling(image.id)) }
        }
        return images
    }
}

/// One image of an archive on its way into the store.
private struct LoadedImage: Sendable {
    let entry: ArchiveContents.Entry
    let intake: ArchiveIntake
    let store: ImageStore
    let layers: LayerStore

    func take() async throws(Failure) -> Image {
        let config = try ImageConfig(parsing: entry.config)
        let descriptors = try await descriptors(config)
        let manifest: Manifest
        let bytes: [UInt8]
        if let own = entry.manifest {
            guard case .manifest(let parsed) = try ManifestDocument(parsing: own) else {
                throw Failure(.invalid, "the archive's manifest is an index")
            }
            (manifest, bytes) = (parsed, own)
        } else {
            manifest = Manifest(
                config: Descriptor(mediaType: .ociConfig, digest: entry.configDigest, size: Int64(entry.config.count)),
                layers: descriptors)
            bytes = try manifest.encoded()
        }
        let targets = try LayerTarget.targets(manifest, config)
        let lease = try await store.hold(Digest(sha256: SHA256Sum.of(bytes)), manifest, targets)
        do throws(Failure) {
            var sizes: [LayerSize] = []
            for (target, layer) in zip(targets, entry.layers) {
                sizes.append(try await make(target, intake.blob(layer.path)))
            }
            return try await store.add(
                manifest, bytes, config: entry.config, names: entry.names, sizes: sizes, lease: lease)
        } catch {
            await store.abandon(lease)
            throw error
        }
    }

    /// What each layer's file is, where no manifest says it.
    private func descriptors(_ config: ImageConfig) async throws(Failure) -> [Descriptor] {
        guard entry.layers.count == config.rootfs.diffIDs.count else {
            throw Failure(
                .invalid,
                "the archive lists \(entry.layers.count) layers, the configuration \(config.rootfs.diffIDs.count)")
        }
        var descriptors: [Descriptor] = []
        for (layer, diffID) in zip(entry.layers, config.rootfs.diffIDs) {
            if let descriptor = layer.descriptor {
                descriptors.append(descriptor)
                continue
            }
            guard let blob = intake.blob(layer.path) else {
                throw Failure(.invalid, "the archive lacks layer \(layer.path.prefix(200))")
            }
            let digest: Digest
            if blob.compression == .none {
                digest = diffID
            } else {
                digest = try await layers.stages.blocking { () throws(Failure) in try blob.digest() }
            }
            descriptors.append(Descriptor(mediaType: blob.compression.layerType, digest: digest, size: blob.size))
        }
        return descriptors
    }

    /// Makes blob and snapshot of a layer what they should be, or finds them here.
    private func make(_ target: LayerTarget, _ spooled: SpooledBlob?) async throws(Failure) -> LayerSize {
        let (content, snapshots) = (layers.content, layers.snapshots)
        let key = target.chain.description
        let parent = target.parent?.description
        try await layers.pool.blocking { () throws(Failure) in
            if content.contains(target.blob.digest) { return }
            guard let spooled else {
                throw Failure(.invalid, "the archive lacks layer \(target.blob.digest)")
            }
            _ = try spooled.ingest.commit(expecting: target.blob.digest, size: target.blob.size)
        }
        if snapshots.contains(key) { return .unknown }
        let unpacked: UnpackedLayer
        if let draft = try await spooled?.takeDraft() {
            unpacked = draft
        } else {
            // The same file is another image's layer already, on another base: unpack it again.
            let tail = BlobTail()
            tail.begin(
                try await layers.pool.blocking { () throws(Failure) in
                    SharedDescriptor(try content.open(target.blob.digest))
                }, available: target.blob.size)
            tail.end(.success(()))
            unpacked = try await layers.unpack(tail)
        }
        do throws(Failure) {
            try check(unpacked, target)
            try await layers.pool.blocking { () throws(Failure) in try unpacked.draft.commit(as: key, parent: parent) }
        } catch {
            await layers.pool.cleaningUp { unpacked.draft.discard() }
            throw error
        }
        return unpacked.size
    }

    private func check(_ unpacked: UnpackedLayer, _ target: LayerTarget) throws(Failure) {
        let diffID = unpacked.diffID ?? target.blob.digest
        guard diffID == target.diffID else {
            throw Failure(
                .invalid,
                "layer \(target.blob.digest) unpacks to \(diffID), the image's configuration says \(target.diffID)")
        }
    }
}

extension Compression {
    /// The media type of a layer that is packed so.
    var layerType: MediaType {
        switch self {
        case .none: .ociLayer
        case .gzip: .ociLayerGzip
        case .zstd: .ociLayerZstd
        }
    }
}
