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

    /// The speed of a network is reached well below zlib's own default of 6, whose last percents cost twice the time.
    private static let level: Int32 = 4

    /// The packed form of a layer, made now. Blocks a thread of the stages; a cancelled task stops it.
    func pack(_ layer: Descriptor, progress: @escaping @Sendable (Int64) -> Void) async throws(Failure) -> Descriptor {
        let content = layers.content
        let tail = BlobTail()
        tail.begin(
            try await layers.pool.blocking { () throws(Failure) in SharedDescriptor(try content.open(layer.digest)) },
            available: layer.size)
        tail.end(.success(()))
        let source = BlobTailSource(tail, progress: progress)
        do {
            return try await withTaskCancellationHandler {
                try await layers.stages.runIfActive { () throws in
                    try LayerPacker.pack(source, into: content, type: layer.mediaType)
                }
            } onCancel: {
                source.cancel()
            }
        } catch {
            throw Failure.from(error)
        }
    }

    private static func pack(
        _ source: BlobTailSource, into content: ContentStore, type: MediaType
    ) throws(Failure) -> Descriptor {
        let ingest = try content.ingest(key: "pack-\(RandomName.make())")
        do throws(Failure) {
            let packer = try Compressor(
                .gzip, to: ClosureSink { (bytes) throws(Failure) in try ingest.write(bytes) }, level: level)
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
            defer { block.deallocate() }
            while true {
                let count = try source.read(into: block)
                if count == 0 { break }
                try packer.write(UnsafeRawBufferPointer(rebasing: block[..<count]))
            }
            try packer.finish()
            let size = ingest.offset
            let digest = try ingest.commit()
            return Descriptor(
                mediaType: type == .dockerLayer ? .dockerLayerGzip : .ociLayerGzip, digest: digest, size: size)
        } catch {
            ingest.discard()
            throw error
        }
    }
}
