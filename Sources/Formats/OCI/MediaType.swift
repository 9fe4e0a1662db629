/// What a blob is, by its registered name.
///
/// Any text can be a media type; those that Skiff understands are constants, and questions about a type are asked here
/// so that nobody else compares strings.
public struct MediaType: RawRepresentable, Sendable, Hashable, Codable, ExpressibleByStringLiteral {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }

    // MARK: Manifests

    public static let ociManifest: MediaType = "application/vnd.oci.image.manifest.v1+json"
    public static let ociIndex: MediaType = "application/vnd.oci.image.index.v1+json"
    public static let dockerManifest: MediaType = "application/vnd.docker.distribution.manifest.v2+json"
    public static let dockerManifestList: MediaType = "application/vnd.docker.distribution.manifest.list.v2+json"

    /// What a registry is asked for, most welcome first.
    public static let acceptedManifests: [MediaType] = [.ociIndex, .ociManifest, .dockerManifestList, .dockerManifest]

    public var isManifest: Bool { self == .ociManifest || self == .dockerManifest }
    public var isIndex: Bool { self == .ociIndex || self == .dockerManifestList }

    // MARK: Configurations

    public static let ociConfig: MediaType = "application/vnd.oci.image.config.v1+json"
    public static let dockerConfig: MediaType = "application/vnd.docker.container.image.v1+json"
    /// The config of an artefact that is no image.
    public static let empty: MediaType = "application/vnd.oci.empty.v1+json"

    public var isImageConfig: Bool { self == .ociConfig || self == .dockerConfig }

    // MARK: Layers

    public static let ociLayer: MediaType = "application/vnd.oci.image.layer.v1.tar"
    public static let ociLayerGzip: MediaType = "application/vnd.oci.image.layer.v1.tar+gzip"
    public static let ociLayerZstd: MediaType = "application/vnd.oci.image.layer.v1.tar+zstd"
    public static let dockerLayer: MediaType = "application/vnd.docker.image.rootfs.diff.tar"
    public static let dockerLayerGzip: MediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    public static let dockerLayerZstd: MediaType = "application/vnd.docker.image.rootfs.diff.tar.zstd"
    public static let dockerForeignLayer: MediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

    /// How a layer's tar is packed.
    public enum Compression: String, Sendable, Hashable {
        case none, gzip, zstd
    }

    /// How the layer is packed; nil when this is no layer.
    public var layerCompression: Compression? {
        switch self {
        case .ociLayer, .dockerLayer, "application/vnd.oci.image.layer.nondistributable.v1.tar": Compression.none
        case .ociLayerGzip, .dockerLayerGzip, .dockerForeignLayer,
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip":
            .gzip
        case .ociLayerZstd, .dockerLayerZstd, "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": .zstd
        default: nil
        }
    }

    public var isLayer: Bool { layerCompression != nil }

    /// A layer that registries other than its own may not be given.
    public var isForeignLayer: Bool {
        self == .dockerForeignLayer || rawValue.hasPrefix("application/vnd.oci.image.layer.nondistributable.")
    }
}

extension MediaType: CustomStringConvertible {
    public var description: String { rawValue }
}
