/// A login for one registry: the body of `POST /auth`, and what `X-Registry-Auth` carries.
public struct AuthConfig: Codable, Sendable, Hashable, Defaultable {
    public var username: String?
    public var password: String?
    /// `username:password` in base64.
    public var auth: String?
    public var email: String?
    public var serverAddress: String?
    public var identityToken: String?
    public var registryToken: String?

    public init() {}

    enum CodingKeys: String, CodingKey {
        case username, password, auth, email, serverAddress = "serveraddress", identityToken = "identitytoken"
        case registryToken = "registrytoken"
    }
}

/// What `POST /auth` answers.
public struct AuthResponse: Codable, Sendable, Hashable, Defaultable {
    @Defaulted public var status: String = ""
    @Defaulted public var identityToken: String = ""

    public init() {}

    enum CodingKeys: String, CodingKey {
        case status = "Status", identityToken = "IdentityToken"
    }
}
