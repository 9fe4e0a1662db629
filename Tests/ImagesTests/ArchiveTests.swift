import Archive
import CLinux
import Failures
import FakeRegistry
import NIOCore
import OCI
import Storage
import Testing

@testable import Images

/// Images as files, in and out.
@Suite(.enabled(if: geteuid() == 0, "layers are unpacked with their owners, which needs root"))
struct ArchiveTests {
    @Test(arguments: [Compression.none, .gzip, .zstd]) func loadsWhatDockerSaved(_ outer: Compression) async throws {
        let image = try TestImage([["a": "one"], ["b": "two"]], packed: [.none])
        let archive = try TestImage.pack(try image.dockerArchive(names: ["app:1", "team/app:2"]), outer)
        try await Fixture.with { fixture in
            let told = Told()
            let loaded = try await fixture.archive.load(from: pieces(archive), progress: told.sink)
            #expect(loaded.count == 1)
            #expect(told.streams == ["Loaded image: app:1\n", "Loaded image: team/app:2\n"])
            let found = try fixture.store.resolve("team/app:2")
            #expect(found.configDigest == image.configDigest)
            #expect(try fixture.file("b", in: found, layer: 1) == "two")
            #expect(found.size == 6)
            #expect(try fixture.leftovers() == (blobs: 4, snapshots: 2, ingests: 0))
            // Again: nothing new, the same id.
            let again = try await fixture.archive.load(from: pieces(archive), progress: { _ in })
            #expect(again.map(\.id) == loaded.map(\.id))
            #expect(try fixture.leftovers() == (blobs: 4, snapshots: 2, ingests: 0))
            _ = try fixture.collector.collect()
            #expect(try fixture.leftovers() == (blobs: 4, snapshots: 2, ingests: 0))
        }
    }

    @Test func layersOfOldArchivesMayBePacked() async throws {
        let image = try TestImage([["a": "one"], ["b": "two"]], packed: [.gzip, .zstd])
        try await Fixture.with { fixture in
            let loaded = try await fixture.archive.load(
                from: pieces(try image.dockerArchive(names: [])), progress: { _ in })
            #expect(loaded.first?.manifest.layers.map(\.mediaType) == [.ociLayerGzip, .ociLayerZstd])
            #expect(loaded.first?.isDangling == true)
        }
    }

    @Test func whatWasSavedComesBackTheSame() async throws {
        let first = try TestImage([["a": "base"], ["b": "one"]], packed: [.none], label: "first")
        let second = try TestImage([["a": "base"], ["c": "two"]], packed: [.none], label: "second")
        try await Fixture.with { fixture in
            _ = try await fixture.archive.load(
                from: pieces(try first.dockerArchive(names: ["x:1", "x:2"])), progress: { _ in })
            _ = try await fixture.archive.load(
                from: pieces(try second.dockerArchive(names: ["y:1"])), progress: { _ in })
            let ids = fixture.store.list().map(\.id).sorted()
            #expect(fixture.snapshots.all().count == 3)
            let bytes = try await all(fixture.archive.save(["x", "y:1"]))
            try await Fixture.with { other in
                let told = Told()
                let loaded = try await other.archive.load(from: pieces(bytes, of: 999), progress: told.sink)
                #expect(loaded.map(\.id).sorted() == ids)
                #expect(Set(told.streams) == ["Loaded image: x:1\n", "Loaded image: x:2\n", "Loaded image: y:1\n"])
                #expect(other.snapshots.all().count == 3)
                #expect(try other.file("c", in: other.store.resolve("y:1"), layer: 1) == "two")
                // What is saved again is the same to the byte.
                #expect(try await all(other.archive.save(["x", "y:1"])) == bytes)
            }
            // An id goes out without names.
            let nameless = try await all(fixture.archive.save([ids[0].hex]))
            try await Fixture.with { other in
                let told = Told()
                _ = try await other.archive.load(from: pieces(nameless), progress: told.sink)
                #expect(told.streams == ["Loaded image ID: \(ids[0])\n"])
            }
        }
    }

    @Test func refusesBrokenArchivesAndKeepsNothing() async throws {
        let image = try TestImage([["a": noise(100_000)]], packed: [.none])
        let whole = try image.dockerArchive(names: ["app:1"])
        var wrongLayer = image
        wrongLayer.layers[0].blob[700] ^= 1
        let cases: [(String, [UInt8])] = [
            ("cut short", Array(whole.prefix(60_000))), ("empty", []), ("no tar", Array(noise(4096).utf8)),
            ("another layer", try wrongLayer.dockerArchive(names: ["app:1"])),
            ("no documents", try TestImage.tar(["a": "b"])),
        ]
        for (what, bytes) in cases {
            try await Fixture.with { fixture in
                let refused = await failure {
                    _ = try await fixture.archive.load(from: pieces(bytes), progress: { _ in })
                }
                #expect(refused?.kind == .invalid, "\(what): \(String(describing: refused))")
                #expect(fixture.store.list().isEmpty)
                let left = try fixture.leftovers()
                #expect(left.snapshots == 0 && left.ingests == 0, "\(what)")
            }
        }
    }

    @Test func importsARootFileSystem() async throws {
        let tar = try TestImage.tar(["etc/hostname": "here", "a": "b"])
        try await Fixture.with { fixture in
            let told = Told()
            let image = try await fixture.importer.importRootfs(
                from: pieces(try TestImage.pack(tar, .gzip)), name: try Reference(parsing: "base"),
                message: "Imported from -",
                created: 1_795_226_584_000_000_000, progress: told.sink)
            #expect(told.statuses == [image.id.description])
            #expect(try fixture.store.resolve("base:latest").id == image.id)
            #expect(image.config.rootfs.diffIDs == [digest(tar)])
            #expect(image.history.first?.comment == "Imported from -")
            #expect(image.created == 1_795_226_584)
            #expect(try fixture.file("etc/hostname", in: image, layer: 0) == "here")
            let again = try await fixture.importer.importRootfs(
                from: pieces(tar), name: nil, message: "x", progress: { _ in })
            #expect(again.id != image.id)
            #expect(fixture.snapshots.all().count == 1)
            let refused = await failure {
                _ = try await fixture.importer.importRootfs(
                    from: pieces(Array("no tar".utf8)), name: nil, progress: { _ in })
            }
            #expect(refused?.kind == .invalid)
            #expect(try fixture.leftovers().ingests == 0)
        }
    }

    @Test func removalFreesWhatNothingElseNeeds() async throws {
        let first = try TestImage([["a": "base"], ["b": "one"]], packed: [.none], label: "first")
        let second = try TestImage([["a": "base"], ["c": "two"]], packed: [.none], label: "second")
        try await Fixture.with { fixture in
            _ = try await fixture.archive.load(
                from: pieces(try first.dockerArchive(names: ["x:1"])), progress: { _ in })
            let y = try await fixture.archive.load(
                from: pieces(try second.dockerArchive(names: ["y:1"])), progress: { _ in })[0]
            let x = try fixture.store.resolve("x:1")
            fixture.uses.set(x.id, [ImageUse(container: "c0ffee", running: false)])
            #expect(await failure { _ = try await fixture.store.remove("x:1") }?.kind == .conflict)
            fixture.uses.set(x.id, [])
            try await fixture.store.tag(x, as: try Reference(parsing: "z"))
            #expect(try await fixture.store.remove("x:1") == [.untagged("x:1")])
            #expect(try await fixture.store.remove("z") == [.untagged("z:latest"), .deleted(x.id)])
            #expect(try fixture.leftovers() == (blobs: 4, snapshots: 2, ingests: 0))
            #expect(await failure { _ = try await fixture.store.remove("x:1") }?.message == "No such image: x:1")
            // A name that moves leaves a dangling image for prune.
            _ = try await fixture.archive.load(
                from: pieces(try first.dockerArchive(names: ["y:1"])), progress: { _ in })
            let pruned = try await fixture.store.prune(all: false)
            #expect(pruned.removed == [.deleted(y.id)])
            #expect(pruned.reclaimed > 0)
            #expect(try await fixture.reopened().list().map(\.id) == [x.id])
        }
    }

    private func all(_ stream: ArchiveStream) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await buffer in stream { bytes.append(contentsOf: buffer.readableBytesView) }
        return bytes
    }
}
