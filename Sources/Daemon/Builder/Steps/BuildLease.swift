internal import Linux
internal import OCI
internal import Storage

/// The promise that keeps what a build makes until an image, or the cache, holds it.
///
/// A build that died with its daemon cannot go on, so the next daemon ends its promise; what the cache holds stays.
struct BuildLease: Sendable {
    let rows: LeaseRows
    let id: String

    private static let prefix = "build-"

    /// Ends the promises of builds that died with the last daemon: before the first build of this one.
    static func releaseAll(_ rows: LeaseRows) async throws {
        for lease in try await rows.all() where lease.id.hasPrefix(prefix) { try await rows.release(lease.id) }
    }

    static func take(_ rows: LeaseRows) async throws -> BuildLease {
        let lease = BuildLease(rows: rows, id: prefix + RandomID.make())
        let now = WallTime.now().total
        try await rows.save(LeaseRow(id: lease.id, created: now, expires: now + 86400 * 1_000_000_000))
        return lease
    }

    func keep(blobs: [Digest] = [], snapshot: String? = nil) async throws {
        let resources = blobs.map { LeaseResource.blob($0) } + (snapshot.map { [LeaseResource.snapshot($0)] } ?? [])
        if !resources.isEmpty { try await rows.add(resources, to: id) }
    }

    func release() async { try? await rows.release(id) }
}
