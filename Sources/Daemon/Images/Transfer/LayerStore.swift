internal import Archive
internal import Failures
internal import Linux
public import NIOPosix
internal import OCI
public import Storage

/// Makes layers out of blobs: fetched, checked, unpacked and committed, each once however many images want it.
///
/// ```
/// network ─► {SHA-256, ingest file} ─► decompress ─► {diff id, tar ─► directory} ─► commit, bottom first
/// ```
/// Download and unpacking of a layer run at the same time, and so do those of different layers; a layer is committed
/// when its blob and its content have proven to be what manifest and configuration say, and the layer below is there.
public final class LayerStore: Sendable {
    let content: ContentStore
    let snapshots: any Snapshotter
    /// Threads for short work that blocks.
    let pool: NIOThreadPool
    /// Threads for unpacking, which waits for downloads; so nobody else's work may queue behind it.
    let stages: NIOThreadPool
    private let fetcher: BlobFetcher
    private let layers = SharedWork<Target, Void, TransferProgress.LayerStage, LayerSize>()

    private struct Target: Hashable {
        var chain: Digest
        var blob: Digest
    }

    /// - Parameters:
    ///   - pool: threads for short work that blocks, shared with others.
    ///   - stages: threads of this store's own, for work that waits for other work; started.
    ///   - parallelDownloads: layers that come at a time, over all pulls. (dockerd: `max-concurrent-downloads`)
    ///   - attempts: how often a layer's download is tried, at least once. (dockerd: `max-download-attempts`)
    public convenience init(
        content: ContentStore, snapshots: any Snapshotter, pool: NIOThreadPool, stages: NIOThreadPool,
        parallelDownloads: Int = 3, attempts: Int = 5
    ) {
        self.init(
            content: content, snapshots: snapshots, pool: pool, stages: stages, parallelDownloads: parallelDownloads,
            retry: RetryPolicy(attempts: max(0, attempts - 1)))
    }

    init(
        content: ContentStore, snapshots: any Snapshotter, pool: NIOThreadPool, stages: NIOThreadPool,
        parallelDownloads: Int, retry: RetryPolicy
    ) {
        self.content = content
        self.snapshots = snapshots
        self.pool = pool
        self.stages = stages
        fetcher = BlobFetcher(content: content, pool: pool, parallel: parallelDownloads, retry: retry)
    }

    /// Sees to it that every layer of an image is here, blob and snapshot.
    func ensure(
        _ targets: [LayerTarget], from provider: @escaping BlobProvider, progress: @escaping ProgressSink
    ) async throws(Failure) -> [LayerSize] {
        do {
            return try await withThrowingTaskGroup(of: (Int, LayerSize).self) { group in
                for index in targets.indices {
                    group.addTask {
                        let id = targets[index].blob.digest.short
                        return (
                            index,
                            try await self.ensure(targets, index, provider) { progress(.layer(id: id, stage: $0)) }
                        )
                    }
                }
                var sizes = [LayerSize](repeating: .unknown, count: targets.count)
                for try await (index, size) in group { sizes[index] = size }
                return sizes
            }
        } catch {
            throw Failure.from(error)
        }
    }

    /// Throws away what has come of layers that are called off, once whatever worked on them has ended.
    func discard(_ targets: [LayerTarget]) async {
        for target in targets { await layers.settle(Target(chain: target.chain, blob: target.blob.digest)) }
        await fetcher.discard(targets.map(\.blob.digest))
    }

    private func ensure(
        _ targets: [LayerTarget], _ index: Int, _ provider: @escaping BlobProvider,
        _ observe: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) -> LayerSize {
        let target = targets[index]
        return try await layers.join(
            Target(chain: target.chain, blob: target.blob.digest), observe: observe,
            work: { (emit) async throws(Failure) in try await self.run(targets, index, provider, emit) })
    }

    private func run(
        _ targets: [LayerTarget], _ index: Int, _ provider: @escaping BlobProvider,
        _ emit: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) -> LayerSize {
        let target = targets[index]
        let key = target.chain.description
        let isUnpacked = snapshots.contains(key)
        let hasBlob = try await pool.blocking { [content] in content.contains(target.blob.digest) }
        if isUnpacked, hasBlob {
            emit(.alreadyExists)
            return .unknown
        }
        emit(.pullingLayer)
        let unpacked = try await fetcher.fetch(target.blob, from: provider, observe: emit) {
            (tail, ended) async throws(Failure) -> UnpackedLayer? in
            if isUnpacked {
                try await ended.value()
                return nil
            }
            return try await self.unpack(target, tail, ended, emit)
        }
        guard let unpacked else {
            emit(.pullComplete)
            return .unknown
        }
        do throws(Failure) {
            // The layer below is somebody's job already, or done; what it says of itself goes to whoever asked for it.
            if index > 0 { _ = try await ensure(targets, index - 1, provider) { _ in } }
            try await pool.blocking { () throws(Failure) in
                try unpacked.draft.commit(as: key, parent: target.parent?.description)
            }
        } catch {
            await pool.cleaningUp { unpacked.draft.discard() }
            throw error
        }
        emit(.pullComplete)
        return unpacked.size
    }

    /// Unpacks while the blob comes, and checks both.
    private func unpack(
        _ target: LayerTarget, _ tail: BlobTail, _ ended: Latch<Void>,
        _ emit: @escaping @Sendable (TransferProgress.LayerStage) -> Void
    ) async throws(Failure) -> UnpackedLayer {
        try await tail.started.value()
        let pace = ProgressPace(total: target.blob.size)
        let progress: @Sendable (Int64) -> Void = { current in
            // Until the blob is here, the download is what people watch.
            if ended.result != nil, pace.allows(current) {
                emit(.extracting(current: current, total: target.blob.size))
            }
        }
        do throws(Failure) {
            return try await checked(target, tail, ended, progress)
        } catch {
            // Bytes that an earlier attempt left may have been wrong where the registry began again: read them all anew.
            guard tail.wasRestarted, !Task.isCancelled, case .success = ended.result else { throw error }
            return try await checked(target, tail, ended, progress)
        }
    }

    private func checked(
        _ target: LayerTarget, _ tail: BlobTail, _ ended: Latch<Void>, _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws(Failure) -> UnpackedLayer {
        let unpacked: UnpackedLayer
        do throws(Failure) { unpacked = try await unpack(tail, progress: progress) } catch {
            // Bytes that are not what was promised are the better reason for anything the unpacking stumbles over.
            if error.kind != .cancelled { try await ended.value() }
            throw error
        }
        do throws(Failure) {
            try await ended.value()
            let diffID = unpacked.diffID ?? target.blob.digest
            guard diffID == target.diffID else {
                throw Failure(
                    .invalid,
                    "layer \(target.blob.digest) unpacks to \(diffID), the image's configuration says \(target.diffID)")
            }
            return unpacked
        } catch {
            await pool.cleaningUp { unpacked.draft.discard() }
            throw error
        }
    }

    /// Unpacks a blob into a draft, on a thread of its own.
    func unpack(
        _ tail: BlobTail, progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws(Failure) -> UnpackedLayer {
        let source = BlobTailSource(tail, progress: progress)
        let snapshots = self.snapshots
        do {
            return try await withTaskCancellationHandler {
                try await stages.runIfActive { () throws in
                    let draft = try snapshots.prepareLayer(parent: nil)
                    do throws(Failure) {
                        return try UnpackedLayer.unpack(source, into: draft)
                    } catch {
                        draft.discard()
                        throw error
                    }
                }
            } onCancel: {
                source.cancel()
            }
        } catch {
            throw Failure.from(error)
        }
    }
}

/// How much a layer holds.
enum LayerSize: Sendable, Hashable {
    case files(Int64)
    /// It was here before; whoever made it knows.
    case unknown
}

/// A layer's files in a directory that is not a layer yet.
struct UnpackedLayer: Sendable {
    var draft: LayerDraft
    /// The digest of the tar, nil where the blob is the tar itself.
    var diffID: Digest?
    var size: LayerSize

    /// Reads the blob to its end.
    ///
    /// Blocks. On failure the draft is the caller's to discard.
    static func unpack(_ source: any ByteSource, into draft: LayerDraft) throws(Failure) -> UnpackedLayer {
        let decompressor = try Decompressor(source)
        let unpacker = LayerUnpacker(into: draft.directory.raw)
        if decompressor.compression == .none {
            // The blob's own digest is being taken where it is written.
            let summary = try unpacker.unpack(decompressor)
            return UnpackedLayer(draft: draft, diffID: nil, size: .files(summary.contentBytes))
        }
        let hashing = HashingSource(decompressor)
        let summary = try unpacker.unpack(hashing)
        return UnpackedLayer(draft: draft, diffID: try hashing.finish(), size: .files(summary.contentBytes))
    }
}
