import Archive
import CLinux
import Failures
import FakeRegistry
import JSON
import NIOCore
import OCI
import Storage
import Testing

@testable import Images

/// There and back through a registry that others wrote.
@Suite(
    .enabled(if: geteuid() == 0, "layers are unpacked with their owners, which needs root"),
    .enabled(if: RealRegistry.isInstalled, "Debian's docker-registry is not installed"))
struct RegistryTests {
    private static let hash = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"

    @Test func pushPacksOnceAndPullBringsItBack() async throws {
        let image = try TestImage([["a": noise(2_000_000)], ["b": "two"]], packed: [.none])
        try await RealRegistry.with { registry in
            try await Fixture.with { fixture in
                let name = "\(registry.address)/team/app:1"
                let loaded = try await fixture.archive.load(
                    from: pieces(try image.dockerArchive(names: [name])), progress: { _ in })[0]
                let told = Told()
                let pushed = try await fixture.pusher.deliver(try Reference(parsing: name), progress: told.sink)
                #expect(told.statuses.first == "The push refers to repository [\(registry.address)/team/app]")
                #expect(told.statuses.filter { $0 == "Pushed" }.count == 2)
                #expect(told.all.last?.aux?["Digest"]?.stringValue == pushed[0].description)
                #expect(told.statuses.last?.hasPrefix("1: digest: \(pushed[0]) size: ") == true)
                // The same image under the digest it has over there.
                #expect(try fixture.store.resolve("\(registry.address)/team/app@\(pushed[0])").id == loaded.id)
                let again = Told()
                #expect(try await fixture.pusher.deliver(try Reference(parsing: name), progress: again.sink) == pushed)
                #expect(again.statuses.filter { $0 == "Layer already exists" }.count == 2)
                #expect(!again.statuses.contains("Compressing"))
                // Into another repository the blobs are taken over.
                let copy = try Reference(parsing: "\(registry.address)/other/copy:2")
                try await fixture.store.tag(loaded, as: copy)
                let mounted = Told()
                _ = try await fixture.pusher.deliver(copy, progress: mounted.sink)
                #expect(mounted.statuses.filter { $0 == "Mounted from team/app" }.count == 2)
                // Here it is up to date; elsewhere it is new.
                let same = try await fixture.puller.pull(try Reference(parsing: name), progress: { _ in })
                #expect(!same.isNew && same.image.id == loaded.id)
                try await Fixture.with { other in
                    let pulled = try await other.puller.pull(try Reference(parsing: name), progress: { _ in })
                    #expect(pulled.image.id == pushed[0])
                    #expect(pulled.image.configDigest == loaded.configDigest)
                    #expect(pulled.image.manifest.layers.allSatisfy { $0.mediaType == .ociLayerGzip })
                    #expect(try other.file("a", in: pulled.image, layer: 0) == noise(2_000_000))
                    // What came packed goes out byte for byte.
                    try await other.store.tag(pulled.image, as: try Reference(parsing: "\(registry.address)/third:3"))
                    let third = try await other.pusher.deliver(
                        try Reference(parsing: "\(registry.address)/third:3"), progress: { _ in })
                    #expect(third == pushed)
                }
            }
        }
    }

    @Test func zstdLayersAndIndexesGoThroughARealRegistry() async throws {
        let image = try TestImage([["a": "one"], ["b": noise(700_000)]], packed: [.zstd])
        try await RealRegistry.with { registry in
            try await Fixture.with { fixture in
                let name = try Reference(parsing: "\(registry.address)/z:1")
                let loaded = try await fixture.archive.load(
                    from: pieces(try image.dockerArchive(names: [name.description])), progress: { _ in })[0]
                #expect(try await fixture.pusher.deliver(name, progress: { _ in }) == [loaded.id])
                let remote = try await fixture.registries.describe(name, credentials: nil)
                #expect(remote.descriptor.digest == loaded.id)
                #expect(remote.platforms == [.host])
                try await Fixture.with { other in
                    let pulled = try await other.puller.pull(name, progress: { _ in })
                    #expect(pulled.image.id == loaded.id)
                    #expect(try other.file("b", in: pulled.image, layer: 1) == noise(700_000))
                }
            }
        }
    }

    @Test func basicAuthentication() async throws {
        // bcrypt of "secret".
        let user = (name: "tester", bcrypt: RegistryTests.hash)
        let image = try TestImage([["a": "one"]], packed: [.none])
        try await RealRegistry.with(user: user) { registry in
            try await Fixture.with { fixture in
                let name = try Reference(parsing: "\(registry.address)/app:1")
                _ = try await fixture.archive.load(
                    from: pieces(try image.dockerArchive(names: [name.description])), progress: { _ in })
                let anonymous = await failure { _ = try await fixture.pusher.deliver(name, progress: { _ in }) }
                #expect(anonymous?.kind == .unauthorized)
                #expect(anonymous?.message == "no basic auth credentials")
                var credentials = Credentials(username: "tester", password: "wrong", serverAddress: registry.address)
                #expect(await failure { try await fixture.registries.login(credentials) }?.kind == .unauthorized)
                credentials.password = "secret"
                try await fixture.registries.login(credentials)
                _ = try await fixture.pusher.push(name, credentials: credentials, progress: { _ in })
                let pulled = try await fixture.puller.pull(name, credentials: credentials, progress: { _ in })
                #expect(!pulled.isNew)
                let denied = await failure { _ = try await fixture.puller.pull(name, progress: { _ in }) }
                #expect(
                    denied?.message.hasPrefix(
                        "pull access denied for \(registry.address)/app, repository does not exist") == true)
            }
        }
    }

    @Test func allTagsComeWithOneCall() async throws {
        let image = try TestImage([["a": "one"]], packed: [.none])
        try await RealRegistry.with { registry in
            try await Fixture.with { fixture in
                let names = ["\(registry.address)/app:1", "\(registry.address)/app:2"]
                _ = try await fixture.archive.load(
                    from: pieces(try image.dockerArchive(names: names)), progress: { _ in })
                let repository = try Reference(parsing: "\(registry.address)/app")
                #expect(try await fixture.pusher.deliver(repository, progress: { _ in }).count == 2)
                try await Fixture.with { other in
                    let pulled = try await other.puller.pullAllTags(repository, progress: { _ in })
                    #expect(pulled.count == 2)
                    #expect(other.store.list().first?.names.map(\.description) == names)
                }
            }
        }
    }

    @Test func pushingWhatIsNotHere() async throws {
        try await Fixture.with { fixture in
            let missing = await failure {
                _ = try await fixture.pusher.deliver(try Reference(parsing: "nope:1"), progress: { _ in })
            }
            #expect(missing?.kind == .notFound)
            #expect(missing?.message == "An image does not exist locally with the tag: nope")
        }
    }
}
