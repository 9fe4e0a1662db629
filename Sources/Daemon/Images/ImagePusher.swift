internal import AsyncHTTPClient
internal import CLinux
public import Failures
internal import Linux
internal import NIOCore
internal import NIOPosix
public import OCI
internal import Storage
internal import Synchronization

/// Carries images to registries.
///
/// What the registry has is not sent: it is asked for every blob, and told to take it from a neighbouring repository where
/// one is known to have it. Layers that came packed go out byte for byte, so that the digest stays; plain ones are packed
/// first, once.
public final class ImagePusher: Sendable {
    private let store: ImageStore
    private let layers: LayerStore
    private let registries: Registries
    private let uploads: Turns
    private let packing = SharedWork<Digest, Void, Int64, Descriptor>()

    /// - Parameter parallelUploads: layers that go at a time, over all pushes. (dockerd: `max-concurrent-uploads`)
    public init(store: ImageStore, layers: LayerStore, registries: Registries, parallelUploads: Int = 5) {
        self.store = store
        self.layers = layers
        self.registries = registries
        uploads = Turns(parallelUploads)
    }

    /// Pushes what a name points at: one tag, or all tags of a repository that is named without one.
    ///
    /// - Returns: the image, the last one where there are several; its `repoDigests` say what the registry calls it.
    /// - Throws: in Docker's words, `notFound` when there is no such tag here, `unauthorized` or `forbidden` when the
    ///   registry refuses.
    @discardableResult
    public func push(
        _ reference: Reference, credentials: Credentials? = nil, progress: @escaping ProgressSink
    ) async throws(Failure) -> Image {
        let pushed = try await deliver(reference, credentials: credentials, progress: progress)
        guard let image = pushed.last.flatMap({ store.image(digest: $0) }) else {
            throw Failure(.notFound, "\(reference.familiar) was removed while it was pushed")
        }
        return image
    }

    /// The same, with the digests as the registry has them, in the order of the tags.
    func deliver(
        _ reference: Reference, credentials: Credentials? = nil, progress: @escaping ProgressSink
    ) async throws(Failure) -> [Digest] {
        guard reference.digest == nil else { throw Failure(.invalid, "cannot push a digest reference") }
        var names = [reference]
        if reference.tag == nil { names = store.list().flatMap(\.names).filter { $0.name == reference.name }.sorted() }
        let images = names.compactMap { name in store.image(named: name).map { (name: name, image: $0) } }
        guard !images.isEmpty, images.count == names.count else {
            throw Failure(.notFound, "An image does not exist locally with the tag: \(reference.familiarName)")
        }
        progress(.pushing(repository: reference.name))
        return try await registries.withClient(reference, credentials, fetching: false) {
            (client) async throws(Failure) -> [Digest] in
            var digests: [Digest] = []
            for (name, image) in images { digests.append(try await self.push(image, as: name, client, progress)) }
            return digests
        }
    }

    private func push(
        _ image: Image, as name: Reference, _ client: RegistryClient, _ progress: @escaping ProgressSink
    ) async throws(Failure) -> Digest {
        let diffIDs = image.config.rootfs.diffIDs
        var plans: [LayerPlan] = []
        for (layer, diffID) in zip(image.manifest.layers, diffIDs) {
            // A layer that occurs twice is sent once.
            if plans.contains(where: { $0.diffID == diffID && $0.stored == layer }) { continue }
            plans.append(LayerPlan(stored: layer, diffID: diffID))
        }
        for plan in plans.reversed() { progress(.layer(id: plan.diffID.short, stage: .preparing)) }
        let sent = try await send(plans, of: image, client, progress)
        try await sendConfig(image, client)
        let (bytes, type) = try await manifest(of: image, sent)
        try await client.putManifest(bytes, type, as: name.asked)
        let digest = Digest(sha256: SHA256Sum.of(bytes))
        let pinned = name.withoutTagOrDigest.with(digest: digest)
        // The leases of what was packed may end now: the image's own row keeps it.
        try await store.change(image.id) { record in
            if !record.repoDigests.contains(pinned) { record.repoDigests = (record.repoDigests + [pinned]).sorted() }
            for (diffID, blob) in sent where !image.manifest.layers.contains(where: { $0.digest == blob.digest }) {
                record.packed[diffID.description] = blob
            }
        }
        for blob in sent.values where !image.manifest.layers.contains(where: { $0.digest == blob.digest }) {
            try await store.metadata.leases.release(LayerPacker.lease(blob.digest))
        }
        progress(.pushed(tag: name.asked, digest: digest, size: Int64(bytes.count)))
        progress(.pushedData(tag: name.asked, digest: digest, size: Int64(bytes.count)))
        return digest
    }

    private struct LayerPlan: Sendable, Hashable {
        var stored: Descriptor
        var diffID: Digest
    }

    /// Sends every layer and says under which descriptor each is there.
    private func send(
        _ plans: [LayerPlan], of image: Image, _ client: RegistryClient, _ progress: @escaping ProgressSink
    ) async throws(Failure) -> [Digest: Descriptor] {
        do {
            return try await withThrowingTaskGroup(of: (Digest, Descriptor).self) { group in
                for plan in plans {
                    group.addTask {
                        let id = plan.diffID.short
                        let blob = try await self.uploads.run(waiting: { progress(.layer(id: id, stage: .waiting)) }) {
                            () async throws(Failure) -> Descriptor in
                            try await self.send(plan, client) { progress(.layer(id: id, stage: $0)) }
                        }
                        return (plan.diffID, blob)
                    }
                }
                var sent: [Digest: Descriptor] = [:]
                for try await (diffID, blob) in group { sent[diffID] = blob }
                return sent
            }
        } catch {
            throw Failure.from(error)
        }
    }

    private func send(
        _ plan: LayerPlan, _ client: RegistryClient, _ emit: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) -> Descriptor {
        var blob = plan.stored
        if blob.mediaType.layerCompression == MediaType.Compression.none {
            blob = try await packed(plan, emit)
        }
        if try await client.hasBlob(blob.digest) {
            emit(.layerAlreadyExists)
            return blob
        }
        let source = neighbour(with: blob.digest, of: client)
        switch try await upload(blob, from: source, client, emit) {
        case .existed: emit(.layerAlreadyExists)
        case .mounted(let repository): emit(.mounted(from: repository))
        case .uploaded: emit(.pushed)
        }
        return blob
    }

    private func upload(
        _ blob: Descriptor, from source: String?, _ client: RegistryClient,
        _ emit: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) -> RegistryClient.Delivery {
        let content = layers.content
        let pool = layers.pool
        let pace = ProgressPace(total: blob.size)
        return try await client.deliver(blob, from: source) { () async throws(Failure) -> HTTPClientRequest.Body in
            let file = try await pool.blocking { () throws(Failure) in SharedDescriptor(try content.open(blob.digest)) }
            let body = BlobUpload(file: file, size: blob.size, pool: pool) { current in
                if pace.allows(current) { emit(.pushing(current: current, total: blob.size)) }
            }
            return .stream(body, length: .known(blob.size))
        }
    }

    private func sendConfig(_ image: Image, _ client: RegistryClient) async throws(Failure) {
        let config = image.manifest.config
        if try await client.hasBlob(config.digest) { return }
        let bytes = try await store.configBytes(image)
        _ = try await client.deliver(config, from: nil) { .bytes(ByteBuffer(bytes: bytes)) }
    }

    /// The manifest as it is, or with packed layers in the place of plain ones.
    private func manifest(of image: Image, _ sent: [Digest: Descriptor]) async throws(Failure) -> ([UInt8], MediaType) {
        var manifest = image.manifest
        for (index, diffID) in image.config.rootfs.diffIDs.enumerated() {
            if let blob = sent[diffID], blob.digest != manifest.layers[index].digest { manifest.layers[index] = blob }
        }
        let type = manifest.mediaType ?? .ociManifest
        if manifest != image.manifest { return (try manifest.encoded(), type) }
        let (content, id) = (layers.content, image.id)
        let bytes = try await layers.pool.blocking { () throws(Failure) in
            try content.read(id, limit: ManifestDocument.maximumBytes)
        }
        return (bytes, image.descriptor.mediaType)
    }

    /// The packed form of a plain layer: as it was packed before for any image, or packed now.
    private func packed(
        _ plan: LayerPlan, _ emit: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) -> Descriptor {
        let content = layers.content
        for image in store.list() {
            var known = image.record.packed[plan.diffID.description]
            if let index = image.config.rootfs.diffIDs.firstIndex(of: plan.diffID),
                image.manifest.layers[index].mediaType.layerCompression == .gzip
            {
                known = image.manifest.layers[index]
            }
            guard let blob = known else { continue }
            if try await layers.pool.blocking({ content.contains(blob.digest) }) { return blob }
        }
        let pace = ProgressPace(total: plan.stored.size)
        return try await packing.join(plan.stored.digest) { current in
            if pace.allows(current) { emit(.packing(current: current, total: plan.stored.size)) }
        } work: { (report) async throws(Failure) in
            try await LayerPacker(layers: self.layers, metadata: self.store.metadata).pack(
                plan.stored, progress: report)
        }
    }

    /// Another repository of the same registry that is known to have the blob.
    private func neighbour(with digest: Digest, of client: RegistryClient) -> String? {
        for image in store.list() {
            let blobs = image.manifest.layers.map(\.digest) + image.record.packed.values.map(\.digest)
            guard blobs.contains(digest) else { continue }
            let other = image.repoDigests.first { $0.domain == client.endpoint.domain && $0.path != client.repository }
            if let other { return other.path }
        }
        return nil
    }
}

/// A blob as the body of a request, read piece by piece.
private struct BlobUpload: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let file: SharedDescriptor
    let size: Int64
    let pool: NIOThreadPool
    let progress: @Sendable (Int64) -> Void

    func makeAsyncIterator() -> Iterator { Iterator(blob: self) }

    struct Iterator: AsyncIteratorProtocol {
        let blob: BlobUpload
        var offset: Int64 = 0

        init(blob: BlobUpload) { self.blob = blob }

        mutating func next() async throws -> ByteBuffer? {
            if offset >= blob.size { return nil }
            let (file, start, wanted) = (blob.file, offset, Int(Swift.min(blob.size - offset, 256 << 10)))
            let buffer = try await blob.pool.blocking { () throws(Failures.Failure) -> ByteBuffer in
                var buffer = ByteBufferAllocator().buffer(capacity: wanted)
                let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { bytes in
                    Swift.max(0, pread(file.raw, bytes.baseAddress, wanted, off_t(start)))
                }
                guard count > 0 else {
                    throw Failures.Failure(.internal, "a blob is shorter than it was when it was stored")
                }
                return buffer
            }
            offset += Int64(buffer.readableBytes)
            blob.progress(offset)
            return buffer
        }
    }
}
