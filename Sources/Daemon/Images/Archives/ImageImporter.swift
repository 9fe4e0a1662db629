internal import Archive
public import Failures
internal import Linux
public import NIOCore
internal import NIOPosix
public import OCI
internal import Storage

/// Makes an image of one layer out of a root file system's tar. (`docker import`)
public final class ImageImporter: Sendable {
    private let store: ImageStore
    private let layers: LayerStore

    public init(store: ImageStore, layers: LayerStore) {
        self.store = store
        self.layers = layers
    }

    /// Takes a tar in, packed or not, and names the image.
    ///
    /// - Parameters:
    ///   - config: what the image runs; the caller has applied `--change` to it.
    ///   - message: the comment in the image's history; Docker's client sends `Imported from -` by default.
    ///   - created: the image's time, nanoseconds since 1970; nil for now.
    public func importRootfs<Body: AsyncSequence & Sendable>(
        from body: Body, name: Reference?, config: ImageConfig.Config? = nil, message: String = "",
        platform: Platform? = nil, created: Int64? = nil, progress: @escaping ProgressSink
    ) async throws(Failure) -> Image where Body.Element == ByteBuffer {
        let layers = self.layers
        let result = await BlockingBody.reading(body, on: layers.stages) { stream -> Result<SpooledBlob, Failure> in
            do throws(Failure) { return .success(try ImageImporter.spool(stream, layers)) } catch {
                return .failure(error)
            }
        } onFailure: {
            .failure($0)
        }
        let spooled = try result.get()
        do throws(Failure) {
            let image = try await make(
                spooled, name, ImageConfig(platform: platform ?? .host, config: config), message,
                created ?? WallTime.now().total)
            progress(.imported(image.id))
            return image
        } catch {
            await spooled.dropDraft(layers)
            await layers.pool.cleaningUp { spooled.ingest.discard() }
            throw error
        }
    }

    private static func spool(_ stream: BlockingBody, _ layers: LayerStore) throws(Failure) -> SpooledBlob {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 16)
        defer { block.deallocate() }
        let count = try stream.readFully(into: block)
        let prefix = Array(block[..<count])
        guard ArchiveIntake.looksLikeLayer(prefix, size: .max) else {
            throw Failure(
                .invalid,
                "what came is no tar archive: send the tar of a root file system, packed with gzip, zstd or not at all")
        }
        return try SpooledBlob.spool(stream, prefix: prefix, unpacks: true, into: layers) { _ in }
    }

    private func make(
        _ spooled: SpooledBlob, _ name: Reference?, _ base: ImageConfig, _ message: String, _ created: Int64
    ) async throws(Failure) -> Image {
        guard let unpacked = try await spooled.takeDraft() else {
            throw Failure(.internal, "the imported files were taken twice")
        }
        let snapshots = layers.snapshots
        do throws(Failure) {
            let digest = try await layers.stages.blocking { () throws(Failure) in try spooled.digest() }
            let diffID = unpacked.diffID ?? digest
            let blob = Descriptor(mediaType: spooled.compression.layerType, digest: digest, size: spooled.size)
            var config = base
            let time = WallTime(total: created).text
            config.created = time
            config.rootfs = ImageConfig.RootFS(diffIDs: [diffID])
            config.history = [ImageConfig.History(created: time, comment: message)]
            let bytes = config.encoded()
            let manifest = Manifest(
                config: Descriptor(
                    mediaType: .ociConfig, digest: Digest(sha256: SHA256Sum.of(bytes)), size: Int64(bytes.count)),
                layers: [blob])
            let encoded = try manifest.encoded()
            let targets = try LayerTarget.targets(manifest, config)
            let lease = try await store.hold(Digest(sha256: SHA256Sum.of(encoded)), manifest, targets)
            do throws(Failure) {
                try await layers.pool.blocking { () throws(Failure) in
                    _ = try spooled.ingest.commit(expecting: digest, size: spooled.size)
                    if snapshots.contains(diffID.description) {
                        unpacked.draft.discard()
                    } else {
                        try unpacked.draft.commit(as: diffID.description, parent: nil)
                    }
                }
                return try await store.add(
                    manifest, encoded, config: bytes, names: name.map { [$0] } ?? [], sizes: [unpacked.size],
                    lease: lease)
            } catch {
                await store.abandon(lease)
                throw error
            }
        } catch {
            await layers.pool.cleaningUp { unpacked.draft.discard() }
            throw error
        }
    }
}
