internal import OCI
internal import Storage

/// The promise that keeps what a build makes until an image, or the cache, holds it.
///
/// It ends by itself a day after the
/// daemon was killed.
struct BuildLease: Sendable {
    let rows: LeaseRows
    let id: String

    static func take(_ rows: LeaseRows) async throws -> BuildLease {
        let lease = BuildLease(rows: rows, id: "build-" + RandomID.make())
        let now = BuildClock.now()
        try await rows.save(LeaseRow(id: lease.id, created: now, expires: now + 86400 * 1_000_000_000))
        return lease
    }

    func keep(blobs: [Digest] = [], snapshot: String? = nil) async throws {
        let resources = blobs.map { LeaseResource.blob($0) } + (snapshot.map { [LeaseResource.snapshot($0)] } ?? [])
        if !resources.isEmpty { try await rows.add(resources, to: id) }
    }

    func release() async { try? await rows.release(id) }
}
