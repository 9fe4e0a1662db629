public import Failures
internal import GRDB

/// Volumes.
public struct VolumeRows: Sendable {
    let database: DatabaseAccess

    public func all() async throws(Failure) -> [VolumeRow] {
        try await database.read("list volumes") { db in
            try db.rows("SELECT name, created, document FROM volumes").map { row in
                VolumeRow(name: row[0], created: row[1], document: [UInt8](document: row[2]))
            }
        }
    }

    /// Keeps the row, new or changed.
    public func save(_ row: VolumeRow) async throws(Failure) {
        try await database.write("save volume \(row.name)") { db in try VolumeRows.save(row, db) }
    }

    static func save(_ row: VolumeRow, _ db: Database) throws {
        try db.run(
            """
            INSERT INTO volumes (name, created, document) VALUES (?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET created = excluded.created, document = excluded.document
            """, [row.name, row.created, row.document.text])
    }

    /// Forgets it; fine when there is no such volume.
    public func remove(_ name: String) async throws(Failure) {
        try await database.write("remove volume \(name)") { db in
            try db.run("DELETE FROM volumes WHERE name = ?", [name])
        }
    }
}
