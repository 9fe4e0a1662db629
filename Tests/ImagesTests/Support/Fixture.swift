import Archive
import CLinux
import Failures
import Linux
import Logging
import NIOCore
import NIOPosix
import OCI
import Storage
import Synchronization

@testable import Images

/// A whole image store in a directory of its own, gone with the test.
struct Fixture: Sendable {
    let root: String
    let metadata: MetadataStore
    let content: ContentStore
    let snapshots: OverlaySnapshotter
    let collector: GarbageCollector
    let store: ImageStore
    let layers: LayerStore
    let registries: Registries
    let pool: NIOThreadPool
    let uses = Uses()

    /// Which containers hold images, as far as the test says.
    final class Uses: Sendable {
        private let all = Mutex<[Digest: [ImageUse]]>([:])
        func set(_ id: Digest, _ uses: [ImageUse]) { all.withLock { $0[id] = uses } }
        func of(_ id: Digest) -> [ImageUse] { all.withLock { $0[id] ?? [] } }
    }

    var puller: ImagePuller { ImagePuller(store: store, layers: layers, registries: registries) }
    var pusher: ImagePusher { ImagePusher(store: store, layers: layers, registries: registries) }
    var archive: ImageArchive { ImageArchive(store: store, layers: layers) }
    var importer: ImageImporter { ImageImporter(store: store, layers: layers) }

    static func with(_ body: (Fixture) async throws -> Void) async throws {
        let root = "/var/tmp/skiff-images-\(RandomName.make())"
        try makeDirectories(root, mode: 0o700)
        let pool = NIOThreadPool(numberOfThreads: 4)
        let stages = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        stages.start()
        let fixture = try await Fixture(root: root, pool: pool, stages: stages)
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body(fixture)) } catch { outcome = .failure(error) }
        await fixture.registries.shutdown()
        try fixture.metadata.close()
        try await pool.shutdownGracefully()
        try await stages.shutdownGracefully()
        try removeTree(root)
        try outcome.get()
    }

    private init(root: String, pool: NIOThreadPool, stages: NIOThreadPool) async throws {
        self.root = root
        self.pool = pool
        metadata = try MetadataStore(path: "\(root)/skiff.db")
        content = try ContentStore(root: "\(root)/content")
        snapshots = try OverlaySnapshotter(root: "\(root)/snapshots", metadata: metadata)
        collector = GarbageCollector(metadata: metadata, content: content, snapshots: snapshots)
        let (collector, uses) = (self.collector, self.uses)
        store = try await ImageStore.open(
            metadata: metadata, content: content, snapshots: snapshots, pool: pool, logger: Logger(label: "test"),
            collect: {
                let collected = try? await pool.runIfActive { try collector.collect() }
                return collected?.bytes ?? 0
            }, uses: { uses.of($0) })
        layers = LayerStore(
            content: content, snapshots: snapshots, pool: pool, stages: stages, parallelDownloads: 3,
            retry: RetryPolicy(attempts: 3, delay: { _ in .zero }))
        registries = Registries(group: MultiThreadedEventLoopGroup.singleton)
    }

    /// The store as a daemon that starts again would see it.
    func reopened() async throws -> ImageStore {
        let uses = self.uses
        return try await ImageStore.open(
            metadata: metadata, content: content, snapshots: snapshots, pool: pool, logger: Logger(label: "test"),
            collect: { 0 }, uses: { uses.of($0) })
    }

    /// A file of one layer's own directory.
    func file(_ path: String, in image: Image, layer: Int) throws -> String {
        let directory = try snapshots.diffDirectory(image.chainIDs[layer].description)
        let file = try Linux.open(in: directory.raw, path, O_RDONLY)
        return String(decoding: try readAll(file.raw), as: UTF8.self)
    }

    /// Everything on disk that is not the database: after a failure there must be no more than before.
    func leftovers() throws -> (blobs: Int, snapshots: Int, ingests: Int) {
        let ingest = try Linux.open("\(root)/content/ingest", O_RDONLY | O_DIRECTORY)
        return (try content.all().count, snapshots.all().count, try readDirectory(ingest.raw).count)
    }
}

/// Collects what a transfer tells.
final class Told: Sendable {
    private let events = Mutex<[TransferProgress]>([])
    var sink: ProgressSink { { event in self.events.withLock { $0.append(event) } } }
    var all: [TransferProgress] { events.withLock { $0 } }
    var statuses: [String] { all.compactMap(\.status) }
    var streams: [String] { all.compactMap(\.stream) }
}

/// A body in pieces, as it comes from a socket.
func pieces(_ bytes: [UInt8], of size: Int = 7000) -> AsyncStream<ByteBuffer> {
    AsyncStream { continuation in
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + size)
            continuation.yield(ByteBuffer(bytes: bytes[at..<end]))
            at = end
        }
        continuation.finish()
    }
}

/// The failure that `body` ends with.
func failure(_ body: () async throws -> Void) async -> Failure? {
    do {
        try await body()
        return nil
    } catch {
        return error as? Failure
    }
}

/// One thread that reads a body to its end.
struct NIOThread: Sendable {
    let body: BlockingBody
    let result: Latch<[UInt8]>

    func start() {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        pool.submit { _ in
            do throws(Failure) { result.set(.success(try body.readAll(limit: 1 << 24))) } catch {
                result.set(.failure(error))
            }
            pool.shutdownGracefully { _ in }
        }
    }
}

/// A number that several change, and the most it ever was.
final class Counter: Sendable {
    private let state = Mutex((now: 0, most: 0))
    var most: Int { state.withLock { $0.most } }
    func change(by difference: Int) {
        state.withLock { state in
            state.now += difference
            state.most = max(state.most, state.now)
        }
    }
}
