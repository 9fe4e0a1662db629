public import Archive
internal import JSON
public import OCI

internal import struct Crypto.SHA256

/// An image made of bytes in memory: what a builder elsewhere would have pushed.
public struct TestImage: Sendable {
    public var config: [UInt8]
    public var manifest: [UInt8]
    /// Bottom first, as they travel.
    public var layers: [(descriptor: Descriptor, blob: [UInt8])]

    public var configDigest: Digest { digest(config) }
    public var digestOfManifest: Digest { digest(manifest) }
    public var blobs: [Digest: [UInt8]] {
        var blobs = [configDigest: config]
        for layer in layers { blobs[layer.descriptor.digest] = layer.blob }
        return blobs
    }

    /// One layer per list of files.
    public init(
        _ layers: [[String: String]], packed: [Compression] = [.gzip], platform: Platform = .host, label: String = ""
    ) throws {
        try self.init(tars: layers.map(TestImage.tar), packed: packed, platform: platform, label: label)
    }

    /// One layer per tar.
    public init(
        tars layers: [[UInt8]], packed: [Compression] = [.gzip], platform: Platform = .host, label: String = ""
    ) throws {
        var made: [(Descriptor, [UInt8])] = []
        var diffIDs: [Digest] = []
        for (index, tar) in layers.enumerated() {
            let compression = packed[index % packed.count]
            let blob = try TestImage.pack(tar, compression)
            diffIDs.append(digest(tar))
            made.append(
                (
                    Descriptor(
                        mediaType: TestImage.layerType(compression), digest: digest(blob), size: Int64(blob.count)),
                    blob
                ))
        }
        self.layers = made.map { (descriptor: $0.0, blob: $0.1) }
        var config = ImageConfig(
            platform: platform, created: "2026-11-20T10:11:12.5Z", diffIDs: diffIDs,
            history: layers.indices.map {
                ImageConfig.History(created: "2026-11-20T10:11:12Z", createdBy: "step \($0)")
            })
        if !label.isEmpty { config.author = label }
        self.config = config.encoded()
        manifest = try Manifest(
            config: Descriptor(mediaType: .ociConfig, digest: digest(self.config), size: Int64(self.config.count)),
            layers: made.map(\.0)
        ).encoded()
    }

    private static func layerType(_ compression: Compression) -> MediaType {
        switch compression {
        case .none: .ociLayer
        case .gzip: .ociLayerGzip
        case .zstd: .ociLayerZstd
        }
    }

    public static func tar(_ files: [String: String]) throws -> [UInt8] {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        for (path, text) in files.sorted(by: { $0.key < $1.key }) {
            try writer.add(TarEntry(.file, path, mode: 0o644, size: Int64(text.utf8.count)), content: Array(text.utf8))
        }
        try writer.finish()
        return sink.bytes
    }

    public static func pack(_ bytes: [UInt8], _ compression: Compression) throws -> [UInt8] {
        if compression == .none { return bytes }
        let sink = BytesSink()
        let packer = try Compressor(compression, to: sink)
        try packer.write(bytes)
        try packer.finish()
        return sink.bytes
    }

    /// As `docker save` of old wrote it: documents after the layers, no manifest of the registry's kind.
    public func dockerArchive(names: [String]) throws -> [UInt8] {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        var paths: [String] = []
        for (index, layer) in layers.enumerated() {
            let path = "\(index)abc/layer.tar"
            paths.append(path)
            try writer.add(TarEntry(.file, path, mode: 0o644, size: Int64(layer.blob.count)), content: layer.blob)
        }
        let name = "\(configDigest.hex).json"
        try writer.add(TarEntry(.file, name, mode: 0o644, size: Int64(config.count)), content: config)
        let list: JSON = [["Config": .string(name), "RepoTags": JSON(names), "Layers": JSON(paths)]]
        let bytes = list.serialized()
        try writer.add(TarEntry(.file, "manifest.json", mode: 0o644, size: Int64(bytes.count)), content: bytes)
        try writer.finish()
        return sink.bytes
    }
}

/// The SHA-256 of bytes.
public func digest(_ bytes: [UInt8]) -> Digest { Digest(sha256: SHA256.hash(data: bytes)) }

/// Text nobody can pack, so that blobs have the size a test wants.
public func noise(_ count: Int, seed: UInt64 = 1) -> String {
    var state = seed
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for _ in 0..<count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes.append(33 + UInt8((state >> 33) % 90))
    }
    return String(decoding: bytes, as: UTF8.self)
}
