public import Failures
internal import GRDB
internal import OCI

/// Results of build steps.
public struct BuildCacheRows: Sendable {
    let database: DatabaseAccess

    private static let columns = "key, layer, created, last_used, use_count, size, document"

    public func all() async throws(Failure) -> [BuildCacheRow] {
        try await database.read("list the build cache") { db in
            try db.rows("SELECT \(BuildCacheRows.columns) FROM build_cache").map { try BuildCacheRows.row($0, db) }
        }
    }

    public func find(_ key: String) async throws(Failure) -> BuildCacheRow? {
        try await database.read("look into the build cache") { db in
            try db.rows("SELECT \(BuildCacheRows.columns) FROM build_cache WHERE key = ?", [key]).first.map {
                try BuildCacheRows.row($0, db)
            }
        }
    }

    /// Keeps the row, new or changed.
    public func save(_ row: BuildCacheRow) async throws(Failure) {
        try await database.write("save a build step") { db in
            try db.run(
                """
                INSERT INTO build_cache (key, layer, created, last_used, use_count, size, document) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (key) DO UPDATE SET layer = excluded.layer, created = excluded.created,
                last_used = excluded.last_used, use_count = excluded.use_count, size = excluded.size,
                document = excluded.document
                """, [row.key, row.layer, row.created, row.lastUsed, row.useCount, row.size, row.document.text])
            try db.run("DELETE FROM build_cache_blobs WHERE key = ?", [row.key])
            for digest in Set(row.blobs) {
                try db.run("INSERT INTO build_cache_blobs (key, digest) VALUES (?, ?)", [row.key, digest.description])
            }
        }
    }

    /// Counts a use; fine when there is no such step.
    public func touch(_ key: String, at time: Int64) async throws(Failure) {
        try await database.write("count the use of a build step") { db in
            try db.run("UPDATE build_cache SET last_used = ?, use_count = use_count + 1 WHERE key = ?", [time, key])
        }
    }

    public func remove(_ keys: [String]) async throws(Failure) {
        try await database.write("remove build steps") { db in
            for key in keys { try db.run("DELETE FROM build_cache WHERE key = ?", [key]) }
        }
    }

    private static func row(_ row: Row, _ db: Database) throws -> BuildCacheRow {
        let key: String = row[0]
        let blobs = try db.rows("SELECT digest FROM build_cache_blobs WHERE key = ?", [key])
        return BuildCacheRow(
            key: key, layer: row[1], blobs: try blobs.map { (blob) throws(Failure) in try Digest(parsing: blob[0]) },
            created: row[2],
            lastUsed: row[3], useCount: row[4], size: row[5], document: [UInt8](document: row[6]))
    }
}
