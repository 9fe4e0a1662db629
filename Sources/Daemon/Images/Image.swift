public import OCI

/// One image that is here: a manifest, the configuration it names, and the names people gave it.
///
/// The identity is the digest of the manifest of one platform. Two images with the same configuration and other
/// compression are two images, as they are to a registry.
public struct Image: Sendable, Hashable {
    /// The digest of the manifest, byte for byte as it came or as it was made.
    public var id: Digest { record.descriptor.digest }
    /// The tagged names, sorted.
    ///
    /// Empty for a dangling image.
    public internal(set) var names: [Reference]
    /// The digests under which registries know this image, `name@sha256:…`, sorted.
    public var repoDigests: [Reference] { record.repoDigests }
    public let manifest: Manifest
    /// The media type, digest and size of the manifest's own bytes.
    public var descriptor: Descriptor { record.descriptor }
    public let config: ImageConfig
    public var configDigest: Digest { manifest.config.digest }
    /// One per layer, bottom first: the identity of the layer with everything below it.
    ///
    /// The last is the snapshot to put a container on.
    public let chainIDs: [Digest]
    /// The bytes of all files in all layers.
    public var size: Int64 { record.layerSizes.reduce(0, &+) }
    /// When it was made, as the configuration says: seconds since 1970, 0 where it says nothing.
    public let created: Int64
    public var platform: Platform { config.platform }
    /// When a name was last put on it: nanoseconds since 1970, 0 for never.
    public internal(set) var lastTagged: Int64
    /// When it came here: nanoseconds since 1970.
    let arrived: Int64
    var record: ImageRecord

    init(record: ImageRecord, manifest: Manifest, config: ImageConfig, arrived: Int64) {
        self.record = record
        self.manifest = manifest
        self.config = config
        self.arrived = arrived
        names = []
        lastTagged = 0
        chainIDs = ChainID.chains(config.rootfs.diffIDs)
        created = Timestamp.seconds(config.created)
    }

    /// The key of the snapshot that holds all layers, nil for an image without any.
    public var snapshot: String? { chainIDs.last?.description }

    /// Whether no name points at it.
    public var isDangling: Bool { names.isEmpty }

    /// What `RepoDigests` shows: what registries told, and `name@id` for a repository that no registry has seen.
    public var shownDigests: [Reference] {
        let known = Set(repoDigests.map(\.name))
        var shown = repoDigests
        for name in names where !known.contains(name.name) {
            let local = name.withoutTagOrDigest.with(digest: id)
            if !shown.contains(local) { shown.append(local) }
        }
        return shown
    }
}

/// A layer that is stored: its blob as registries will see it, and the digest of the tar inside.
public struct LayerDescriptor: Sendable, Hashable {
    /// Media type, digest and size of the blob; the blob is in the content store.
    public let blob: Descriptor
    /// The digest of the uncompressed tar.
    public let diffID: Digest

    public init(blob: Descriptor, diffID: Digest) {
        self.blob = blob
        self.diffID = diffID
    }
}

/// What a removal did, in the order in which it was done.
public enum Removal: Sendable, Hashable {
    /// A name went; the text is the familiar form.
    case untagged(String)
    case deleted(Digest)

    var isDeletion: Bool { if case .deleted = self { true } else { false } }
}

/// Who holds an image.
public struct ImageUse: Sendable, Hashable {
    /// The container's id.
    public let container: String
    public let running: Bool

    public init(container: String, running: Bool) {
        self.container = container
        self.running = running
    }
}

/// One line of `docker history`, newest first.
public struct HistoryEntry: Sendable, Hashable {
    /// The image's id on the first line, nil (shown as `<missing>`) below.
    public let id: Digest?
    /// Seconds since 1970.
    public let created: Int64
    public let createdBy: String
    public let comment: String
    /// The bytes this step added as stored, 0 for a step that changed no file.
    public let size: Int64
    /// Familiar names, on the first line only.
    public let tags: [String]
}
