public import OCI

/// An image as the database has it: what services must find it by, and their own document.
public struct ImageRow: Sendable, Hashable {
    /// Digest of the manifest.
    public var id: Digest
    /// Every blob the image needs: manifest, config, packed layers.
    public var blobs: [Digest]
    /// The chain ids of its layers, bottom first: keys of the ``Snapshotter``.
    public var layers: [String]
    /// Since 1970, in nanoseconds: when it came here.
    public var created: Int64
    /// JSON of the service that owns the row.
    public var document: [UInt8]

    public init(id: Digest, blobs: [Digest], layers: [String], created: Int64, document: [UInt8]) {
        self.id = id
        self.blobs = blobs
        self.layers = layers
        self.created = created
        self.document = document
    }
}

/// A name of an image: `docker.io/library/alpine:latest`, or with a digest after `@`.
public struct ImageNameRow: Sendable, Hashable {
    public var name: String
    public var image: Digest
    /// Since 1970, in nanoseconds.
    public var tagged: Int64

    public init(name: String, image: Digest, tagged: Int64) {
        self.name = name
        self.image = image
        self.tagged = tagged
    }
}

/// A container as the database has it.
public struct ContainerRow: Sendable, Hashable {
    /// 64 hex digits.
    public var id: String
    /// Unique, without a slash.
    public var name: String
    /// The image it was made of; kept from collection.
    ///
    /// `nil` when it has none.
    public var image: Digest?
    /// Its writable snapshot's key.
    public var snapshot: String
    /// Since 1970, in nanoseconds.
    public var created: Int64
    /// JSON of the service that owns the row.
    public var document: [UInt8]

    public init(id: String, name: String, image: Digest?, snapshot: String, created: Int64, document: [UInt8]) {
        self.id = id
        self.name = name
        self.image = image
        self.snapshot = snapshot
        self.created = created
        self.document = document
    }
}

/// A network as the database has it.
public struct NetworkRow: Sendable, Hashable {
    /// 64 hex digits.
    public var id: String
    /// Unique.
    public var name: String
    public var driver: String
    /// Since 1970, in nanoseconds.
    public var created: Int64
    /// JSON of the service that owns the row.
    public var document: [UInt8]

    public init(id: String, name: String, driver: String, created: Int64, document: [UInt8]) {
        self.id = id
        self.name = name
        self.driver = driver
        self.created = created
        self.document = document
    }
}

/// A container's place in a network.
///
/// No two endpoints of a network have one address: the database refuses it.
public struct EndpointRow: Sendable, Hashable {
    /// 64 hex digits.
    public var id: String
    public var network: String
    /// The sandbox it belongs to: a container, or a build step.
    public var sandbox: String
    /// Unique in the network; `nil` when it has none.
    public var address: String?
    /// JSON of the service that owns the row.
    public var document: [UInt8]

    public init(id: String, network: String, sandbox: String, address: String?, document: [UInt8]) {
        self.id = id
        self.network = network
        self.sandbox = sandbox
        self.address = address
        self.document = document
    }
}

/// A volume as the database has it.
public struct VolumeRow: Sendable, Hashable {
    public var name: String
    /// Since 1970, in nanoseconds.
    public var created: Int64
    /// JSON of the service that owns the row.
    public var document: [UInt8]

    public init(name: String, created: Int64, document: [UInt8]) {
        self.name = name
        self.created = created
        self.document = document
    }
}

/// What a build step made, under the key of what it was made from.
public struct BuildCacheRow: Sendable, Hashable {
    /// Digest of the step's definition and inputs.
    public var key: String
    /// The chain id of the layer the step made, kept from collection; `nil` when it made none.
    public var layer: String?
    /// Blobs the entry keeps.
    public var blobs: [Digest]
    /// Since 1970, in nanoseconds.
    public var created: Int64
    /// Since 1970, in nanoseconds.
    public var lastUsed: Int64
    public var useCount: Int
    public var size: Int64
    /// JSON of the service that owns the row.
    public var document: [UInt8]

    public init(
        key: String, layer: String?, blobs: [Digest] = [], created: Int64, lastUsed: Int64, useCount: Int = 0,
        size: Int64, document: [UInt8]
    ) {
        self.key = key
        self.layer = layer
        self.blobs = blobs
        self.created = created
        self.lastUsed = lastUsed
        self.useCount = useCount
        self.size = size
        self.document = document
    }
}

/// A promise not to collect some things while work on them goes on.
public struct LeaseRow: Sendable, Hashable {
    public var id: String
    /// Since 1970, in nanoseconds.
    public var created: Int64
    /// Since 1970, in nanoseconds: when the promise ends by itself, should whoever took it have died.
    public var expires: Int64
    public var resources: [LeaseResource]

    public init(id: String, created: Int64, expires: Int64, resources: [LeaseResource] = []) {
        self.id = id
        self.created = created
        self.expires = expires
        self.resources = resources
    }
}

/// What a lease keeps.
public enum LeaseResource: Sendable, Hashable {
    case blob(Digest)
    /// A layer and those below it, or a writable snapshot.
    case snapshot(String)
}
