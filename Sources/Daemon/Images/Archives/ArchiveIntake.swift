internal import Archive
internal import Failures
internal import OCI
internal import Storage

/// The one pass over an archive of images: documents are kept in memory, layers are spooled and unpacked as they come.
struct ArchiveIntake: Sendable {
    /// Small files by path: manifests, indexes, configurations.
    var documents: [String: [UInt8]] = [:]
    /// Everything else by path.
    var blobs: [String: SpooledBlob] = [:]
    /// Links by path, with where they lead inside the archive.
    var links: [String: String] = [:]

    private var documentBytes = 0

    private static let maximumDocument = Int64(ImageConfig.maximumBytes)
    private static let maximumDocumentBytes = 64 << 20
    private static let maximumEntries = 20_000
    /// More layers than that wait until the documents say whether anybody wants them.
    private static let maximumUnpacking = 128

    /// Reads the archive to its end.
    ///
    /// Blocks. On failure everything spooled so far is in `self`, for the caller to drop.
    mutating func read(_ stream: any ByteSource, into layers: LayerStore, progress: ProgressSink) throws(Failure) {
        let tar = TarReader(try Decompressor(stream))
        var entries = 0
        while let entry = try tar.next() {
            entries += 1
            guard entries <= ArchiveIntake.maximumEntries else {
                throw Failure(.invalid, "the archive has more than \(ArchiveIntake.maximumEntries) entries")
            }
            guard let path = ArchiveIntake.normalised(entry.name) else { continue }
            switch entry.kind {
            case .file: try take(entry, path, tar, layers, progress)
            case .hardLink: links[path] = ArchiveIntake.normalised(String(decoding: entry.linkTarget, as: UTF8.self))
            case .symbolicLink:
                let folder = path.split(separator: "/").dropLast().joined(separator: "/")
                links[path] = ArchiveIntake.normalised(
                    "\(folder)/\(String(decoding: entry.linkTarget, as: UTF8.self))")
            default: break
            }
        }
        try tar.drain()
        if entries == 0 { throw Failure(.invalid, "the archive is empty: nothing to load") }
    }

    private mutating func take(
        _ entry: TarEntry, _ path: String, _ tar: TarReader, _ layers: LayerStore, _ progress: ProgressSink
    ) throws(Failure) {
        let prefix = try ArchiveIntake.start(of: tar)
        let isLayer = ArchiveIntake.looksLikeLayer(prefix, size: entry.size)
        if !isLayer, entry.size <= ArchiveIntake.maximumDocument {
            let bytes = prefix + (try tar.readAll(limit: Int(ArchiveIntake.maximumDocument)))
            documentBytes += bytes.count
            guard documentBytes <= ArchiveIntake.maximumDocumentBytes else {
                throw Failure(
                    .invalid, "the archive's documents are longer than \(ArchiveIntake.maximumDocumentBytes) bytes")
            }
            documents[path] = bytes
            return
        }
        let id = ArchiveIntake.id(of: path)
        let pace = ProgressPace(total: entry.size)
        if let old = blobs[path] { old.ingest.discard() }
        blobs[path] = try SpooledBlob.spool(
            tar, prefix: prefix, unpacks: isLayer && blobs.count < ArchiveIntake.maximumUnpacking, into: layers
        ) { current in
            if pace.allows(current) { progress(.layer(id: id, stage: .loading(current: current, total: entry.size))) }
        }
    }

    /// The first 512 bytes, or fewer where there are no more.
    private static func start(of tar: TarReader) throws(Failure) -> [UInt8] {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 16)
        defer { block.deallocate() }
        let count = try tar.readFully(into: block)
        return Array(block[..<count])
    }

    /// A packed stream, or a tar: by what it begins with, since names lie and old archives have none.
    static func looksLikeLayer(_ prefix: [UInt8], size: Int64) -> Bool {
        if Compression(detecting: prefix) != .none { return true }
        guard prefix.count == 512, size >= 1024 else { return false }
        if prefix[257..<262].elementsEqual("ustar".utf8) { return true }
        // Nothing but the end marker: a layer without a change.
        return prefix.allSatisfy { $0 == 0 }
    }

    /// A path without `.`, `..` resolved; nil for one that leaves the archive or names nothing.
    static func normalised(_ path: String) -> String? {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." {
                if parts.popLast() == nil { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }

    /// Twelve digits to show a layer by, from `blobs/sha256/<hex>` or `<id>/layer.tar`.
    private static func id(of path: String) -> String {
        let parts = path.split(separator: "/")
        let named = parts.last == "layer.tar" && parts.count > 1 ? parts[parts.count - 2] : parts[parts.count - 1]
        return String(named.prefix(12))
    }

    /// The path under which a file is really stored.
    func resolved(_ path: String) -> String? {
        guard var path = ArchiveIntake.normalised(path) else { return nil }
        for _ in 0..<8 {
            guard let next = links[path] else { return path }
            path = next
        }
        return nil
    }

    func document(_ path: String) -> [UInt8]? { resolved(path).flatMap { documents[$0] } }
    func blob(_ path: String) -> SpooledBlob? { resolved(path).flatMap { blobs[$0] } }
}
