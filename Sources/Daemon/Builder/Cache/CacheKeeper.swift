internal import Failures
internal import Images
internal import Linux
internal import Logging
internal import NIOPosix
internal import OCI
internal import Storage
internal import Synchronization

/// Keeps the build cache within its limits: knows its records, removes what nobody needs, and does so by itself when a
/// build has ended.
final class CacheKeeper: Sendable {
    private let environment: BuildEnvironment
    private let uses = CacheUses()
    /// Whether a pass runs, and whether another build ended meanwhile.
    private let pass = Mutex((runs: false, again: false))

    init(_ environment: BuildEnvironment) { self.environment = environment }

    private var rows: BuildCacheRows { environment.metadata.buildCache }

    /// The cache as one build uses it.
    func cache() -> BuildCache {
        BuildCache(
            rows: rows, snapshots: environment.snapshots, content: environment.content, pool: environment.pool,
            hold: uses.hold())
    }

    /// Everything there is.
    func records() async throws -> [CacheRecord] {
        let used = uses.all
        let layers = Set(environment.images.list().flatMap(\.chainIDs).map(\.description))
        let steps = try await rows.all().map { row in
            CacheRecord(
                id: Self.id(row.key), kind: .regular, description: BuildCache.Entry(row.document)?.description ?? "",
                layer: row.layer, size: row.layer == nil ? 0 : 2 * row.size, created: row.created,
                lastUsed: row.lastUsed, useCount: row.useCount, isInUse: used.contains(row.key),
                isShared: row.layer.map { layers.contains($0) } ?? false)
        }
        let mounts = environment.cacheMounts
        return try await steps + environment.pool.runIfActive { try mounts.records() }
    }

    /// Removes what `pruning` chooses.
    ///
    /// - Returns: the ids of the records removed, and the bytes set free.
    func prune(_ pruning: CachePruning) async throws -> (removed: [String], reclaimed: Int64) {
        let records = try await records()
        let root = environment.root
        let available = try await environment.pool.runIfActive {
            let directory = try open(root, O_RDONLY | O_DIRECTORY)
            return try freeBytes(directory.raw)
        }
        let chosen = pruning.choose(among: records, available: available, now: WallTime.now().total)
        guard !chosen.isEmpty else { return ([], 0) }
        let keys = uses.claim(chosen.filter { $0.kind == .regular }.map { Self.key($0.id) })
        defer { uses.removed(keys) }
        if !keys.isEmpty { try await rows.remove(keys) }
        let mounts = environment.cacheMounts
        let gone = try await environment.pool.runIfActive {
            try mounts.remove(chosen.filter { $0.kind == .mount }.map(\.id))
        }
        _ = await environment.collect()
        return (keys.map(Self.id) + gone, freed(chosen, keys: Set(keys.map(Self.id)), mounts: Set(gone)))
    }

    /// The bytes of what is no longer there: a layer that an image or a running build has stays.
    private func freed(_ chosen: [CacheRecord], keys: Set<String>, mounts: Set<String>) -> Int64 {
        var layers: [String: Int64] = [:]
        var bytes: Int64 = 0
        for record in chosen {
            if mounts.contains(record.id) { bytes += record.size }
            if let layer = record.layer, keys.contains(record.id) { layers[layer] = record.size }
        }
        for (layer, size) in layers where !environment.snapshots.contains(layer) { bytes += size }
        return bytes
    }

    /// Drops records whose layers are gone: from a disk that was repaired, or a daemon that was killed.
    func dropBroken() async throws {
        var broken: [String] = []
        let snapshots = environment.snapshots
        let content = environment.content
        let rows = try await rows.all()
        let whole = try await environment.pool.runIfActive {
            rows.filter { row in
                row.layer.map { snapshots.contains($0) } ?? true && row.blobs.allSatisfy { content.contains($0) }
            }
        }
        broken = Array(Set(rows.map(\.key)).subtracting(whole.map(\.key)))
        if !broken.isEmpty { try await self.rows.remove(broken) }
    }

    /// A build has ended: the cache is brought within its limits behind the answer.
    func buildEnded() {
        guard environment.cacheLimits != nil else { return }
        let starts = pass.withLock { pass -> Bool in
            if pass.runs {
                pass.again = true
                return false
            }
            pass = (true, false)
            return true
        }
        guard starts else { return }
        Task {
            repeat { await enforceLimits() } while goesOn()
        }
    }

    private func goesOn() -> Bool {
        pass.withLock { pass in
            pass.runs = pass.again
            pass.again = false
            return pass.runs
        }
    }

    /// One pass over the cache; what fails is tried again behind the next build.
    func enforceLimits() async {
        guard let limits = environment.cacheLimits else { return }
        var pruning = CachePruning()
        pruning.all = true
        pruning.limits = limits
        do {
            let (removed, bytes) = try await prune(pruning)
            guard !removed.isEmpty else { return }
            environment.logger.info(
                "build cache is over its limit", metadata: ["removed": "\(removed.count)", "bytes": "\(bytes)"])
        } catch {
            environment.logger.debug("the build cache was not pruned", metadata: ["reason": "\(error)"])
        }
    }

    private static func id(_ key: String) -> String { String(key.drop { $0 != ":" }.dropFirst()) }
    private static func key(_ id: String) -> String { "sha256:" + id }
}

extension BuildService {
    /// Everything the builder keeps between builds.
    public func cacheRecords() async throws -> [CacheRecord] { try await keeper.records() }

    /// Removes what `pruning` chooses of it.
    ///
    /// - Returns: the ids of the records removed, and the bytes set free.
    public func prune(_ pruning: CachePruning) async throws -> (removed: [String], reclaimed: Int64) {
        try await keeper.prune(pruning)
    }
}
