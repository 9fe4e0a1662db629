public import Failures

/// Networks as containers see them: thin over `Networking`, plus who is attached where.
public final class NetworkService: Sendable {
    init() {}
    /// Joins a container to a network, live when it runs.
    ///
    /// - Throws: `forbidden` "endpoint with name x already exists in network y" when it is joined already.
    public func connect(_ network: String, container: String, settings: EndpointSettings) async throws(Failure) {
        throw Failure(.notImplemented, "network")
    }
    public func disconnect(_ network: String, container: String, force: Bool = false) async throws(Failure) {
        throw Failure(.notImplemented, "network")
    }
}
