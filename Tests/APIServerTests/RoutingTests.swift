import DockerAPI
import Failures
import HTTPServer
import NIOCore
import NIOHTTP1
import Testing

@testable import APIServer

@Suite struct RoutingTests {
    @Test(arguments: [
        ("/images/json", "/images/json", ""),
        ("/images/{name...}/json", "/images/alpine/json", "alpine"),
        ("/images/{name...}/json", "/images/ghcr.io/a/b:1/json", "ghcr.io/a/b:1"),
        ("/images/{name...}/json", "/images/library%2Falpine:3/json", "library/alpine:3"),
        ("/images/{name...}/json", "/images/json/json", "json"),
        ("/containers/{id}/start", "/containers/web/start", "web"),
        ("/networks", "/networks/", ""),
    ])
    func matches(pattern: String, path: String, name: String) throws {
        let (_, segments) = try Dispatcher.split(path)
        #expect(PathPattern(pattern).match(segments) == name)
    }

    @Test(arguments: [
        ("/images/{name...}/json", "/images/json"), ("/containers/{id}/start", "/containers/a/b/start"),
        ("/containers/{id}/start", "/containers/start"), ("/info", "/info/x"),
    ])
    func doesNotMatch(pattern: String, path: String) throws {
        let (_, segments) = try Dispatcher.split(path)
        #expect(PathPattern(pattern).match(segments) == nil)
    }

    @Test func versionsComeOffThePath() throws {
        #expect(try Dispatcher.split("/v1.24/info").version == APIVersion(1, 24))
        #expect(try Dispatcher.split("/info").version == .newest)
        // A name that only looks a little like a version.
        #expect(try Dispatcher.split("/volumes").segments == ["volumes"])
    }

    @Test func versionsOutsideTheRangeAreRefusedInDockersWords() {
        func message(_ path: String) -> String? {
            do {
                _ = try Dispatcher.split(path)
                return nil
            } catch {
                return error.message
            }
        }
        #expect(
            message("/v1.23/info")
                == "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"
        )
        #expect(message("/v1.99/info") == "client version 1.99 is too new. Maximum supported API version is 1.51")
    }

    @Test func headFallsBackToGet() {
        let table = RouteTable([Route(.GET, "/_ping") { _ in Reply(.ok) }])
        #expect(table.route(.HEAD, ["_ping"]) != nil)
        #expect(table.route(.POST, ["_ping"]) == nil)
    }

    @Test(
        arguments: [
            (Failure.Kind.invalid, 400), (.unauthorized, 401), (.forbidden, 403), (.notFound, 404), (.conflict, 409),
            (.notModified, 304), (.notImplemented, 501), (.unavailable, 503), (.internal, 500),
        ] as [(Failure.Kind, Int)])
    func kindsHaveStatuses(kind: Failure.Kind, status: Int) {
        let reply = Reply.failure(Failure(kind, "some <thing>"))
        #expect(Int(reply.status.code) == status)
        guard status != 304 else { return }
        guard case .bytes(let bytes) = reply.body else {
            Issue.record("an error without a body")
            return
        }
        #expect(String(buffer: bytes) == "{\"message\":\"some <thing>\"}\n")
        #expect(reply.headers.first(name: "content-type") == "application/json")
    }

    @Test(arguments: ["localhost:2375", "127.0.0.1", "[::1]:2375", "docker"])
    func ownNamesPass(host: String) throws {
        try BrowserGuard.check(["Host": host])
    }

    @Test(arguments: ["evil.example", "127.0.0.1.evil.example:2375", "1.2.3"])
    func foreignNamesAndWebPagesAreRefused(host: String) {
        #expect(throws: Failure(.forbidden, "")) { try BrowserGuard.check(["Host": host]) }
        #expect(throws: Failure(.forbidden, "")) { try BrowserGuard.check(["Origin": "http://localhost"]) }
    }
}
