public import Failures
internal import GRDB
public import OCI

/// Images and their names.
public struct ImageRows: Sendable {
    let database: DatabaseAccess

    public func all() async throws(Failure) -> (images: [ImageRow], names: [ImageNameRow]) {
        try await database.read("list images") { db in
            var blobs: [String: [Digest]] = [:]
            for row in try db.rows("SELECT image, digest FROM image_blobs") {
                blobs[row[0], default: []].append(try Digest(parsing: row[1]))
            }
            var layers: [String: [String]] = [:]
            for row in try db.rows("SELECT image, layer FROM image_layers ORDER BY image, position") {
                layers[row[0], default: []].append(row[1])
            }
            let images = try db.rows("SELECT id, created, document FROM images").map { row in
                let id: String = row[0]
                return ImageRow(
                    id: try Digest(parsing: id), blobs: blobs[id] ?? [], layers: layers[id] ?? [], created: row[1],
                    document: [UInt8](document: row[2]))
            }
            let names = try db.rows("SELECT name, image, tagged FROM image_names").map { row in
                ImageNameRow(name: row[0], image: try Digest(parsing: row[1]), tagged: row[2])
            }
            return (images, names)
        }
    }

    /// Keeps the image, points the names at it, taking them from others, and ends the lease it was made under.
    public func save(_ image: ImageRow, names: [ImageNameRow] = [], releasing lease: String? = nil)
        async throws(Failure)
    {
        try await database.write("save image \(image.id)") { db in
            let id = image.id.description
            try db.run(
                """
                INSERT INTO images (id, created, document) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET created = excluded.created, document = excluded.document
                """, [id, image.created, image.document.text])
            try db.run("DELETE FROM image_blobs WHERE image = ?", [id])
            for digest in Set(image.blobs) {
                try db.run("INSERT INTO image_blobs (image, digest) VALUES (?, ?)", [id, digest.description])
            }
            try db.run("DELETE FROM image_layers WHERE image = ?", [id])
            for (position, layer) in image.layers.enumerated() {
                try db.run("INSERT INTO image_layers (image, position, layer) VALUES (?, ?, ?)", [id, position, layer])
            }
            for name in names { try ImageRows.set(name, db) }
            if let lease { try db.run("DELETE FROM leases WHERE id = ?", [lease]) }
        }
    }

    /// Points a name at an image, taking it from another.
    ///
    /// `notFound` when there is no such image.
    public func setName(_ name: ImageNameRow) async throws(Failure) {
        try await database.write("name image \(name.image) \(name.name)") { db in try ImageRows.set(name, db) }
    }

    /// Fine when there is no such name.
    public func removeName(_ name: String) async throws(Failure) {
        try await database.write("remove image name \(name)") { db in
            try db.run("DELETE FROM image_names WHERE name = ?", [name])
        }
    }

    /// Forgets the image and its names.
    public func remove(_ id: Digest) async throws(Failure) {
        try await database.write("remove image \(id)") { db in
            try db.run("DELETE FROM images WHERE id = ?", [id.description])
        }
    }

    private static func set(_ name: ImageNameRow, _ db: Database) throws {
        try db.run(
            """
            INSERT INTO image_names (name, image, tagged) VALUES (?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET image = excluded.image, tagged = excluded.tagged
            """, [name.name, name.image.description, name.tagged])
    }
}
