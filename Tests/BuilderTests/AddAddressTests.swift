import CLinux
import Failures
import FakeRegistry
import Images
import Linux
import NIOCore
import NIOHTTP1
import OCI
import Storage
import Synchronization
import Testing

@testable import Builder

/// ADD of an address, from a server that is honest, sends elsewhere or fails.
@Suite(.enabled(if: geteuid() == 0)) struct AddAddressTests {
    /// What the daemon fetches with.
    struct Fetcher: RemoteFetcher {
        let registries: Registries

        func fetch(
            _ address: String, receive: @escaping @Sendable (ByteBuffer) async throws -> Void
        ) async throws(Failure) -> RemoteFile {
            RemoteFile(modified: try await registries.download(address, receive: receive))
        }
    }

    private func served(
        _ answer: @escaping LittleServer.Handler, _ body: (BuildFixture, LittleServer) async throws -> Void
    ) async throws {
        try await LittleServer.with(answer) { server in
            try await BuildFixture.with(fetcher: { Fetcher(registries: $0) }) { try await body($0, server) }
        }
    }

    @Test func takesTheNameAndTheModeOfAFetchedFile() async throws {
        try await served({ _ in
            LittleServer.Answer(
                headers: ["Last-Modified": "Sat, 21 Nov 2026 08:49:37 GMT"], body: Array("fetched".utf8))
        }) { fixture, server in
            let url = "http://\(server.address)/dir/file.txt?query=1"
            let text = "FROM scratch\nADD \(url) /in/\nADD --chown=7:8 --chmod=755 \(url) /named\n"
            let outcome = try await fixture.build([("Dockerfile", text)])
            #expect(
                try fixture.files(outcome) == [
                    "in/": "755 0:0", "in/file.txt": "600 0:0 fetched", "named": "755 7:8 fetched",
                ])
        }
    }

    @Test func followsRedirectsAndAsksAgainEachTime() async throws {
        let body = Mutex("one")
        try await served({ request in
            request.path == "/moved"
                ? LittleServer.Answer(status: .found, headers: ["Location": "/there"])
                : LittleServer.Answer(body: Array(body.withLock { $0 }.utf8))
        }) { fixture, server in
            let context = [("Dockerfile", "FROM scratch\nADD http://\(server.address)/moved /x\n")]
            let first = try await fixture.build(context)
            #expect(try fixture.files(first)["x"] == "600 0:0 one")
            #expect(try await fixture.build(context).cached == 1)
            body.withLock { $0 = "two" }
            let second = try await fixture.build(context)
            #expect(second.cached == 0)
            #expect(try fixture.files(second)["x"] == "600 0:0 two")
        }
    }

    @Test func checksTheDigestThatWasAskedFor() async throws {
        let good = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        try await served({ _ in LittleServer.Answer(body: Array("abc".utf8)) }) { fixture, server in
            let url = "http://\(server.address)/abc"
            let right = [("Dockerfile", "FROM scratch\nADD --checksum=\(good) \(url) /abc\n")]
            let made = try fixture.files(try await fixture.build(right))
            #expect(made["abc"] == "600 0:0 abc")
            let bad = good.replacing("ba", with: "bb")
            let wrong = [("Dockerfile", "FROM scratch\nADD --checksum=\(bad) \(url) /abc\n")]
            let failure = await refusal { _ = try await fixture.build(wrong) }
            #expect(failure?.message.contains("digest mismatch") == true)
            #expect(failure?.message.contains(good) == true)
        }
    }

    @Test(arguments: [
        (HTTPResponseStatus.notFound, "invalid response status 404"),
        (.internalServerError, "invalid response status 500"), (.movedPermanently, "redirects to nowhere"),
    ]) func saysWhatTheServerSaid(_ status: HTTPResponseStatus, _ words: String) async throws {
        try await served({ _ in LittleServer.Answer(status: status) }) { fixture, server in
            let url = "http://\(server.address)/file"
            let failure = await refusal {
                _ = try await fixture.build([("Dockerfile", "FROM scratch\nADD \(url) /\n")])
            }
            #expect(failure?.message.contains(words) == true && failure?.message.contains(url) == true)
            let leases = try await fixture.metadata.leases.all()
            #expect(leases.isEmpty && fixture.snapshots.all().isEmpty)
        }
    }

    @Test func aBodyThatBreaksOffLeavesNothing() async throws {
        try await served({ _ in
            LittleServer.Answer(body: [UInt8](repeating: 1, count: 100_000), breaksAfter: 50_000)
        }) { fixture, server in
            await #expect(throws: Failure(.unavailable, "")) {
                try await fixture.build([("Dockerfile", "FROM scratch\nADD http://\(server.address)/f /\n")])
            }
            #expect(fixture.snapshots.all().isEmpty)
        }
    }

    @Test func aLargeFileGoesThroughMemoryInPieces() async throws {
        let piece = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0) }
        try await served({ _ in LittleServer.Answer(body: piece, repeats: 256) }) { fixture, server in
            let before = try memory()
            let outcome = try await fixture.build([
                ("Dockerfile", "FROM scratch\nADD http://\(server.address)/large /large\n")
            ])
            let grown = try memory() - before
            #expect(grown < 128 << 20, "256 MiB were fetched, and the memory grew by \(grown >> 20) MiB")
            let image = try fixture.images.resolve(outcome.result.imageID)
            #expect(image.manifest.layers.map(\.size).reduce(0, +) > 256 << 20)
        }
    }

    @Test func anAddressWithoutANameNeedsADestinationThatIsOne() async throws {
        try await served({ _ in LittleServer.Answer(body: [65]) }) { fixture, server in
            let failure = await refusal {
                _ = try await fixture.build([("Dockerfile", "FROM scratch\nADD http://\(server.address)/ /dir/\n")])
            }
            #expect(failure?.message.contains("cannot determine filename") == true)
        }
    }

    /// The most memory the process had so far, in bytes.
    private func memory() throws -> Int {
        let line = try readText("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
}
