public import Failures
internal import GRDB

/// Networks and the endpoints in them.
public struct NetworkRows: Sendable {
    let database: DatabaseAccess

    public func all() async throws(Failure) -> (networks: [NetworkRow], endpoints: [EndpointRow]) {
        try await database.read("list networks") { db in
            let networks = try db.rows("SELECT id, name, driver, created, document FROM networks").map { row in
                NetworkRow(
                    id: row[0], name: row[1], driver: row[2], created: row[3], document: [UInt8](document: row[4]))
            }
            let endpoints = try db.rows("SELECT id, network, sandbox, address, document FROM endpoints").map { row in
                EndpointRow(
                    id: row[0], network: row[1], sandbox: row[2], address: row[3], document: [UInt8](document: row[4]))
            }
            return (networks, endpoints)
        }
    }

    /// Keeps the row, new or changed.
    ///
    /// `conflict` when another network has the name.
    public func save(_ row: NetworkRow) async throws(Failure) {
        try await database.write("save network \(row.name)") { db in
            try db.run(
                """
                INSERT INTO networks (id, name, driver, created, document) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, driver = excluded.driver, created = excluded.created,
                document = excluded.document
                """, [row.id, row.name, row.driver, row.created, row.document.text])
        }
    }

    /// Forgets the network and its endpoints; fine when there is no such network.
    public func remove(_ id: String) async throws(Failure) {
        try await database.write("remove network \(id)") { db in
            try db.run("DELETE FROM networks WHERE id = ?", [id])
        }
    }

    /// Keeps the rows, all or none.
    ///
    /// `conflict` when another endpoint of the network has the address.
    public func save(endpoints: [EndpointRow]) async throws(Failure) {
        try await database.write("save endpoints") { db in
            for row in endpoints {
                try db.run(
                    """
                    INSERT INTO endpoints (id, network, sandbox, address, document) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET network = excluded.network, sandbox = excluded.sandbox,
                    address = excluded.address, document = excluded.document
                    """, [row.id, row.network, row.sandbox, row.address, row.document.text])
            }
        }
    }

    /// Fine when there is no such endpoint.
    public func remove(endpoint id: String) async throws(Failure) {
        try await database.write("remove endpoint \(id)") { db in
            try db.run("DELETE FROM endpoints WHERE id = ?", [id])
        }
    }

    /// Forgets every endpoint of a sandbox.
    public func remove(endpointsOf sandbox: String) async throws(Failure) {
        try await database.write("remove the endpoints of \(sandbox)") { db in
            try db.run("DELETE FROM endpoints WHERE sandbox = ?", [sandbox])
        }
    }
}
