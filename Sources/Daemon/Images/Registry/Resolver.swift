/// What the daemon was told about registries.
public struct RegistrySettings: Sendable, Hashable {
    /// Hosts (`host`, `host:port`) and networks (`10.0.0.0/8`) that may be spoken to without a proven certificate, or
    /// without TLS at all. (`--insecure-registry`)
    public var insecure: [String]
    /// Where images of docker.io are looked for first, as URLs. (`--registry-mirror`)
    public var mirrors: [String]

    public init(insecure: [String] = [], mirrors: [String] = []) {
        self.insecure = insecure
        self.mirrors = mirrors
    }
}

/// One place a registry may answer at, and how far it is trusted.
struct RegistryEndpoint: Sendable, Hashable {
    var origin: RegistryURL.Origin
    /// What stands before `/v2/`, for mirrors below a path.
    ///
    /// Empty or with a leading slash.
    var prefix: String = ""
    /// The domain of the references it answers for, `docker.io` for a mirror.
    var domain: String
    /// Whether its certificate must be proven.
    var verifies: Bool
    var isMirror = false

    func url(_ path: String) -> RegistryURL { RegistryURL(origin: origin, path: prefix + path) }
}

/// Decides where a domain's registry is to be looked for, in order.
///
/// Pure.
///
/// Plain HTTP is never a fall-back but for loopback addresses and hosts listed as insecure. (security: CVE-2019-10214)
struct Resolver: Sendable {
    let settings: RegistrySettings

    /// The endpoints to try for `domain`; mirrors only where images are fetched.
    func endpoints(for domain: String, fetching: Bool) -> [RegistryEndpoint] {
        var endpoints: [RegistryEndpoint] = []
        if fetching, domain == "docker.io" { endpoints = settings.mirrors.compactMap { mirror($0) } }
        guard let secure = RegistryURL.Origin(scheme: .https, authority: Resolver.host(of: domain)) else {
            return endpoints
        }
        let trusted = !isInsecure(secure.host, authority: domain)
        endpoints.append(RegistryEndpoint(origin: secure, domain: domain, verifies: trusted))
        if !trusted, let plain = RegistryURL.Origin(scheme: .http, authority: Resolver.host(of: domain)) {
            endpoints.append(RegistryEndpoint(origin: plain, domain: domain, verifies: false))
        }
        return endpoints
    }

    /// The host that serves a domain.
    static func host(of domain: String) -> String { domain == "docker.io" ? "registry-1.docker.io" : domain }

    func isInsecure(_ host: String, authority: String) -> Bool {
        if HostReach(host: host) == .loopback { return true }
        return settings.insecure.contains { entry in
            let entry = Resolver.withoutScheme(entry).lowercased()
            return entry == authority.lowercased() || entry == host || HostReach.host(host, isIn: entry)
        }
    }

    /// A mirror's scheme is what the administrator wrote: `http://` is a choice, not a fall-back.
    private func mirror(_ text: String) -> RegistryEndpoint? {
        guard var url = RegistryURL(text.contains("://") ? text : "https://" + text) else { return nil }
        while url.path.hasSuffix("/") { url.path.removeLast() }
        let trusted = !isInsecure(url.origin.host, authority: url.origin.authority)
        return RegistryEndpoint(
            origin: url.origin, prefix: url.path, domain: "docker.io", verifies: trusted, isMirror: true)
    }

    private static func withoutScheme(_ entry: String) -> String {
        guard let scheme = entry.firstRange(of: "://") else { return entry }
        return String(entry[scheme.upperBound...])
    }
}
