internal import CLinux
public import Failures
internal import OCI
internal import Synchronization

/// Removes what no image, container, build cache entry or lease reaches: blobs, layers, and blobs on their way too long.
///
/// It runs beside everything else. What is needed is asked again for each thing inside the transaction that forgets it, so
/// whoever holds a lease, or takes one before looking, keeps what it names.
public final class GarbageCollector: Sendable {
    public struct Collected: Sendable, Hashable {
        public var blobs = 0
        public var snapshots = 0
        /// Bytes of the blobs that went, and of what was on its way.
        public var bytes: Int64 = 0

        public init() {}
    }

    /// How long bytes of a broken transfer wait for the next try: a day.
    static let patience: Int64 = 86_400

    private let metadata: MetadataStore
    private let content: ContentStore
    private let snapshots: any Snapshotter
    private let running = Mutex(())

    public init(metadata: MetadataStore, content: ContentStore, snapshots: any Snapshotter) {
        self.metadata = metadata
        self.content = content
        self.snapshots = snapshots
    }

    /// One pass; a second one meanwhile waits for it.
    ///
    /// Work in progress is safe as far as it has a lease. Blocks.
    @discardableResult
    public func collect() throws(Failure) -> Collected {
        try running.withLock { _ throws(Failure) in
            let now = secondsNow()
            try metadata.references.endLeases(before: now * 1_000_000_000)
            var collected = Collected()
            try collectSnapshots(&collected)
            try collectBlobs(&collected)
            collected.bytes += try content.dropIngests(untouchedSince: now - GarbageCollector.patience)
            return collected
        }
    }

    /// At the daemon's start, when nothing of the last run runs any more and nothing of this one yet: ends what was left
    /// half-made (drafts, writable snapshots without a container), then collects.
    ///
    /// Blocks.
    ///
    /// - Parameter afterPowerCut: whether the machine went down under the last run. Then only what an image holds is known
    ///   to have reached the disk: what was promised to a pull or a build goes as well, and so do steps in the build cache
    ///   whose layers no image has.
    @discardableResult
    public func sweepAtStart(afterPowerCut: Bool = false) throws(Failure) -> Collected {
        if afterPowerCut {
            try metadata.references.forgetUnproven()
            _ = try content.dropIngests(untouchedSince: .max)
        }
        try content.removeLeftovers()
        try snapshots.removeLeftovers()
        for key in try metadata.references.orphanedWritables() { try snapshots.remove(key) }
        return try collect()
    }

    /// Layers from the top down: each that goes may free the one below.
    private func collectSnapshots(_ collected: inout Collected) throws(Failure) {
        let all = snapshots.all()
        var children: [String: Int] = [:]
        for parent in all.compactMap(\.parent) { children[parent, default: 0] += 1 }
        let layers = Dictionary(uniqueKeysWithValues: all.filter { $0.kind == .layer }.map { ($0.key, $0) })
        var ready = layers.keys.filter { children[$0] == nil }
        while let key = ready.popLast() {
            guard try snapshots.removeUnlessNeeded(key) else { continue }
            collected.snapshots += 1
            guard let parent = layers[key]?.parent, let count = children[parent] else { continue }
            children[parent] = count - 1
            if count == 1, layers[parent] != nil { ready.append(parent) }
        }
    }

    private func collectBlobs(_ collected: inout Collected) throws(Failure) {
        let needed = try metadata.references.neededBlobs()
        for digest in try content.all() where !needed.contains(digest.description) {
            let size = content.size(of: digest) ?? 0
            guard try metadata.references.removeUnlessNeeded(digest, { try content.remove(digest) }) else { continue }
            collected.blobs += 1
            collected.bytes += size
        }
    }
}
