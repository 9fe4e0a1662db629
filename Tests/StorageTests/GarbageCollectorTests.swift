import CLinux
import Failures
import Linux
import OCI
import Storage
import Testing

@Suite("GarbageCollector")
struct GarbageCollectorTests {
    let scratch: Scratch
    let stores: Stores
    static let never: Int64 = .max

    init() throws {
        scratch = try Scratch()
        stores = try Stores(scratch)
    }

    @Test("what an image, a container, a build step or a lease needs stays; the rest goes")
    func collects() async throws {
        let blobs = try (0..<5).map { try stores.content.put([UInt8($0)]) }
        for (key, parent) in [
            ("base", nil), ("mid", "base"), ("top", "mid"), ("step", "base"), ("leased", nil), ("loose", nil),
            ("loose2", "loose"),
        ] {
            try stores.layer(key, on: parent, "f", key)
        }
        try stores.snapshots.createWritable("box", parent: "mid")
        try await stores.metadata.images.save(image(blobs[0], blobs: [blobs[1]], layers: ["base", "mid", "top"]))
        try await stores.metadata.containers.save(
            ContainerRow(id: "c", name: "c", image: blobs[0], snapshot: "box", created: 1, document: []))
        try await stores.metadata.buildCache.save(
            BuildCacheRow(key: "k", layer: "step", blobs: [blobs[2]], created: 1, lastUsed: 1, size: 1, document: []))
        try await stores.metadata.leases.save(
            LeaseRow(id: "l", created: 1, expires: Self.never, resources: [.blob(blobs[3]), .snapshot("leased")]))

        let first = try stores.collector.collect()
        #expect(first.blobs == 1 && first.snapshots == 2)
        #expect(Set(try stores.content.all()) == Set(blobs[..<4]))
        #expect(Set(stores.snapshots.all().map(\.key)) == ["base", "mid", "top", "step", "leased", "box"])

        // The image goes: its container's layers stay.
        try await stores.metadata.images.remove(blobs[0])
        let second = try stores.collector.collect()
        #expect(second.blobs == 2 && second.snapshots == 1)
        #expect(Set(stores.snapshots.all().map(\.key)) == ["base", "mid", "step", "leased", "box"])

        try await stores.metadata.containers.remove("c")
        try stores.snapshots.remove("box")
        try await stores.metadata.buildCache.remove(["k"])
        try await stores.metadata.leases.release("l")
        _ = try stores.collector.collect()
        #expect(try stores.content.all().isEmpty)
        #expect(stores.snapshots.all().isEmpty)
        #expect(try scratch.names("snapshots") == ["empty"])
    }

    @Test("a lease whose time is over keeps nothing")
    func endsLeases() async throws {
        let blob = try stores.content.put([1])
        try await stores.metadata.leases.save(LeaseRow(id: "old", created: 1, expires: 2, resources: [.blob(blob)]))
        #expect(try stores.collector.collect().blobs == 1)
        #expect(try await stores.metadata.leases.all().isEmpty)
    }

    @Test("at start, writable snapshots that no container has and drafts go")
    func sweeps() async throws {
        try stores.layer("base", on: nil, "f", "1")
        try stores.snapshots.createWritable("kept", parent: "base")
        try stores.snapshots.createWritable("orphan", parent: "base")
        _ = try stores.snapshots.prepareLayer(parent: "base")
        try await stores.metadata.containers.save(
            ContainerRow(id: "c", name: "c", image: nil, snapshot: "kept", created: 1, document: []))
        try stores.metadata.close()

        let again = try Stores(scratch)
        try again.collector.sweepAtStart()
        #expect(Set(again.snapshots.all().map(\.key)) == ["base", "kept"])
        #expect(try scratch.names("snapshots") == ["1", "2", "empty"])
    }

    @Test("at start, drafts in the content store go; what can be gone on with stays")
    func sweepsDrafts() throws {
        try stores.content.draft().write([1, 2, 3])
        try stores.content.ingest(key: "layer").write([1, 2])
        try stores.metadata.close()
        let again = try Stores(scratch)
        try again.collector.sweepAtStart()
        #expect(try scratch.names("content/ingest").count == 1)
        #expect(try again.content.ingest(key: "layer").offset == 2)
    }

    @Test("after a power cut only what an image holds is believed")
    func distrustsAfterPowerCut() async throws {
        let blobs = try (0..<4).map { try stores.content.put([UInt8($0)]) }
        for key in ["base", "step", "pulled"] { try stores.layer(key, on: nil, "f", key) }
        try stores.content.ingest(key: "layer").write([1, 2])
        try await stores.metadata.images.save(image(blobs[0], blobs: [blobs[1]], layers: ["base"]))
        for (key, layer, blob) in [("proven", "base", blobs[1]), ("unproven", "step", blobs[2])] {
            try await stores.metadata.buildCache.save(
                BuildCacheRow(key: key, layer: layer, blobs: [blob], created: 1, lastUsed: 1, size: 1, document: []))
        }
        try await stores.metadata.buildCache.save(
            BuildCacheRow(key: "empty", layer: nil, created: 1, lastUsed: 1, size: 0, document: []))
        try await stores.metadata.leases.save(
            LeaseRow(id: "l", created: 1, expires: Self.never, resources: [.blob(blobs[3]), .snapshot("pulled")]))
        try stores.metadata.close()

        let again = try Stores(scratch)
        try again.collector.sweepAtStart()
        #expect(again.snapshots.all().count == 3, "after any other end all of it is good")
        try again.collector.sweepAtStart(afterPowerCut: true)
        #expect(again.snapshots.all().map(\.key) == ["base"])
        #expect(Set(try again.content.all()) == Set(blobs[..<2]))
        #expect(Set(try await again.metadata.buildCache.all().map(\.key)) == ["proven", "empty"])
        #expect(try scratch.names("content/ingest").isEmpty)
    }

    @Test("the mark of a run tells a power cut from a crash and from an orderly end")
    func marksRuns() throws {
        let first = RunMark(dataRoot: scratch.path, boot: "one")
        #expect(!first.isOfAnEarlierBoot)
        try first.set()
        // Killed, and started again.
        #expect(!RunMark(dataRoot: scratch.path, boot: "one").isOfAnEarlierBoot)
        let second = RunMark(dataRoot: scratch.path, boot: "two")
        #expect(second.isOfAnEarlierBoot)
        try second.set()
        #expect(!second.isOfAnEarlierBoot)
        second.remove()
        #expect(!RunMark(dataRoot: scratch.path, boot: "three").isOfAnEarlierBoot)
    }

    @Test("a transfer under way is not collected, one that nobody wanted for a day is")
    func dropsOldIngests() throws {
        let busy = try stores.content.ingest(key: "busy")
        try busy.write([1, 2, 3])
        try stores.content.ingest(key: "fresh").write([1, 2])
        try stores.content.ingest(key: "old").write([1])
        for name in try scratch.names("content/ingest") {
            let path = "\(scratch.path)/content/ingest/\(name)"
            if try readFile(path).count != 2 {
                try setTimesEntry(path, seconds: 1000, nanoseconds: 0, at: Directory.working)
            }
        }
        #expect(try stores.collector.collect().bytes == 1)
        #expect(try scratch.names("content/ingest").count == 2)
        #expect(try stores.content.ingest(key: "fresh").offset == 2)
        #expect(try stores.content.ingest(key: "old").offset == 0)
    }
}
