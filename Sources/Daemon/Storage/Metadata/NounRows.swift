public import Failures

/// Containers.
public struct ContainerRows: Sendable {
    public func all() async throws(Failure) -> [ContainerRow] { [] }
    /// Keeps the row, new or changed. `conflict` when another container has the name.
    public func save(_ row: ContainerRow) async throws(Failure) {}
    /// Forgets it.
    public func remove(_ id: String) async throws(Failure) {}
}

/// Networks and the endpoints in them.
public struct NetworkRows: Sendable {
    public func all() async throws(Failure) -> (networks: [NetworkRow], endpoints: [EndpointRow]) { ([], []) }
    /// Keeps the row, new or changed. `conflict` when another network has the name.
    public func save(_ row: NetworkRow) async throws(Failure) {}
    /// Forgets the network and its endpoints.
    public func remove(_ id: String) async throws(Failure) {}
    /// Keeps the rows, all or none. `conflict` when another endpoint of the network has the address.
    public func save(endpoints: [EndpointRow]) async throws(Failure) {}
    public func remove(endpoint id: String) async throws(Failure) {}
    /// Forgets every endpoint of a sandbox.
    public func remove(endpointsOf sandbox: String) async throws(Failure) {}
}

/// Volumes.
public struct VolumeRows: Sendable {
    public func all() async throws(Failure) -> [VolumeRow] { [] }
    public func save(_ row: VolumeRow) async throws(Failure) {}
    public func remove(_ name: String) async throws(Failure) {}
}

/// Results of build steps.
public struct BuildCacheRows: Sendable {
    public func all() async throws(Failure) -> [BuildCacheRow] { [] }
    public func find(_ key: String) async throws(Failure) -> BuildCacheRow? { nil }
    public func save(_ row: BuildCacheRow) async throws(Failure) {}
    /// Counts a use.
    public func touch(_ key: String, at time: Int64) async throws(Failure) {}
    public func remove(_ keys: [String]) async throws(Failure) {}
}

/// Leases.
public struct LeaseRows: Sendable {
    public func all() async throws(Failure) -> [LeaseRow] { [] }
    /// Takes a lease, or adds to the one that is there and moves its end.
    public func save(_ lease: LeaseRow) async throws(Failure) {}
    public func add(_ resources: [LeaseResource], to lease: String) async throws(Failure) {}
    /// Ends the lease; fine when it has ended.
    public func release(_ lease: String) async throws(Failure) {}
}
