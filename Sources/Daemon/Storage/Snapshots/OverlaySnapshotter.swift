public import Failures
public import Linux
public import OCI

/// Snapshots as overlayfs directories.
public final class OverlaySnapshotter: Snapshotter {
    /// - Parameter root: `<data-root>/snapshots`; made when it is not there.
    public init(root: String, metadata: MetadataStore) throws(Failure) { throw Failure(.notImplemented, "snapshotter") }
    public func prepareLayer(parent: String?) throws(Failure) -> LayerDraft {
        throw Failure(.notImplemented, "snapshotter")
    }
    public func createWritable(_ key: String, parent: String?) throws(Failure) {}
    public func mounts(_ key: String) throws(Failure) -> OverlayMount { throw Failure(.notImplemented, "snapshotter") }
    public func view(_ key: String) throws(Failure) -> OwnedDescriptor { throw Failure(.notImplemented, "snapshotter") }
    public func writableView(_ key: String) throws(Failure) -> OwnedDescriptor {
        throw Failure(.notImplemented, "snapshotter")
    }
    public func commitWritable(_ key: String, as layer: String) throws(Failure) {}
    public func diffDirectory(_ key: String) throws(Failure) -> OwnedDescriptor {
        throw Failure(.notImplemented, "snapshotter")
    }
    public func remove(_ key: String) throws(Failure) {}
    public func usage(_ key: String) throws(Failure) -> SnapshotUsage { throw Failure(.notImplemented, "snapshotter") }
    public func parent(_ key: String) throws(Failure) -> String? { nil }
    public func contains(_ key: String) -> Bool { false }
    public func all() -> [SnapshotInfo] { [] }
}
