public import Failures

/// A named directory that outlives containers.
public struct Volume: Sendable, Hashable {
    public let name: String
    public let driver: String
    public let mountpoint: String
    public let created: Timestamp
    public let labels: [String: String]
    public let options: [String: String]
    /// Made without a name, for one container.
    public let isAnonymous: Bool
}

public struct VolumeRequest: Sendable {
    /// nil or empty: an anonymous one with 64 hexadecimal digits.
    public var name: String?
    public var driver = "local"
    public var options: [String: String] = [:]
    public var labels: [String: String] = [:]
    public init(name: String? = nil) { self.name = name }
}

/// Volumes: directories under the data root, with a row each.
public final class VolumeService: Sendable {
    init() {}
    /// The volume of that name, made when it is not there.
    public func create(_ request: VolumeRequest) async throws(Failure) -> Volume {
        throw Failure(.notImplemented, "volume")
    }
    /// Sorted by name.
    public func list(_ filters: Filters = Filters()) throws(Failure) -> [Volume] {
        throw Failure(.notImplemented, "volume")
    }
    /// - Throws: `notFound` "get <name>: no such volume".
    public func inspect(_ name: String) throws(Failure) -> Volume { throw Failure(.notImplemented, "volume") }
    /// - Throws: `conflict` while a container has it; with `force`, nothing when there is none.
    public func remove(_ name: String, force: Bool = false) async throws(Failure) {
        throw Failure(.notImplemented, "volume")
    }
    /// How many containers have it and how many bytes it holds; for df.
    public func usage(_ name: String) async throws(Failure) -> (references: Int, bytes: Int64) {
        throw Failure(.notImplemented, "volume")
    }
}
