internal import Failures
internal import GRDB
internal import OCI

/// Who needs what: the questions of the garbage collector.
///
/// Calls block.
struct References: Sendable {
    let database: DatabaseAccess

    /// Every blob somebody needs.
    func neededBlobs() throws(Failure) -> Set<String> {
        try database.readBlocking("list needed content") { db in
            try String.fetchSet(
                db,
                sql: """
                    SELECT digest FROM image_blobs UNION SELECT digest FROM build_cache_blobs
                    UNION SELECT key FROM lease_resources WHERE kind = 'blob'
                    """)
        }
    }

    /// Runs `remove` inside a transaction unless somebody needs the blob: a lease is taken before or after, never between.
    func removeUnlessNeeded(_ digest: Digest, _ remove: () throws -> Void) throws(Failure) -> Bool {
        try database.writeBlocking("remove content \(digest)") { db in
            let text = digest.description
            let isNeeded = try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM image_blobs WHERE digest = :key)
                    OR EXISTS (SELECT 1 FROM build_cache_blobs WHERE digest = :key)
                    OR EXISTS (SELECT 1 FROM lease_resources WHERE kind = 'blob' AND key = :key)
                    """, arguments: ["key": text])
            if isNeeded != false { return false }
            try remove()
            return true
        }
    }

    /// Whether anything stands on the snapshot or uses it.
    static func isSnapshotNeeded(_ key: String, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM snapshots WHERE parent = :key)
                OR EXISTS (SELECT 1 FROM image_layers WHERE layer = :key)
                OR EXISTS (SELECT 1 FROM containers WHERE snapshot = :key)
                OR EXISTS (SELECT 1 FROM build_cache WHERE layer = :key)
                OR EXISTS (SELECT 1 FROM lease_resources WHERE kind = 'snapshot' AND key = :key)
                """, arguments: ["key": key]) ?? true
    }

    /// Writable snapshots that no container and no lease knows: what a build or a create left when the daemon died.
    func orphanedWritables() throws(Failure) -> [String] {
        try database.readBlocking("list orphaned snapshots") { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT key FROM snapshots WHERE kind = 'writable'
                    AND NOT EXISTS (SELECT 1 FROM containers WHERE containers.snapshot = snapshots.key)
                    AND NOT EXISTS (SELECT 1 FROM lease_resources WHERE kind = 'snapshot' AND lease_resources.key = snapshots.key)
                    """)
        }
    }

    /// Forgets what was never synced to the disk: leases, and build steps whose results no image holds.
    func forgetUnproven() throws(Failure) {
        try database.writeBlocking("forget what a power cut may have spoilt") { db in
            try db.run("DELETE FROM leases", [])
            try db.run(
                """
                DELETE FROM build_cache WHERE layer NOT IN (SELECT layer FROM image_layers)
                OR EXISTS (SELECT 1 FROM build_cache_blobs WHERE build_cache_blobs.key = build_cache.key
                    AND digest NOT IN (SELECT digest FROM image_blobs))
                """, [])
        }
    }

    /// Ends the leases whose time is over.
    func endLeases(before time: Int64) throws(Failure) {
        try database.writeBlocking("end old leases") { db in
            try db.run("DELETE FROM leases WHERE expires < ?", [time])
        }
    }
}
