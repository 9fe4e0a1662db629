public import JSON

/// What a client sent to say who it is at one registry.
///
/// They go to the registry they were stored for and to nobody else: not to a mirror, not to where a redirect leads.
/// (API: the header `X-Registry-Auth`; security: CVE-2020-15157, CVE-2021-41092.)
public struct Credentials: Sendable, Hashable {
    public var username: String
    public var password: String
    /// A refresh token of the registry's token service.
    public var identityToken: String
    /// A bearer token to be sent as it is.
    public var registryToken: String
    /// The server they belong to as the client names it: a host, or `https://index.docker.io/v1/`.
    public var serverAddress: String

    public init(
        username: String = "", password: String = "", identityToken: String = "", registryToken: String = "",
        serverAddress: String = ""
    ) {
        self.username = username
        self.password = password
        self.identityToken = identityToken
        self.registryToken = registryToken
        self.serverAddress = serverAddress
    }

    /// Reads the header's value: base64 in either alphabet, padded or not, of a JSON object.
    ///
    /// Anything that cannot be read counts as no credentials, as it does to Docker.
    public init?(header: String) {
        guard let bytes = Base64.decode(header), let json = try? JSON.parse(bytes), json.objectValue != nil else {
            return nil
        }
        self.init(json: json)
    }

    /// Reads the fields of the header's object, or of the body of `POST /auth`.
    public init?(json: JSON) {
        func text(_ key: String) -> String { json[key]?.stringValue ?? "" }
        self.init(
            username: text("username"), password: text("password"), identityToken: text("identitytoken"),
            registryToken: text("registrytoken"), serverAddress: text("serveraddress"))
        if username.isEmpty, password.isEmpty, let auth = json["auth"]?.stringValue, let pair = Base64.decode(auth) {
            let text = String(decoding: pair, as: UTF8.self)
            if let colon = text.firstIndex(of: ":") {
                username = String(text[..<colon])
                password = String(text[text.index(after: colon)...])
            }
        }
        if isEmpty { return nil }
    }

    var isEmpty: Bool { username.isEmpty && password.isEmpty && identityToken.isEmpty && registryToken.isEmpty }

    /// Whether they may be shown to the registry of this domain (`docker.io`, `example.org:5000`).
    public func belong(to domain: String) -> Bool {
        if serverAddress.isEmpty { return true }
        return Credentials.domain(of: serverAddress) == domain
    }

    /// The domain a server address stands for: scheme and path go, Docker's index is `docker.io`.
    static func domain(of address: String) -> String {
        var rest = Substring(address)
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        let host = rest.prefix { $0 != "/" }.lowercased()
        switch host {
        case "index.docker.io", "registry-1.docker.io", "docker.io", "hub.docker.com": return "docker.io"
        default: return host
        }
    }
}

extension Credentials: CustomStringConvertible {
    /// Never the secrets: this is what a log sees.
    public var description: String { "credentials of \(username.isEmpty ? "a token" : username) for \(serverAddress)" }
}
