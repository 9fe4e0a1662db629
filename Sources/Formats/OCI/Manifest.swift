public import Failures
internal import JSON

/// An image for one platform: its configuration and its layers, bottom first.
///
/// See the OCI image specification, manifest.md; Docker's schema 2 has the same shape.
public struct Manifest: Sendable, Hashable, Codable {
    public var schemaVersion: Int
    public var mediaType: MediaType?
    public var artifactType: String?
    public var config: Descriptor
    public var layers: [Descriptor]
    public var subject: Descriptor?
    public var annotations: [String: String]?

    public init(
        mediaType: MediaType = .ociManifest, config: Descriptor, layers: [Descriptor],
        annotations: [String: String]? = nil
    ) {
        schemaVersion = 2
        self.mediaType = mediaType
        self.config = config
        self.layers = layers
        self.annotations = annotations
    }

    /// The document as it is hashed and stored.
    public func encoded() throws(Failure) -> [UInt8] { try encodedDocument(self) }
}

/// The manifests of one image for several platforms.
///
/// See the OCI image specification, image-index.md; Docker's manifest list has the same shape.
public struct Index: Sendable, Hashable, Codable {
    public var schemaVersion: Int
    public var mediaType: MediaType?
    public var artifactType: String?
    public var manifests: [Descriptor]
    public var subject: Descriptor?
    public var annotations: [String: String]?

    public init(mediaType: MediaType = .ociIndex, manifests: [Descriptor], annotations: [String: String]? = nil) {
        schemaVersion = 2
        self.mediaType = mediaType
        self.manifests = manifests
        self.annotations = annotations
    }

    /// The manifest that runs best on a platform; nil when none does.
    ///
    /// An entry that names no platform is taken only when nothing names one.
    public func manifest(for platform: Platform) -> Descriptor? {
        let images = manifests.filter { !$0.isAttestation && ($0.mediaType.isManifest || $0.mediaType.isIndex) }
        let ranked = images.compactMap { entry in
            entry.platform.flatMap { platform.rank(of: $0) }.map { (rank: $0, entry: entry) }
        }
        if let best = ranked.min(by: { $0.rank < $1.rank }) { return best.entry }
        return images.allSatisfy { $0.platform == nil } ? images.first : nil
    }

    /// The document as it is hashed and stored.
    public func encoded() throws(Failure) -> [UInt8] { try encodedDocument(self) }
}

/// What a registry or an archive gives for a reference: a manifest or an index, never something that is both.
public enum ManifestDocument: Sendable, Hashable {
    case manifest(Manifest)
    case index(Index)

    /// Manifests are small; a larger one is an attack on memory (the distribution specification's own limit).
    public static let maximumBytes = 4 << 20

    /// The document that the bytes are.
    ///
    /// The shape decides and must be unambiguous: a document with both `manifests` and `layers` is refused
    /// (CVE-2021-41190), and so is one whose `mediaType` or `contentType` says otherwise.
    /// - Parameter contentType: what the registry called it; nil or foreign names are ignored.
    public init(parsing bytes: [UInt8], contentType: MediaType? = nil) throws(Failure) {
        guard bytes.count <= Self.maximumBytes else {
            throw Failure(.invalid, "invalid manifest: larger than \(Self.maximumBytes) bytes")
        }
        do {
            let tree = try JSON.parse(bytes, limits: JSON.Limits(depth: 32, bytes: Self.maximumBytes, values: 200_000))
            self = try Self.document(tree, contentType: contentType)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.invalid, "invalid manifest: \(error)", cause: error)
        }
    }

    private static func document(_ tree: JSON, contentType: MediaType?) throws -> ManifestDocument {
        func invalid(_ reason: String) -> Failure { Failure(.invalid, "invalid manifest: \(reason)") }
        guard case .object = tree else { throw invalid("expected an object, found \(tree.kindName)") }
        guard tree["schemaVersion"]?.intValue == 2 else {
            throw invalid("schema version \(tree["schemaVersion"]?.text ?? "missing") is not supported, want 2")
        }
        let hasManifests = tree["manifests"] != nil
        let hasLayers = tree["layers"] != nil || tree["config"] != nil
        guard !(hasManifests && hasLayers), tree["fsLayers"] == nil else {
            throw invalid("it is both an index and a manifest")
        }
        guard hasManifests || hasLayers else { throw invalid("it has neither manifests nor layers") }
        let stated = [tree["mediaType"]?.stringValue.map(MediaType.init(rawValue:)), contentType].compactMap { $0 }
        for type in stated where hasManifests ? type.isManifest : type.isIndex {
            throw invalid("its media type is \(type), its content is not")
        }
        if let inside = stated.first, let outside = contentType, tree["mediaType"] != nil,
            outside.isManifest || outside.isIndex, inside != outside
        {
            throw invalid("its media type is \(inside), the registry says \(outside)")
        }
        return hasManifests
            ? .index(try JSONCoder.value(Index.self, from: tree))
            : .manifest(try JSONCoder.value(Manifest.self, from: tree))
    }

    /// The media type by content, for documents that do not say it themselves.
    public var mediaType: MediaType {
        switch self {
        case .manifest(let manifest): manifest.mediaType ?? .ociManifest
        case .index(let index): index.mediaType ?? .ociIndex
        }
    }
}

private func encodedDocument(_ document: some Encodable) throws(Failure) -> [UInt8] {
    do { return try JSONCoder.encode(document) } catch { throw Failure.wrapping(error, "encode manifest") }
}
