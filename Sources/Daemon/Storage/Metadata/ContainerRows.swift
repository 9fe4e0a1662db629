public import Failures
internal import GRDB
internal import OCI

/// Containers.
public struct ContainerRows: Sendable {
    let database: DatabaseAccess

    public func all() async throws(Failure) -> [ContainerRow] {
        try await database.read("list containers") { db in
            try db.rows("SELECT id, name, image, snapshot, created, document FROM containers").map { row in
                let image: String? = row[2]
                return ContainerRow(
                    id: row[0], name: row[1],
                    image: try image.map { (text) throws(Failure) in try Digest(parsing: text) },
                    snapshot: row[3], created: row[4], document: [UInt8](document: row[5]))
            }
        }
    }

    /// Keeps the row, new or changed, and the volumes that were made for it.
    ///
    /// `conflict` when another container has the name.
    public func save(_ row: ContainerRow, with volumes: [VolumeRow] = []) async throws(Failure) {
        try await database.write("save container \(row.name)") { db in
            for volume in volumes { try VolumeRows.save(volume, db) }
            try db.run(
                """
                INSERT INTO containers (id, name, image, snapshot, created, document) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, image = excluded.image, snapshot = excluded.snapshot,
                created = excluded.created, document = excluded.document
                """, [row.id, row.name, row.image?.description, row.snapshot, row.created, row.document.text])
        }
    }

    /// Forgets it; fine when there is no such container.
    public func remove(_ id: String) async throws(Failure) {
        try await database.write("remove container \(id)") { db in
            try db.run("DELETE FROM containers WHERE id = ?", [id])
        }
    }
}
