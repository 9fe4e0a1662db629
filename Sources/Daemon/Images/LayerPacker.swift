internal import Archive
internal import Failures
internal import Linux
internal import NIOPosix
internal import OCI
internal import Storage

/// Packs layers that are stored as plain tars, for registries: loads and builds are fast because they do not.
///
/// The packed blob stays in the content store and is found again by its diff id, so the second push of a layer packs
/// nothing. Gzip, because every registry and every client there is can read it.
struct LayerPacker: Sendable {
    let layers: LayerStore
    let metadata: MetadataStore

    /// The speed of a network is reached well below zlib's own default of 6, whose last percents cost twice the time.
    private static let level: Int32 = 4

    /// The packed form of a layer, made now.
    ///
    /// Blocks a thread of the stages; a cancelled task stops it.
    func pack(_ layer: Descriptor, progress: @escaping @Sendable (Int64) -> Void) async throws(Failure) -> Descriptor {
        let content = layers.content
        let tail = BlobTail()
        tail.begin(
            try await layers.pool.blocking { () throws(Failure) in SharedDescriptor(try content.open(layer.digest)) },
            available: layer.size)
        tail.end(.success(()))
        let source = BlobTailSource(tail, progress: progress)
        let packed: Packed
        do {
            packed = try await withTaskCancellationHandler {
                try await layers.stages.runIfActive { () throws in try LayerPacker.pack(source, into: content) }
            } onCancel: {
                source.cancel()
            }
        } catch {
            throw Failure.from(error)
        }
        do throws(Failure) {
            // The lease comes before the blob: nothing that the collector meets is without somebody who wants it.
            let now = WallTime.now().total
            try await metadata.leases.save(
                LeaseRow(
                    id: LayerPacker.lease(packed.digest), created: now, expires: now + 86400 * 1_000_000_000,
                    resources: [.blob(packed.digest)]))
            try await layers.pool.blocking { () throws(Failure) in
                _ = try packed.ingest.commit(expecting: packed.digest, size: packed.size)
            }
        } catch {
            await layers.pool.cleaningUp { packed.ingest.discard() }
            throw error
        }
        let type: MediaType = layer.mediaType == .dockerLayer ? .dockerLayerGzip : .ociLayerGzip
        return Descriptor(mediaType: type, digest: packed.digest, size: packed.size)
    }

    /// What keeps a packed blob until the image's row does.
    static func lease(_ digest: Digest) -> String { "packed-\(digest)" }

    private struct Packed: Sendable {
        var ingest: BlobIngest
        var digest: Digest
        var size: Int64
    }

    private static func pack(_ source: BlobTailSource, into content: ContentStore) throws(Failure) -> Packed {
        let ingest = try content.draft()
        do throws(Failure) {
            var sum = SHA256Sum()
            let packer = try Compressor(
                .gzip,
                to: ClosureSink { (bytes) throws(Failure) in
                    sum.update(bytes)
                    try ingest.write(bytes)
                }, level: level)
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
            defer { block.deallocate() }
            while true {
                let count = try source.read(into: block)
                if count == 0 { break }
                try packer.write(UnsafeRawBufferPointer(rebasing: block[..<count]))
            }
            try packer.finish()
            return Packed(ingest: ingest, digest: Digest(sha256: sum.finish()), size: ingest.offset)
        } catch {
            ingest.discard()
            throw error
        }
    }
}
