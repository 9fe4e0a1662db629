public import Failures

/// Removes what no image, container, build cache entry or lease reaches: blobs, layers, and blobs on their way too long.
public final class GarbageCollector: Sendable {
    public struct Collected: Sendable, Hashable {
        public var blobs = 0
        public var snapshots = 0
        /// Bytes of the blobs and layers that went.
        public var bytes: Int64 = 0
    }

    public init(metadata: MetadataStore, content: ContentStore, snapshots: any Snapshotter) {}

    /// One pass; a second one meanwhile waits for it. Work in progress is safe as far as it has a lease. Blocks.
    public func collect() throws(Failure) -> Collected { Collected() }

    /// At the daemon's start, before anything else: ends what the last run left half-made (writable snapshots without a
    /// container, expired leases), then collects. Blocks.
    public func sweepAtStart() throws(Failure) -> Collected { Collected() }
}
