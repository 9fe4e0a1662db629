public import Failures
internal import GRDB
internal import OCI

/// Leases.
///
/// Take one on a thing before you look whether it is here: what was here a moment ago may be collected otherwise.
public struct LeaseRows: Sendable {
    let database: DatabaseAccess

    public func all() async throws(Failure) -> [LeaseRow] {
        try await database.read("list leases") { db in
            var resources: [String: [LeaseResource]] = [:]
            for row in try db.rows("SELECT lease, kind, key FROM lease_resources") {
                resources[row[0], default: []].append(try LeaseResource(kind: row[1], key: row[2]))
            }
            return try db.rows("SELECT id, created, expires FROM leases").map { row in
                let id: String = row[0]
                return LeaseRow(id: id, created: row[1], expires: row[2], resources: resources[id] ?? [])
            }
        }
    }

    /// Takes a lease, or adds to the one that is there and moves its end.
    public func save(_ lease: LeaseRow) async throws(Failure) {
        try await database.write("take lease \(lease.id)") { db in
            try db.run(
                """
                INSERT INTO leases (id, created, expires) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET expires = excluded.expires
                """, [lease.id, lease.created, lease.expires])
            try LeaseRows.add(lease.resources, to: lease.id, db)
        }
    }

    /// `notFound` when there is no such lease.
    public func add(_ resources: [LeaseResource], to lease: String) async throws(Failure) {
        try await database.write("add to lease \(lease)") { db in try LeaseRows.add(resources, to: lease, db) }
    }

    /// Ends the lease; fine when it has ended.
    public func release(_ lease: String) async throws(Failure) {
        try await database.write("end lease \(lease)") { db in
            try db.run("DELETE FROM leases WHERE id = ?", [lease])
        }
    }

    private static func add(_ resources: [LeaseResource], to lease: String, _ db: Database) throws {
        for resource in resources {
            let (kind, key) = resource.columns
            // `OR IGNORE` would also ignore that the lease is gone.
            try db.run(
                "INSERT INTO lease_resources (lease, kind, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [lease, kind, key])
        }
    }
}

extension LeaseResource {
    init(kind: String, key: String) throws(Failure) {
        self = kind == "blob" ? .blob(try Digest(parsing: key)) : .snapshot(key)
    }

    var columns: (kind: String, key: String) {
        switch self {
        case .blob(let digest): ("blob", digest.description)
        case .snapshot(let key): ("snapshot", key)
        }
    }
}
