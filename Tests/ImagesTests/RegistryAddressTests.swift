import Failures
import OCI
import Testing

@testable import Images

@Suite struct RegistryAddressTests {
    @Test(arguments: [
        ("https://r.example/v2/", "https://r.example/v2/"),
        ("HTTPS://R.Example:443/x?y=1", "https://r.example/x?y=1"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/"),
        ("http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
    ])
    func readsURLs(_ text: String, _ shown: String) { #expect(RegistryURL(text)?.description == shown) }

    @Test(arguments: [
        "ftp://r.example/", "https://user:pw@r.example/", "https://r.example/ x", "https://r.example/#x", "https:///x",
        "https://r.example:0/", "https://r.example:99999/", "https://[zz]/", "//r.example/", "https://r.exa\\mple/", "",
    ])
    func refusesURLs(_ text: String) { #expect(RegistryURL(text) == nil) }

    @Test(arguments: [
        ("/b?c", "https://r.example/b?c"), ("https://o.example/z", "https://o.example/z"),
        ("//o.example/z", "https://o.example/z"),
        ("c", "https://r.example/v2/c"), ("?q=1", "https://r.example/v2/a?q=1"),
    ])
    func followsLocations(_ location: String, _ target: String) throws {
        let url = try #require(RegistryURL("https://r.example/v2/a?state=1"))
        #expect(url.resolving(location)?.description == target)
    }

    @Test func addsQueriesEscaped() throws {
        let url = try #require(RegistryURL("https://r.example/u?s=1"))
        #expect(url.adding("digest", "sha256:ab").path == "/u?s=1&digest=sha256%3Aab")
    }

    @Test(arguments: [
        ("127.0.0.1", HostReach.loopback), ("127.9.9.9", .loopback), ("::1", .loopback), ("localhost", .loopback),
        ("10.1.2.3", .restricted), ("172.16.0.1", .restricted), ("172.32.0.1", .open), ("169.254.169.254", .restricted),
        ("fe80::1", .restricted), ("::ffff:10.0.0.1", .restricted), ("8.8.8.8", .open), ("2001:db8::1", .open),
        ("registry.example.org", .open), ("registry", .restricted), ("x.internal", .restricted),
        ("0.0.0.0", .restricted),
    ])
    func judgesHosts(_ host: String, _ reach: HostReach) { #expect(HostReach(host: host) == reach) }

    @Test func plainHTTPIsOnlyForLoopbackAndListedHosts() {
        let resolver = Resolver(settings: RegistrySettings(insecure: ["old.example:80", "10.0.0.0/8"], mirrors: []))
        func schemes(_ domain: String) -> [String] {
            resolver.endpoints(for: domain, fetching: true).map { $0.origin.scheme.rawValue }
        }
        #expect(schemes("ghcr.io") == ["https"])
        #expect(schemes("127.0.0.1:5000") == ["https", "http"])
        #expect(schemes("localhost:5000") == ["https", "http"])
        #expect(schemes("old.example:80") == ["https", "http"])
        #expect(schemes("old.example:81") == ["https"])
        #expect(schemes("10.20.30.40:5000") == ["https", "http"])
        #expect(schemes("11.20.30.40:5000") == ["https"])
    }

    @Test func mirrorsServeDockerHubOnlyAndOnlyReading() {
        let resolver = Resolver(
            settings: RegistrySettings(mirrors: ["http://mirror.example:8080/hub/", "other.example"]))
        let reading = resolver.endpoints(for: "docker.io", fetching: true)
        #expect(
            reading.map(\.origin.description) == [
                "http://mirror.example:8080", "https://other.example", "https://registry-1.docker.io",
            ])
        #expect(reading[0].url("/v2/x").description == "http://mirror.example:8080/hub/v2/x")
        #expect(resolver.endpoints(for: "docker.io", fetching: false).count == 1)
        #expect(resolver.endpoints(for: "ghcr.io", fetching: true).count == 1)
    }

    @Test func readsChallenges() {
        let challenges = Challenge.parse([
            #"Bearer realm="https://a.example/token",service="r",scope="repository:x:pull", Basic realm="x \"y\"""#
        ])
        #expect(challenges.map(\.scheme) == ["bearer", "basic"])
        #expect(
            challenges.first?.parameters == [
                "realm": "https://a.example/token", "service": "r", "scope": "repository:x:pull",
            ])
        #expect(challenges.last?.parameters["realm"] == #"x "y""#)
        #expect(Challenge.parse(["realm=nothing"]).isEmpty)
        #expect(Challenge.parse([#"Bearer realm="unfinished"#]).first?.parameters.isEmpty == true)
    }

    @Test(arguments: [
        ("registry.example", "https://auth.example/token", true),
        ("registry.example", "http://auth.example/token", false),
        ("registry.example", "https://169.254.169.254/token", false),
        ("registry.example", "https://localhost/token", false),
        ("10.0.0.5:5000", "https://10.0.0.6/token", true),
        ("127.0.0.1:5000", "http://127.0.0.1:5001/token", true),
    ])
    func trustsTokenServices(_ registry: String, _ realm: String, _ trusted: Bool) throws {
        let origin = try #require(RegistryURL.Origin(scheme: .https, authority: registry))
        let endpoint = RegistryEndpoint(origin: origin, domain: registry, verifies: true)
        #expect(TokenSource.isTrusted(try #require(RegistryURL(realm)), by: endpoint) == trusted)
    }
}

@Suite struct CredentialsTests {
    @Test func readsTheHeaderInEveryAlphabet() {
        let json = Array(#"{"username":"a","password":"b>?","serveraddress":"r.example:5000"}"#.utf8)
        let standard = Base64.encode(json)
        let urlSafe = String(standard.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
        for text in [standard, urlSafe, String(urlSafe.prefix { $0 != "=" })] {
            #expect(Credentials(header: text)?.password == "b>?")
        }
        #expect(Credentials(header: Base64.encode(Array("{}".utf8))) == nil)
        #expect(Credentials(header: "!!") == nil)
        #expect(Credentials(header: "") == nil)
    }

    @Test func readsThePairInAuth() {
        let header = Base64.encode(Array(#"{"auth":"YTpiOmM="}"#.utf8))
        #expect(Credentials(header: header)?.username == "a")
        #expect(Credentials(header: header)?.password == "b:c")
    }

    @Test func belongToTheirServerOnly() {
        #expect(Credentials(username: "a", serverAddress: "https://index.docker.io/v1/").belong(to: "docker.io"))
        #expect(!Credentials(username: "a", serverAddress: "https://index.docker.io/v1/").belong(to: "ghcr.io"))
        #expect(Credentials(username: "a", serverAddress: "R.example:5000").belong(to: "r.example:5000"))
        #expect(!Credentials(username: "a", serverAddress: "r.example:5000").belong(to: "r.example:5001"))
    }

    @Test func neverShowThePassword() {
        #expect(!"\(Credentials(username: "u", password: "secret", identityToken: "hidden"))".contains("secret"))
    }

    @Test(arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar", "\u{0}\u{ff}"])
    func base64GoesBothWays(_ text: String) {
        #expect(Base64.decode(Base64.encode(Array(text.utf8))) == Array(text.utf8))
    }
}
