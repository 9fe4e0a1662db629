internal import Failures
internal import GRDB

/// A snapshot as the database has it.
struct SnapshotRow: Sendable, Hashable {
    var key: String
    /// Its directory's name.
    var number: Int64
    var kind: SnapshotInfo.Kind
    var parent: String?
    /// Since 1970, in seconds.
    var created: Int64
}

/// Snapshots, for the one who keeps their directories.
///
/// Calls block.
struct SnapshotRows: Sendable {
    let database: DatabaseAccess

    func all() throws(Failure) -> [SnapshotRow] {
        try database.readBlocking("list snapshots") { db in
            try db.rows("SELECT key, number, kind, parent, created FROM snapshots").map { row in
                let kind: String = row[2]
                return SnapshotRow(
                    key: row[0], number: row[1], kind: SnapshotInfo.Kind(rawValue: kind) ?? .layer, parent: row[3],
                    created: row[4])
            }
        }
    }

    /// `conflict` when the key is taken.
    func insert(_ row: SnapshotRow) throws(Failure) {
        try database.writeBlocking("save snapshot \(row.key)") { db in
            try db.run(
                "INSERT INTO snapshots (key, number, kind, parent, created) VALUES (?, ?, ?, ?, ?)",
                [row.key, row.number, row.kind.rawValue, row.parent, row.created])
        }
    }

    /// Makes a writable snapshot a layer.
    ///
    /// `conflict` when the layer is there.
    func turn(_ key: String, intoLayer layer: String) throws(Failure) {
        try database.writeBlocking("save snapshot \(layer)") { db in
            try db.run(
                "UPDATE snapshots SET key = ?, kind = ? WHERE key = ?", [layer, SnapshotInfo.Kind.layer.rawValue, key])
        }
    }

    /// Gives a snapshot whose directory was lost another one.
    func move(_ key: String, to number: Int64) throws(Failure) {
        try database.writeBlocking("save snapshot \(key)") { db in
            try db.run("UPDATE snapshots SET number = ? WHERE key = ?", [number, key])
        }
    }

    func remove(_ keys: [String]) throws(Failure) {
        try database.writeBlocking("remove snapshots") { db in
            for key in keys { try db.run("DELETE FROM snapshots WHERE key = ?", [key]) }
        }
    }

    /// Forgets the snapshot unless something needs it, decided and done in one transaction: whoever takes a lease does so
    /// before or after, never between.
    ///
    /// - Parameter forget: called inside the transaction, when it goes.
    /// - Returns: whether it went.
    func removeUnlessNeeded(_ key: String, _ forget: () -> Void) throws(Failure) -> Bool {
        try database.writeBlocking("remove snapshot \(key)") { db in
            guard try !References.isSnapshotNeeded(key, db) else { return false }
            try db.run("DELETE FROM snapshots WHERE key = ?", [key])
            forget()
            return true
        }
    }
}
