import Archive
import CLinux
import DockerfileSyntax
import Execution
import Failures
import Images
import Linux
import Logging
import NIOCore
import NIOPosix
import Networking
import OCI
import Storage
import Synchronization
import Testing

@testable import Builder

/// A builder on a data root of its own, without registries: everything but RUN works there.
struct BuildFixture: Sendable {
    let root: String
    let images: ImageStore
    let metadata: MetadataStore
    let snapshots: OverlaySnapshotter
    let content: ContentStore
    let collector: GarbageCollector
    let builder: BuildService

    /// What a build said and made.
    struct Outcome: Sendable {
        var result: BuildResult
        var events: [BuildEvent]
        /// The lines Docker's client would see.
        var text: String { events.compactMap(\.classicText).joined() }
        var cached: Int { events.count { $0 == .usingCache } }
    }

    /// The shim beside the tests' own program.
    static let shimPath: String = {
        let path = (try? readLink("/proc/self/exe")) ?? ""
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/skiff-shim"
    }()

    /// Whether processes can be run here.
    static var runsProcesses: Bool { geteuid() == 0 && exists("/bin/busybox") && exists(shimPath) }

    /// - Parameter fetcher: gets what an ADD of an address names, by the client for registries.
    static func with(
        fetcher: (Registries) -> (any RemoteFetcher)? = { _ in nil }, _ body: (BuildFixture) async throws -> Void
    ) async throws {
        let root = "/tmp/skiff-builder-\(UInt64.random(in: .min ... .max))"
        try makeDirectory(root, mode: 0o700)
        let pool = NIOThreadPool(numberOfThreads: 4)
        let stages = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        stages.start()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let metadata = try MetadataStore(path: root + "/skiff.db")
        let content = try ContentStore(root: root + "/content")
        let snapshots = try OverlaySnapshotter(root: root + "/snapshots", metadata: metadata)
        let collector = GarbageCollector(metadata: metadata, content: content, snapshots: snapshots)
        let collect: @Sendable () async -> Int64 = {
            (try? await pool.runIfActive { try collector.collect() })?.bytes ?? 0
        }
        let images = try await ImageStore.open(
            metadata: metadata, content: content, snapshots: snapshots, pool: pool, logger: logger, collect: collect,
            uses: { _ in [] })
        let registries = Registries(group: MultiThreadedEventLoopGroup.singleton)
        let layers = LayerStore(content: content, snapshots: snapshots, pool: pool, stages: stages)
        // A host of its own: nothing of this machine's network is touched.
        let host = try NetworkNamespace.make()
        var networking = NetworkingConfiguration(instance: root)
        networking.hostNamespace = SharedDescriptor(try host.descriptor.duplicate())
        let networks = Networks(
            configuration: networking, records: StoredNetworkRecords(metadata.networks),
            group: MultiThreadedEventLoopGroup.singleton, pool: pool, logger: logger)
        try makeDirectory(root + "/run", mode: 0o700)
        let launcher = try ShimLauncher(shimPath: shimPath, execRoot: root + "/run", pool: pool, logger: logger)
        let cgroup = "/skiff-test-\(root.split(separator: "-").last ?? "")"
        let builder = BuildService(
            try BuildEnvironment(
                root: root + "/build", images: images,
                puller: ImagePuller(store: images, layers: layers, registries: registries),
                metadata: metadata, content: content, snapshots: snapshots, networks: networks, launcher: launcher,
                cgroups: CgroupPlacement(.cgroupfs, parent: cgroup), fetcher: fetcher(registries), collect: collect,
                pool: pool,
                logger: logger))
        var failure: (any Error)?
        do {
            _ = try await networks.start()
            try await builder.start()
            try await body(
                BuildFixture(
                    root: root, images: images, metadata: metadata, snapshots: snapshots, content: content,
                    collector: collector,
                    builder: builder))
        } catch { failure = error }
        await networks.teardownAll()
        await registries.shutdown()
        try metadata.close()
        try await pool.shutdownGracefully()
        try await stages.shutdownGracefully()
        try removeTree(root)
        let hierarchies = try open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY)
        for hierarchy in try readDirectory(hierarchies.raw) {
            try? unlink("/sys/fs/cgroup/\(hierarchy.name.text)" + cgroup, directory: true)
        }
        if let failure { throw failure }
    }

    /// Builds a context of files; a path that ends with a slash is a directory, a value that begins with `->` a link.
    func build(_ files: [(String, String)], _ change: (inout BuildRequest) -> Void = { _ in }) async throws -> Outcome {
        try await build(tar: try Self.tar(files), change)
    }

    func build(tar: [UInt8], _ change: (inout BuildRequest) -> Void = { _ in }) async throws -> Outcome {
        var request = BuildRequest()
        change(&request)
        let events = Mutex<[BuildEvent]>([])
        let stream = AsyncStream<ByteBuffer> { continuation in
            // Pieces of odd sizes: nothing may depend on where they end.
            for start in stride(from: 0, to: tar.count, by: 7777) {
                continuation.yield(ByteBuffer(bytes: tar[start..<min(start + 7777, tar.count)]))
            }
            continuation.finish()
        }
        let result = try await builder.build(request, context: stream) { event in events.withLock { $0.append(event) } }
        return Outcome(result: result, events: events.withLock { $0 })
    }

    /// An image `busybox` of Debian's static program.
    func makeBusybox() async throws {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        let text =
            "FROM scratch\nCOPY busybox /bin/busybox\nCOPY links /bin\nCOPY passwd /etc/passwd\nENV HOME=/root\nCMD [\"sh\"]\n"
        try writer.add(TarEntry(.file, "Dockerfile", mode: 0o644), content: Array(text.utf8))
        try writer.add(TarEntry(.file, "busybox", mode: 0o755), content: try readFile("/bin/busybox"))
        try writer.add(
            TarEntry(.file, "passwd", mode: 0o644),
            content: Array("root:x:0:0::/root:/bin/sh\napp:x:10:11::/:/bin/sh\n".utf8))
        for name in [
            "sh", "cat", "echo", "ls", "sleep", "id", "mkdir", "rm", "env", "ip", "true", "false", "touch", "wc",
            "test", "head",
        ] {
            try writer.add(TarEntry(.symbolicLink, "links/" + name, mode: 0o777, linkTarget: "busybox"))
        }
        try writer.finish()
        _ = try await build(tar: sink.bytes) { $0.tags = ["busybox"] }
    }

    static func tar(_ files: [(String, String)], compression: Compression = .none) throws -> [UInt8] {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        for (path, text) in files {
            if path.hasSuffix("/") {
                try writer.add(
                    TarEntry(
                        .directory, String(path.dropLast()), mode: 0o750, uid: 77, gid: 77,
                        modified: .init(seconds: 1_000_000)))
            } else if text.hasPrefix("->") {
                try writer.add(TarEntry(.symbolicLink, path, mode: 0o777, linkTarget: String(text.dropFirst(2))))
            } else {
                try writer.add(
                    TarEntry(.file, path, mode: 0o640, uid: 77, gid: 77, modified: .init(seconds: 2_000_000)),
                    content: Array(text.utf8))
            }
        }
        try writer.finish()
        guard compression != .none else { return sink.bytes }
        let packed = BytesSink()
        let compressor = try Compressor(compression, to: packed)
        try compressor.write(sink.bytes)
        try compressor.finish()
        return packed.bytes
    }

    /// What an image holds: paths with mode, owner and text, as `mode owner text`; directories end with a slash.
    func files(_ outcome: Outcome) throws -> [String: String] {
        let image = try images.resolve(outcome.result.imageID)
        guard let snapshot = image.snapshot else { return [:] }
        let tree = ImageTree(root: SharedDescriptor(try snapshots.view(snapshot)))
        var found: [String: String] = [:]
        for entry in try TreeIndexer.index(tree, sources: ["/"]).entries where !entry.path.isRoot {
            let owner = "\(String(entry.mode, radix: 8)) \(entry.user):\(entry.group)"
            switch entry.kind {
            case .directory: found[entry.path.text + "/"] = owner
            case .symlink: found[entry.path.text] = "->" + entry.target.text
            default:
                let file = try tree.openFile(entry.path)
                found[entry.path.text] = owner + " " + (try readAll(file.raw)).text
            }
        }
        return found
    }
}

/// The failure that `body` ends with; one that does not fail, or fails otherwise, has none.
func refusal(_ body: () async throws -> Void) async -> Failure? {
    do {
        try await body()
        return nil
    } catch {
        return error as? Failure
    }
}
