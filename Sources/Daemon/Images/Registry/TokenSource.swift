internal import AsyncHTTPClient
internal import Failures
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Turns challenges and credentials into `Authorization` headers, and remembers what worked.
///
/// Names and passwords go to the registry that asks, by TLS or to a host that may be spoken to without, and to the token
/// service it names when that is trustworthy: https or the same host, and never a private address on the word of a
/// public registry. A refresh token goes to the registry's own host only.
/// (security: CVE-2026-33540, CVE-2026-48978, CVE-2019-10214; distribution's token specification)
final class TokenSource: Sendable {
    /// What a conversation needs rights for.
    struct Scope: Sendable, Hashable {
        var repository: String
        var actions: String

        static func pull(_ repository: String) -> Scope { Scope(repository: repository, actions: "pull") }
        static func push(_ repository: String) -> Scope { Scope(repository: repository, actions: "pull,push") }
        var text: String { "repository:\(repository):\(actions)" }
    }

    private struct Key: Hashable {
        var origin: RegistryURL.Origin
        var scopes: [Scope]
        var credentials: Credentials?
    }

    private struct Token {
        var header: String
        var expires: NIODeadline
    }

    private let transport: RegistryTransport
    private let tokens = Mutex<[Key: Token]>([:])
    private static let maximumTokens = 1024

    init(transport: RegistryTransport) { self.transport = transport }

    /// The header that worked last time, if it still does.
    func known(_ endpoint: RegistryEndpoint, _ scopes: [Scope], _ credentials: Credentials?) -> String? {
        let key = Key(origin: endpoint.origin, scopes: scopes, credentials: credentials)
        return tokens.withLock { tokens in
            guard let token = tokens[key] else { return nil }
            if token.expires > .now() { return token.header }
            tokens[key] = nil
            return nil
        }
    }

    /// A header that answers one of the challenges, nil when none can be answered with what there is.
    func answer(
        _ challenges: [Challenge], from endpoint: RegistryEndpoint, _ scopes: [Scope], _ credentials: Credentials?
    ) async throws(Failure) -> String? {
        let key = Key(origin: endpoint.origin, scopes: scopes, credentials: credentials)
        for challenge in challenges {
            switch challenge.scheme {
            case "bearer":
                let token = try await token(challenge, endpoint, scopes, credentials)
                remember(token, key)
                return token.header
            case "basic":
                guard let credentials, !credentials.username.isEmpty else { continue }
                let token = Token(header: TokenSource.basic(credentials), expires: .now() + .hours(1))
                remember(token, key)
                return token.header
            default: continue
            }
        }
        return nil
    }

    private func remember(_ token: Token, _ key: Key) {
        tokens.withLock { tokens in
            if tokens.count >= TokenSource.maximumTokens { tokens.removeAll() }
            tokens[key] = token
        }
    }

    private static func basic(_ credentials: Credentials) -> String {
        "Basic " + Base64.encode(Array("\(credentials.username):\(credentials.password)".utf8))
    }

    private func token(
        _ challenge: Challenge, _ endpoint: RegistryEndpoint, _ scopes: [Scope], _ credentials: Credentials?
    ) async throws(Failure) -> Token {
        if let credentials, !credentials.registryToken.isEmpty {
            return Token(header: "Bearer \(credentials.registryToken)", expires: .now() + .hours(1))
        }
        guard let realm = challenge.parameters["realm"].flatMap({ RegistryURL($0) }),
            TokenSource.isTrusted(realm, by: endpoint)
        else {
            throw Failure(
                .forbidden,
                "registry \(endpoint.origin.authority) names a token service that must not be asked: "
                    + "\(challenge.parameters["realm"]?.prefix(200) ?? "none")")
        }
        let service = challenge.parameters["service"]
        let response: HTTPClientResponse
        if let credentials, !credentials.identityToken.isEmpty, realm.origin == endpoint.origin {
            response = try await exchange(credentials.identityToken, realm, service, scopes, endpoint)
        } else {
            response = try await request(realm, service, scopes, credentials, endpoint)
        }
        let body = try await response.bytes(limit: 1 << 20, of: "a token", realm.origin)
        guard response.status == .ok else {
            let error = RegistryError(status: response.status.code, body: body)
            let words = error.code.isEmpty ? "authentication required" : error.words
            if error.isPassing {
                throw Failure(
                    .unavailable, "token service \(realm.origin.authority) answered with status \(error.status)")
            }
            throw Failure(.unauthorized, error.code == "UNAUTHORIZED" ? words : "unauthorized: \(words)")
        }
        let json = try? JSON.parse(body)
        guard let text = json?["token"]?.stringValue ?? json?["access_token"]?.stringValue, !text.isEmpty,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw Failure(.invalid, "token service \(realm.origin.authority) sent no token") }
        // The specification's default is a minute; leave early rather than be refused on the way.
        let seconds = min(max(json?["expires_in"]?.intValue ?? 60, 60), 3600)
        return Token(header: "Bearer \(text)", expires: .now() + .seconds(seconds - 10))
    }

    /// Whether the endpoint may send us there at all.
    static func isTrusted(_ realm: RegistryURL, by endpoint: RegistryEndpoint) -> Bool {
        if realm.origin == endpoint.origin { return true }
        let near = HostReach(host: endpoint.origin.host)
        let there = HostReach(host: realm.origin.host)
        if realm.origin.scheme == .http {
            // Only beside a registry on this very machine, as test set-ups have it.
            return near == .loopback && there == .loopback
        }
        return near != .open || there == .open
    }

    private func request(
        _ realm: RegistryURL, _ service: String?, _ scopes: [Scope], _ credentials: Credentials?,
        _ endpoint: RegistryEndpoint
    ) async throws(Failure) -> HTTPClientResponse {
        var url = realm
        if let service { url = url.adding("service", service) }
        for scope in scopes { url = url.adding("scope", scope.text) }
        var headers = HTTPHeaders()
        if let credentials, !credentials.username.isEmpty {
            url = url.adding("account", credentials.username)
            headers.add(name: "Authorization", value: TokenSource.basic(credentials))
        }
        return try await transport.send(.GET, url, headers: headers, verifies: verifies(realm, endpoint))
    }

    /// OAuth 2's way: a refresh token for an access token.
    private func exchange(
        _ refresh: String, _ realm: RegistryURL, _ service: String?, _ scopes: [Scope], _ endpoint: RegistryEndpoint
    ) async throws(Failure) -> HTTPClientResponse {
        var form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "skiff")]
        if let service { form.append(("service", service)) }
        if !scopes.isEmpty { form.append(("scope", scopes.map(\.text).joined(separator: " "))) }
        let text = form.map { "\($0.0)=\(RegistryURL.escape($0.1))" }.joined(separator: "&")
        return try await transport.send(
            .POST, realm, headers: ["Content-Type": "application/x-www-form-urlencoded"],
            body: .bytes(ByteBuffer(string: text)), verifies: verifies(realm, endpoint))
    }

    private func verifies(_ realm: RegistryURL, _ endpoint: RegistryEndpoint) -> Bool {
        endpoint.verifies || realm.origin.host != endpoint.origin.host
    }
}
