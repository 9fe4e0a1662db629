public import Failures
public import Linux
public import OCI

/// Layers and what containers write above them, as mounts; nobody above sees how they are kept.
///
/// The life of a snapshot:
/// ```
/// let draft = try snapshotter.prepareLayer(parent: chainOfBase)   // an empty directory to unpack into
/// … unpack into draft.directory …
/// try draft.commit(as: chain)                                     // now a layer, read-only for ever
/// try snapshotter.createWritable("container-1", parent: chain)    // a layer to write to
/// let mount = try snapshotter.mounts("container-1")               // what the shim mounts
/// try snapshotter.commitWritable("container-1", as: newChain)     // docker commit, or a build's RUN step
/// try snapshotter.remove("container-1")
/// ```
/// Keys are any strings; a layer's is its chain id. Calls block: run them on the blocking pool. ``mounts(_:)`` and
/// ``parent(_:)`` answer from memory.
public protocol Snapshotter: Sendable {
    /// An empty directory for the changes of one layer. Not a layer until it is committed; gone with the process otherwise.
    func prepareLayer(parent: String?) throws(Failure) -> LayerDraft
    /// A directory to write to above a layer, or above nothing. `conflict` when the key is taken.
    func createWritable(_ key: String, parent: String?) throws(Failure)
    /// How to mount it; a layer's mount is read-only.
    func mounts(_ key: String) throws(Failure) -> OverlayMount
    /// The root of a detached read-only mount: gone when the descriptor is closed, and never in anybody's mount table.
    func view(_ key: String) throws(Failure) -> OwnedDescriptor
    /// The root of a detached mount of a writable snapshot that can be written to. Never while a container has it mounted.
    func writableView(_ key: String) throws(Failure) -> OwnedDescriptor
    /// Makes a layer out of a writable snapshot that nobody has mounted; its old key is free afterwards. When the layer is
    /// there already the snapshot is removed instead.
    func commitWritable(_ key: String, as layer: String) throws(Failure)
    /// The directory that holds only what this snapshot changed, with overlayfs's marks.
    func diffDirectory(_ key: String) throws(Failure) -> OwnedDescriptor
    /// Removes it. `conflict` when others stand on it; fine when it is gone already.
    func remove(_ key: String) throws(Failure)
    /// Removes it unless an image, container, build step, lease or other snapshot needs it, and says whether it went: the
    /// garbage collector's way, safe beside everything else.
    func removeUnlessNeeded(_ key: String) throws(Failure) -> Bool
    /// Removes directories that belonged to no snapshot when the daemon started: drafts that a crash left.
    func removeLeftovers() throws(Failure)
    /// What this snapshot alone takes, in bytes and inodes.
    func usage(_ key: String) throws(Failure) -> SnapshotUsage
    /// The layer below; `nil` for none. `notFound` when there is no such snapshot.
    func parent(_ key: String) throws(Failure) -> String?
    /// Whether it is here, its files as well: somebody may have taken them from under the daemon.
    func contains(_ key: String) -> Bool
    /// The snapshot and those it stands on, the top one first, as far as their files are gone from the disk. Making a layer
    /// anew under its key repairs it. `notFound` when there is no such snapshot.
    func lost(below key: String) throws(Failure) -> [String]
    /// Waits until all that was committed would outlast a power cut.
    func sync() throws(Failure)
    /// Every snapshot with what it stands on.
    func all() -> [SnapshotInfo]
}

/// What a snapshot takes.
public struct SnapshotUsage: Sendable, Hashable {
    /// Bytes of its files' content, hard links counted once.
    public var bytes: Int64
    public var inodes: Int64

    public init(bytes: Int64, inodes: Int64) {
        self.bytes = bytes
        self.inodes = inodes
    }
}

/// One line of a list of snapshots.
public struct SnapshotInfo: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case layer, writable }
    public var key: String
    public var kind: Kind
    public var parent: String?
    /// Since 1970, in seconds.
    public var created: Int64

    public init(key: String, kind: Kind, parent: String?, created: Int64) {
        self.key = key
        self.kind = kind
        self.parent = parent
        self.created = created
    }
}
