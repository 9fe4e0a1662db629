internal import AsyncHTTPClient
public import Failures
public import NIOCore
internal import NIOHTTP1
public import OCI
internal import Synchronization

/// The registries of the world as this daemon may speak to them: one HTTP client, the tokens it was given, and what it
/// learned of who answers where.
public final class Registries: Sendable {
    private struct State {
        var resolver: Resolver
        /// The endpoint that answered for a domain that has several ways to be asked.
        var working: [String: RegistryEndpoint] = [:]
    }

    private let state: Mutex<State>
    let transport: RegistryTransport
    private let tokens: TokenSource

    public init(settings: RegistrySettings = RegistrySettings(), group: any EventLoopGroup) {
        state = Mutex(State(resolver: Resolver(settings: settings)))
        transport = RegistryTransport(group: group)
        tokens = TokenSource(transport: transport)
    }

    /// Ends all connections.
    ///
    /// Must be called once, before the last reference goes.
    public func shutdown() async { try? await transport.client.shutdown() }

    /// Takes over new settings; conversations that run keep the old ones.
    public func update(_ settings: RegistrySettings) {
        state.withLock { $0 = State(resolver: Resolver(settings: settings)) }
    }

    /// Shows a name and a password to their registry.
    ///
    /// - Throws: `unauthorized` when it refuses them.
    public func login(_ credentials: Credentials) async throws(Failure) {
        let domain = credentials.serverAddress.isEmpty ? "docker.io" : Credentials.domain(of: credentials.serverAddress)
        guard (try? Reference(parsing: "\(domain)/probe")) != nil else {
            throw Failure(.invalid, "invalid registry address \(credentials.serverAddress.prefix(200))")
        }
        _ = try await withEndpoint(of: domain, fetching: false) { (endpoint) async throws(Failure) -> Bool in
            let client = self.client(endpoint, repository: "", familiarName: domain, credentials)
            let answer = try await client.send(.GET, to: endpoint.url("/v2/"), scopes: [])
            let body = (try? await answer.response.bytes(limit: 65536, of: "an answer", endpoint.origin)) ?? []
            switch answer.response.status {
            case .ok: return true
            case .unauthorized, .forbidden:
                let error = RegistryError(status: answer.response.status.code, body: body)
                throw Failure(
                    .unauthorized, error.code.isEmpty ? "unauthorized: incorrect username or password" : error.words)
            default:
                throw Failure(
                    .unavailable,
                    "registry \(endpoint.origin.authority) answered with status \(answer.response.status.code)")
            }
        }
    }

    /// What a registry holds under a reference, without fetching it.
    public func describe(_ reference: Reference, credentials: Credentials?) async throws(Failure) -> RemoteImage {
        try await withClient(reference, credentials, fetching: false) { (client) async throws(Failure) -> RemoteImage in
            let document = try await client.manifest(reference.asked)
            let descriptor = Descriptor(
                mediaType: document.mediaType, digest: document.digest, size: Int64(document.bytes.count))
            switch document.content {
            case .index(let index):
                return RemoteImage(
                    descriptor: descriptor,
                    platforms: index.manifests.filter { !$0.isAttestation }.compactMap(\.platform))
            case .manifest(let manifest):
                let bytes = try await client.smallBlob(manifest.config, limit: ImageConfig.maximumBytes)
                return RemoteImage(descriptor: descriptor, platforms: [try ImageConfig(parsing: bytes).platform])
            }
        }
    }

    // MARK: Conversations

    func client(
        _ endpoint: RegistryEndpoint, repository: String, familiarName: String, _ credentials: Credentials?
    ) -> RegistryClient {
        let own = credentials.flatMap { !endpoint.isMirror && $0.belong(to: endpoint.domain) ? $0 : nil }
        return RegistryClient(
            endpoint: endpoint, repository: repository, familiarName: familiarName, credentials: own,
            transport: transport, tokens: tokens)
    }

    /// Runs a conversation about a reference's repository, at the first endpoint that answers.
    func withClient<Value: Sendable>(
        _ reference: Reference, _ credentials: Credentials?, fetching: Bool,
        _ body: @Sendable (RegistryClient) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await withEndpoint(of: reference.domain, fetching: fetching) { (endpoint) async throws(Failure) -> Value in
            try await body(
                self.client(
                    endpoint, repository: reference.path, familiarName: reference.familiarName, credentials))
        }
    }

    /// Goes on to the next endpoint when one cannot be reached, or when a mirror does not have it.
    private func withEndpoint<Value: Sendable>(
        of domain: String, fetching: Bool, _ body: @Sendable (RegistryEndpoint) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let (resolver, working) = state.withLock { ($0.resolver, $0.working[domain]) }
        let endpoints = working.map { [$0] } ?? resolver.endpoints(for: domain, fetching: fetching)
        var last = Failure(.invalid, "invalid registry name \(domain)")
        for endpoint in endpoints {
            do throws(Failure) {
                let value = try await body(endpoint)
                if !endpoint.verifies, working == nil { state.withLock { $0.working[domain] = endpoint } }
                return value
            } catch {
                if error.kind == .cancelled { throw error }
                if working != nil, error.kind == .unavailable { state.withLock { $0.working[domain] = nil } }
                guard error.kind == .unavailable || endpoint.isMirror else { throw error }
                last = error
            }
        }
        throw last
    }
}

/// An image as a registry has it.
public struct RemoteImage: Sendable, Hashable {
    public var descriptor: Descriptor
    public var platforms: [Platform]
}

extension Reference {
    /// What a registry is asked for: the digest where there is one, else the tag.
    var asked: String { digest?.description ?? tag ?? "latest" }
}
