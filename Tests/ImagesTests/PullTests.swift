import Archive
import CLinux
import Failures
import FakeRegistry
import NIOHTTP1
import OCI
import Storage
import Synchronization
import Testing

@testable import Images

/// Pulls from a registry that is honest, lies, breaks or sends elsewhere.
@Suite(.enabled(if: geteuid() == 0, "layers are unpacked with their owners, which needs root"))
struct PullTests {
    @Test func fetchesUnpacksAndNames() async throws {
        let image = try TestImage([["a": "one"], ["dir/b": "two"]], packed: [.gzip, .zstd])
        let served = ServedImage(image)
        try await LittleServer.with({ served.answer($0) }) { server in
            try await Fixture.with { fixture in
                let told = Told()
                let name = try Reference(parsing: "\(server.address)/team/app")
                let result = try await fixture.puller.pull(name, progress: told.sink)
                #expect(result.isNew)
                #expect(result.image.id == image.digestOfManifest)
                #expect(try fixture.file("a", in: result.image, layer: 0) == "one")
                #expect(try fixture.file("dir/b", in: result.image, layer: 1) == "two")
                #expect(result.image.size == 6)
                #expect(told.statuses.first == "Pulling from team/app")
                #expect(told.statuses.last == "Status: Downloaded newer image for \(server.address)/team/app:latest")
                #expect(told.statuses.dropLast().last == "Digest: \(image.digestOfManifest)")
                #expect(told.statuses.filter { $0 == "Pull complete" }.count == 2)
                #expect(try fixture.store.resolve("\(server.address)/team/app").id == image.digestOfManifest)
                #expect(
                    result.image.repoDigests.map(\.description) == [
                        "\(server.address)/team/app@\(image.digestOfManifest)"
                    ])
                // The lease ended, and nothing is collected that the image needs.
                #expect(try await fixture.metadata.leases.all().isEmpty)
                _ = try fixture.collector.collect()
                #expect(try fixture.leftovers() == (blobs: 4, snapshots: 2, ingests: 0))
                // A daemon that starts again sees the same.
                #expect(try await fixture.reopened().resolve("\(server.address)/team/app") == result.image)
                // A second pull fetches no layer.
                let again = Told()
                let before = server.requests.count
                let second = try await fixture.puller.pull(name, progress: again.sink)
                #expect(!second.isNew)
                #expect(server.requests.count == before + 1)
                #expect(again.statuses.last == "Status: Image is up to date for \(server.address)/team/app:latest")
            }
        }
    }

    @Test func choosesThePlatformOfAnIndex() async throws {
        let mine = try TestImage([["a": "mine"]], label: "mine")
        let other = try TestImage([["a": "other"]], platform: Platform(architecture: "s390x"), label: "other")
        let index = Index(
            manifests: [(other, "s390x"), (mine, Platform.host.architecture)].map { image, architecture in
                Descriptor(
                    mediaType: .ociManifest, digest: image.digestOfManifest, size: Int64(image.manifest.count),
                    platform: Platform(architecture: architecture))
            })
        let bytes = try index.encoded()
        var registry = ServedImage(mine)
        let second = ServedImage(other)
        registry.blobs.merge(second.blobs) { mine, _ in mine }
        registry.manifests.merge(second.manifests) { mine, _ in mine }
        registry.manifests["latest"] = (bytes, "application/vnd.oci.image.index.v1+json")
        let served = registry
        try await LittleServer.with({ served.answer($0) }) { server in
            try await Fixture.with { fixture in
                let name = try Reference(parsing: "\(server.address)/app")
                let native = try await fixture.puller.pull(name, progress: { _ in })
                #expect(native.image.id == mine.digestOfManifest)
                #expect(native.image.repoDigests.first?.digest == digest(bytes))
                let foreign = try await fixture.puller.pull(
                    name, platform: Platform(architecture: "s390x"), progress: { _ in })
                #expect(foreign.image.id == other.digestOfManifest)
                let missing = await failure {
                    _ = try await fixture.puller.pull(
                        name, platform: Platform(architecture: "riscv64"), progress: { _ in })
                }
                #expect(missing?.kind == .notFound)
                #expect(missing?.message.contains("no matching manifest for linux/riscv64") == true)
            }
        }
    }

    /// What a registry may do wrong, and the word the failure must hold.
    enum Lie: String, CaseIterable, Sendable {
        case otherBytes = "digest"
        case longer = "longer than"
        case diffID = "unpacks to"
        case notATar = ""
        case manifestOfOtherDigest = "sent a manifest that is not"
        case otherConfig = "sent a blob that is not"
        case bothIndexAndManifest = "both an index and a manifest"
        case hugeManifest = "of more than"
    }

    @Test(arguments: Lie.allCases) func keepsNothingOfALie(_ lie: Lie) async throws {
        let image = try TestImage([["a": noise(50_000)]])
        var registry = ServedImage(image)
        let layer = image.layers[0].descriptor.digest.description
        var tag = "latest"
        switch lie {
        case .otherBytes: registry.blobs[layer]?[20_000] ^= 1
        case .longer: registry.blobs[layer]?.append(0)
        case .diffID:
            let other = try TestImage([["a": "else"]])
            let mixed = try Manifest(
                config: Descriptor(mediaType: .ociConfig, digest: image.configDigest, size: Int64(image.config.count)),
                layers: other.layers.map(\.descriptor)
            ).encoded()
            registry.blobs.merge(ServedImage(other).blobs) { mine, _ in mine }
            registry.manifests["latest"] = (mixed, "application/vnd.oci.image.manifest.v1+json")
        case .notATar:
            let bytes = Array(noise(5000).utf8)
            let descriptor = Descriptor(mediaType: .ociLayer, digest: digest(bytes), size: Int64(bytes.count))
            let config = ImageConfig(diffIDs: [digest(bytes)]).encoded()
            let manifest = try Manifest(
                config: Descriptor(mediaType: .ociConfig, digest: digest(config), size: Int64(config.count)),
                layers: [descriptor]
            ).encoded()
            registry.blobs = [descriptor.digest.description: bytes, digest(config).description: config]
            registry.manifests["latest"] = (manifest, "application/vnd.oci.image.manifest.v1+json")
        case .manifestOfOtherDigest:
            tag = "sha256:" + String(repeating: "0", count: 64)
            registry.manifests[tag] = registry.manifests["latest"]
        case .otherConfig: registry.blobs[image.configDigest.description]?[10] ^= 1
        case .bothIndexAndManifest:
            var text = String(decoding: image.manifest, as: UTF8.self)
            text.removeLast()
            text += #","manifests":[]}"#
            registry.manifests["latest"] = (Array(text.utf8), "application/vnd.oci.image.manifest.v1+json")
        case .hugeManifest:
            registry.manifests["latest"] = (
                image.manifest + Array(repeating: 32, count: 5 << 20), "application/vnd.oci.image.manifest.v1+json"
            )
        }
        let served = registry
        try await LittleServer.with({ served.answer($0) }) { server in
            try await Fixture.with { fixture in
                let separator = tag == "latest" ? ":" : "@"
                let name = try Reference(parsing: "\(server.address)/app\(separator)\(tag)")
                let lied = await failure { _ = try await fixture.puller.pull(name, progress: { _ in }) }
                #expect(lied?.kind == .invalid, "\(String(describing: lied))")
                #expect(lie.rawValue.isEmpty || lied?.message.contains(lie.rawValue) == true, "\(lied?.message ?? "")")
                #expect(fixture.store.list().isEmpty)
                let left = try fixture.leftovers()
                #expect(left.snapshots == 0)
                #expect(left.ingests == 0)
            }
        }
    }

    @Test func goesOnWhereABrokenBodyEnded() async throws {
        let image = try TestImage([["a": noise(3_000_000)]])
        let served = ServedImage(image)
        let layer = image.layers[0].descriptor
        let broken = Atomic(0)
        let handler: LittleServer.Handler = { request in
            var answer = served.answer(request)
            if request.path.hasSuffix(layer.digest.description), broken.add(1, ordering: .relaxed).newValue <= 2 {
                answer.breaksAfter = 1_100_000
            }
            return answer
        }
        try await LittleServer.with(handler) { server in
            try await Fixture.with { fixture in
                let told = Told()
                let result = try await fixture.puller.pull(
                    try Reference(parsing: "\(server.address)/app"), progress: told.sink)
                #expect(try fixture.file("a", in: result.image, layer: 0) == noise(3_000_000))
                #expect(told.statuses.contains { $0.hasPrefix("Retrying in") })
                let asked = server.requests.filter { $0.path.hasSuffix(layer.digest.description) }
                #expect(asked.count == 3)
                #expect(asked.dropFirst().allSatisfy { $0.headers.contains(name: "Range") })
            }
        }
    }

    @Test func aCancelledPullStopsAndTheNextGoesOn() async throws {
        let image = try TestImage([["a": noise(4_000_000)]])
        let served = ServedImage(image)
        let layer = image.layers[0].descriptor
        let stalls = Atomic(true)
        let handler: LittleServer.Handler = { request in
            var answer = served.answer(request)
            // Promises all and sends a part: the client waits for the rest for as long as it likes.
            if request.path.hasSuffix(layer.digest.description), stalls.load(ordering: .relaxed) {
                answer.headers.add(name: "Content-Length", value: "\(answer.body.count)")
                answer.body = Array(answer.body.prefix(2_000_000))
            }
            return answer
        }
        try await LittleServer.with(handler) { server in
            try await Fixture.with { fixture in
                let name = try Reference(parsing: "\(server.address)/app")
                let moving = Latch<Void>()
                let task = Task {
                    try await fixture.puller.pull(name) { event in
                        // The first event: those that follow at once are left out, and then nothing comes.
                        if let bytes = event.bytes, bytes.current > 0 { moving.set(.success(())) }
                    }
                }
                try await moving.value()
                task.cancel()
                await #expect(throws: Failure(.cancelled, "")) { try await task.value }
                #expect(fixture.store.list().isEmpty)
                #expect(fixture.snapshots.all().isEmpty)
                #expect(try fixture.leftovers().ingests == 1)
                stalls.store(false, ordering: .relaxed)
                let result = try await fixture.puller.pull(name, progress: { _ in })
                #expect(try fixture.file("a", in: result.image, layer: 0) == noise(4_000_000))
                let asked = server.requests.filter { $0.path.hasSuffix(layer.digest.description) }
                #expect(asked.last?.headers.contains(name: "Range") == true)
            }
        }
    }

    @Test func pullsAtTheSameTimeShareTheirLayers() async throws {
        let image = try TestImage([["a": noise(300_000)], ["b": noise(300_000, seed: 2)], ["a": "same"], ["a": "same"]])
        let served = ServedImage(image)
        try await LittleServer.with({ served.answer($0) }) { server in
            try await Fixture.with { fixture in
                let (puller, name) = (fixture.puller, try Reference(parsing: "\(server.address)/app"))
                try await withThrowingTaskGroup(of: Digest.self) { group in
                    for _ in 0..<4 { group.addTask { try await puller.pull(name, progress: { _ in }).image.id } }
                    for try await id in group { #expect(id == image.digestOfManifest) }
                }
                for layer in Set(image.layers.map(\.descriptor.digest.description)) {
                    #expect(server.requests.filter { $0.path.hasSuffix(layer) }.count == 1)
                }
                #expect(fixture.snapshots.all().count == 4)
            }
        }
    }

    @Test func secretsStayWithTheirRegistry() async throws {
        let image = try TestImage([["a": "1"]])
        let served = ServedImage(image)
        try await LittleServer.with({ served.answer($0) }) { storage in
            let target = storage.address
            let handler: LittleServer.Handler = { request in
                guard request.headers.first(name: "Authorization") == "Basic dTpw" else {
                    return LittleServer.Answer(
                        status: .unauthorized, headers: ["WWW-Authenticate": #"Basic realm="x""#],
                        body: Array(#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#.utf8))
                }
                if request.path.contains("/blobs/") {
                    return LittleServer.Answer(
                        status: .temporaryRedirect, headers: ["Location": "http://\(target)\(request.path)"])
                }
                return served.answer(request)
            }
            try await LittleServer.with(handler) { server in
                try await Fixture.with { fixture in
                    let name = try Reference(parsing: "\(server.address)/app")
                    let refused = await failure { _ = try await fixture.puller.pull(name, progress: { _ in }) }
                    #expect(
                        refused?.message
                            == "pull access denied for \(server.address)/app, repository does not exist or may require 'docker login': no basic auth credentials"
                    )
                    let elsewhere = Credentials(username: "u", password: "p", serverAddress: "other.example")
                    #expect(
                        await failure {
                            _ = try await fixture.puller.pull(name, credentials: elsewhere, progress: { _ in })
                        } != nil)
                    #expect(!server.requests.contains { $0.headers.contains(name: "Authorization") })
                    let mine = Credentials(username: "u", password: "p", serverAddress: server.address)
                    _ = try await fixture.puller.pull(name, credentials: mine, progress: { _ in })
                    #expect(storage.requests.count == 2)
                    #expect(!storage.requests.contains { $0.headers.contains(name: "Authorization") })
                }
            }
        }
    }

    @Test func asksTheTokenServiceOnce() async throws {
        let image = try TestImage([["a": "1"], ["b": "2"], ["c": "3"]])
        let served = ServedImage(image)
        let realm = Mutex("")
        let handler: LittleServer.Handler = { request in
            if request.path.hasPrefix("/token?") {
                return LittleServer.Answer(body: Array(#"{"token":"t0ken","expires_in":300}"#.utf8))
            }
            guard request.headers.first(name: "Authorization") == "Bearer t0ken" else {
                let challenge = #"Bearer realm="\#(realm.withLock { $0 })",service="s",scope="repository:app:pull""#
                return LittleServer.Answer(status: .unauthorized, headers: ["WWW-Authenticate": challenge])
            }
            return served.answer(request)
        }
        try await LittleServer.with(handler) { server in
            realm.withLock { $0 = "http://\(server.address)/token" }
            try await Fixture.with { fixture in
                _ = try await fixture.puller.pull(try Reference(parsing: "\(server.address)/app"), progress: { _ in })
                let tokens = server.requests.filter { $0.path.hasPrefix("/token") }
                #expect(tokens.map(\.path) == ["/token?service=s&scope=repository%3Aapp%3Apull"])
            }
        }
    }

    @Test func saysWhichRegistryIsDown() async throws {
        try await Fixture.with { fixture in
            let name = try Reference(parsing: "127.0.0.1:1/app")
            let down = await failure { _ = try await fixture.puller.pull(name, progress: { _ in }) }
            #expect(down?.kind == .unavailable)
            #expect(down?.message == "registry 127.0.0.1:1 cannot be reached: connection refused")
        }
    }

    @Test func saysWhatIsUnknownInDockersWords() async throws {
        let served = ServedImage(try TestImage([["a": "1"]]))
        try await LittleServer.with({ served.answer($0) }) { server in
            try await Fixture.with { fixture in
                let told = Told()
                let unknown = await failure {
                    _ = try await fixture.puller.pull(
                        try Reference(parsing: "\(server.address)/app:nope"), progress: told.sink)
                }
                #expect(unknown?.kind == .notFound)
                #expect(
                    unknown?.message
                        == "manifest for \(server.address)/app:nope not found: manifest unknown")
                #expect(told.all.isEmpty)
            }
        }
    }
}
