internal import Failures
internal import JSON
public import Storage

/// Where networks outlive the daemon.
public protocol NetworkRecords: Sendable {
    func load() async throws -> [Network]
    /// Keeps the network, new or changed.
    func save(_ network: Network) async throws
    func remove(_ id: String) async throws
}

/// Networks as rows of the database, each with the whole network as its document.
public struct StoredNetworkRecords: NetworkRecords {
    private let rows: NetworkRows

    public init(_ rows: NetworkRows) { self.rows = rows }

    public func load() async throws -> [Network] {
        try await rows.all().networks.map { row in
            do { return try JSONCoder.decode(Network.self, from: row.document) } catch {
                throw Failure(.internal, "network \(row.name): its row cannot be read: \(error)", cause: error)
            }
        }
    }

    public func save(_ network: Network) async throws {
        let row = NetworkRow(
            id: network.id, name: network.name, driver: network.driver.rawValue, created: network.created,
            document: try JSONCoder.encode(network))
        try await rows.save(row)
    }

    public func remove(_ id: String) async throws { try await rows.remove(id) }
}
