internal import Failures
internal import JSON
internal import OCI

/// What an archive's documents say is in it: images with the files that make them.
///
/// Pure.
///
/// An archive may speak two languages at once, as Docker writes it since version 25: `index.json` of the OCI layout, which
/// has the manifests byte for byte, and `manifest.json`, which has the names. Where both are, they complete each other.
struct ArchiveContents {
    struct Entry: Sendable, Hashable {
        /// The manifest's own bytes where the archive has them.
        var manifest: [UInt8]?
        var config: [UInt8]
        var configDigest: Digest
        /// Bottom first.
        var layers: [Layer]
        var names: [Reference]
    }

    struct Layer: Sendable, Hashable {
        var path: String
        /// What the manifest says of it, nil in archives without manifests.
        var descriptor: Descriptor?
    }

    private let document: (String) -> [UInt8]?
    private let wanted: Platform

    /// - Parameters:
    ///   - platform: which image to take of an index, nil for the host's or else the first that is complete.
    ///   - document: a small file of the archive by its path.
    init(platform: Platform?, document: @escaping (String) -> [UInt8]?) {
        self.document = document
        wanted = platform ?? .host
    }

    /// The images, in the order of the documents.
    func entries() throws(Failure) -> [Entry] {
        var entries: [Entry] = []
        if let bytes = document("index.json") {
            guard case .index(let index) = try ManifestDocument(parsing: bytes) else {
                throw Failure(.invalid, "the archive's index.json is not an index")
            }
            for descriptor in index.manifests where !descriptor.isAttestation {
                try add(descriptor, names: ArchiveContents.names(descriptor), to: &entries, depth: 0)
            }
        }
        if let bytes = document("manifest.json") { try addDocker(bytes, to: &entries) }
        guard !entries.isEmpty else {
            throw Failure(
                .invalid, "the archive holds no image: it has neither a manifest.json nor an index.json that names one")
        }
        return entries
    }

    // MARK: OCI layout

    private static func path(_ digest: Digest) -> String { "blobs/\(digest.algorithm)/\(digest.hex)" }

    /// The whole names among an entry's annotations; a bare tag is none.
    private static func names(_ descriptor: Descriptor) -> [Reference] {
        if let name = descriptor.annotations?["io.containerd.image.name"],
            let reference = try? Reference(parsing: name),
            reference.tag != nil, reference.digest == nil
        {
            return [reference]
        }
        guard let name = descriptor.annotations?["org.opencontainers.image.ref.name"], name.contains(":"),
            let reference = try? Reference(parsing: name), reference.tag != nil, reference.digest == nil
        else { return [] }
        return [reference]
    }

    private func add(
        _ descriptor: Descriptor, names: [Reference], to entries: inout [Entry], depth: Int
    ) throws(Failure) {
        guard depth < 3 else { throw Failure(.invalid, "the archive's indexes name each other without end") }
        guard let bytes = document(ArchiveContents.path(descriptor.digest)) else {
            // An index may list platforms that the archive does not carry.
            if depth > 0 { return }
            throw Failure(.invalid, "the archive lacks manifest \(descriptor.digest)")
        }
        try ArchiveContents.check(bytes, descriptor.digest)
        switch try ManifestDocument(parsing: bytes) {
        case .index(let index):
            let images = index.manifests.filter { !$0.isAttestation }
            let present = images.filter { document(ArchiveContents.path($0.digest)) != nil }
            let best = Index(manifests: present).manifest(for: wanted) ?? present.first
            guard let best else {
                throw Failure(.invalid, "the archive lacks every manifest of index \(descriptor.digest)")
            }
            try add(best, names: names, to: &entries, depth: depth + 1)
        case .manifest(let manifest):
            guard manifest.config.mediaType.isImageConfig else { return }
            guard let config = document(ArchiveContents.path(manifest.config.digest)) else {
                throw Failure(.invalid, "the archive lacks configuration \(manifest.config.digest)")
            }
            try ArchiveContents.check(config, manifest.config.digest)
            if let known = entries.firstIndex(where: { $0.manifest == bytes }) {
                entries[known].names += names.filter { !entries[known].names.contains($0) }
                return
            }
            entries.append(
                Entry(
                    manifest: bytes, config: config, configDigest: manifest.config.digest,
                    layers: manifest.layers.map { Layer(path: ArchiveContents.path($0.digest), descriptor: $0) },
                    names: names))
        }
    }

    private static func check(_ bytes: [UInt8], _ digest: Digest) throws(Failure) {
        guard Digest(sha256: SHA256Sum.of(bytes)) == digest else {
            throw Failure(.invalid, "the archive's \(digest) is something else: its digest does not match")
        }
    }

    // MARK: docker-archive

    /// Reads a docker-archive's `manifest.json`, a list of objects with `Config`, `RepoTags` and `Layers`.
    private func addDocker(_ bytes: [UInt8], to entries: inout [Entry]) throws(Failure) {
        guard let list = (try? JSON.parse(bytes))?.arrayValue else {
            throw Failure(.invalid, "the archive's manifest.json is not a list")
        }
        for item in list.prefix(10_000) {
            guard let path = item["Config"]?.stringValue, let config = document(path) else {
                throw Failure(.invalid, "the archive lacks the configuration that its manifest.json names")
            }
            var names: [Reference] = []
            for tag in item["RepoTags"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
                let reference = try Reference(parsing: tag)
                guard reference.tag != nil, reference.digest == nil else {
                    throw Failure(.invalid, "invalid tag \"\(tag.prefix(200))\" in the archive's manifest.json")
                }
                names.append(reference)
            }
            let digest = Digest(sha256: SHA256Sum.of(config))
            if let known = entries.firstIndex(where: { $0.configDigest == digest }) {
                entries[known].names += names.filter { !entries[known].names.contains($0) }
                continue
            }
            let layers = item["Layers"]?.arrayValue?.compactMap(\.stringValue) ?? []
            entries.append(
                Entry(
                    manifest: nil, config: config, configDigest: digest,
                    layers: layers.map { Layer(path: $0, descriptor: nil) }, names: names))
        }
    }
}
