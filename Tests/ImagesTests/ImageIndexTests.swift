import Archive
import Failures
import FakeRegistry
import OCI
import Testing

@testable import Images

/// An image with nothing but an identity.
private func image(_ label: String, digests: [String] = []) throws -> Image {
    let made = try TestImage([["a": label]], label: label)
    var record = ImageRecord(
        descriptor: Descriptor(mediaType: .ociManifest, digest: made.digestOfManifest, size: Int64(made.manifest.count))
    )
    record.repoDigests = try digests.map { try Reference(parsing: $0) }
    record.layerSizes = [7]
    return try Image(record: record, manifest: made.manifest, arrived: 5) { _ in made.config }
}

@Suite struct ImageIndexTests {
    @Test func findsByNameIdAndBeginning() throws {
        var index = ImageIndex()
        let one = try image("one")
        index.insert(one)
        index.setName(try Reference(parsing: "alpine:3"), to: one.id, at: 9)
        for text in [
            "alpine:3", "docker.io/library/alpine:3", one.id.description, one.id.hex, one.id.short,
            String(one.id.hex.prefix(3)),
        ] {
            #expect(try index.find(text).image.id == one.id, "\(text)")
        }
        #expect(try index.find("alpine@\(one.id)").image.id == one.id)
        #expect(try index.find("alpine:3").image.lastTagged == 9)
    }

    @Test func saysWhatIsMissingInDockersWords() throws {
        let index = ImageIndex()
        #expect(throws: Failure(.notFound, "")) { try index.find("nope") }
        let failure = #expect(throws: Failure.self) { try index.find("nope") }
        #expect(failure?.message == "No such image: nope:latest")
        #expect(throws: Failure(.invalid, "")) { try index.find("NOPE:x:y") }
        #expect(throws: Failure(.notFound, "")) { try index.find("sha256:abc") }
    }

    @Test func aNameMovesAndLeavesTheOtherDangling() throws {
        var index = ImageIndex()
        let (one, two) = (try image("one"), try image("two"))
        let name = try Reference(parsing: "app:latest")
        index.insert(one)
        index.insert(two)
        index.setName(name, to: one.id, at: 1)
        index.setName(name, to: two.id, at: 2)
        #expect(index.images[one.id]?.isDangling == true)
        #expect(try index.find("app").image.id == two.id)
        index.remove(two.id)
        #expect(throws: Failure(.notFound, "")) { try index.find("app") }
    }

    @Test func findsByWhatARegistryCallsIt() throws {
        var index = ImageIndex()
        let other = "sha256:" + String(repeating: "ab", count: 32)
        let one = try image("one", digests: ["r.example/app@\(other)"])
        index.insert(one)
        #expect(try index.find("r.example/app@\(other)").image.id == one.id)
        #expect(throws: Failure(.notFound, "")) { try index.find("r.example/else@\(other)") }
    }
}

@Suite struct RemovalRulesTests {
    private func plan(
        _ names: [String], _ reference: String, uses: [ImageUse] = [], force: Bool = false, digests: [String] = []
    ) throws -> RemovalRules.Plan {
        var index = ImageIndex()
        let one = try image("one", digests: digests)
        index.insert(one)
        for name in names { index.setName(try Reference(parsing: name), to: one.id, at: 1) }
        let (found, match) = try index.find(reference == "ID" ? one.id.hex : reference)
        return try RemovalRules(image: found, uses: uses, force: force).plan(match)
    }

    private let running = ImageUse(container: "0123456789abcdef", running: true)
    private let stopped = ImageUse(container: "fedcba9876543210", running: false)

    @Test func oneOfTwoNamesGoesAlone() throws {
        let plan = try plan(["a:1", "a:2"], "a:1", uses: [running])
        #expect(plan.names.map(\.familiar) == ["a:1"])
        #expect(!plan.deletes)
    }

    @Test func theLastNameTakesTheImageAndItsDigests() throws {
        let digest = "r.example/a@sha256:" + String(repeating: "0", count: 64)
        let plan = try plan(["r.example/a:1"], "r.example/a:1", digests: [digest])
        #expect(plan.deletes)
        #expect(plan.digests.map(\.description) == [digest])
    }

    @Test func theLastTagOfARepositoryTakesItsDigestsThoughAnotherNameStays() throws {
        let digest = "r.example/a@sha256:" + String(repeating: "0", count: 64)
        let plan = try plan(["r.example/a:1", "b:1"], "r.example/a:1", digests: [digest])
        #expect(!plan.deletes)
        #expect(plan.digests.map(\.description) == [digest])
        let kept = try self.plan(["r.example/a:1", "r.example/a:2"], "r.example/a:1", digests: [digest])
        #expect(kept.digests.isEmpty)
    }

    @Test func containersHoldIt() throws {
        let byName = #expect(throws: Failure.self) { try plan(["a:1"], "a:1", uses: [stopped]) }
        #expect(byName?.kind == .conflict)
        #expect(
            byName?.message.hasPrefix(
                #"conflict: unable to remove repository reference "a:1" (must force) - container fedcba987654 is using"#
            ) == true)
        let byID = #expect(throws: Failure.self) { try plan(["a:1"], "ID", uses: [running], force: true) }
        #expect(
            byID?.message.hasSuffix("(cannot be forced) - image is being used by running container 0123456789ab")
                == true)
        #expect(throws: Failure(.conflict, "")) { try plan(["a:1"], "ID", uses: [stopped]) }
        #expect(try plan(["a:1"], "ID", uses: [stopped], force: true).deletes)
    }

    @Test func forceTakesTheNameOfARunningOneAndLeavesTheImage() throws {
        let plan = try plan(["a:1"], "a:1", uses: [running], force: true)
        #expect(plan.names.count == 1)
        #expect(!plan.deletes)
    }

    @Test func severalNamesNeedForceById() throws {
        let failure = #expect(throws: Failure.self) { try plan(["a:1", "b:1"], "ID") }
        #expect(failure?.message.hasSuffix("(must be forced) - image is referenced in multiple repositories") == true)
        #expect(try plan(["a:1", "b:1"], "ID", force: true).names.count == 2)
    }
}

@Suite struct ImageValueTests {
    @Test func chainsAreThoseOfTheSpecification() throws {
        let a = try Digest(parsing: "sha256:" + String(repeating: "1", count: 64))
        let b = try Digest(parsing: "sha256:" + String(repeating: "2", count: 64))
        let chains = ChainID.chains([a, b])
        #expect(chains[0] == a)
        #expect(chains[1] == digest(Array("\(a) \(b)".utf8)))
    }

    @Test func historyIsNewestFirstWithSizes() throws {
        let entries = try image("x").history
        #expect(entries.count == 1)
        #expect(entries.first?.createdBy == "step 0")
        #expect(entries.first?.size == 7)
        #expect(entries.first?.id != nil)
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", Int64(0)), ("2026-11-21T02:03:04Z", 1_795_226_584),
        ("2026-11-21T04:03:04.123456789+02:00", 1_795_226_584), ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("nonsense", 0), ("", 0),
    ])
    func readsTimes(_ text: String, _ seconds: Int64) { #expect(Timestamp.seconds(text) == seconds) }

    @Test func progressSpeaksDockersWords() throws {
        let name = try Reference(parsing: "alpine:3")
        #expect(
            TransferProgress.pulling(repository: "library/alpine", tag: "3").status == "Pulling from library/alpine")
        #expect(TransferProgress.downloaded(name).status == "Status: Downloaded newer image for alpine:3")
        #expect(TransferProgress.upToDate(name).status == "Status: Image is up to date for alpine:3")
        #expect(TransferProgress.loaded(name).stream == "Loaded image: alpine:3\n")
        let layer = TransferProgress.layer(id: "abc", stage: .downloading(current: 1, total: 2))
        #expect(layer.id == "abc" && layer.status == "Downloading" && layer.bytes?.total == 2)
    }
}

@Suite struct ArchiveReadingTests {
    @Test(arguments: [("./a//b", "a/b"), ("a/../b", "b"), ("/a", "a")])
    func normalisesPaths(_ path: String, _ normal: String) { #expect(ArchiveIntake.normalised(path) == normal) }

    @Test(arguments: ["..", "a/../..", "", "/", "."]) func refusesPaths(_ path: String) {
        #expect(ArchiveIntake.normalised(path) == nil)
    }

    @Test func readsTheDockerForm() throws {
        let image = try TestImage([["a": "1"], ["b": "2"]], packed: [.none])
        let documents: [String: [UInt8]] = [
            "c.json": image.config,
            "manifest.json": Array(#"[{"Config":"c.json","RepoTags":["x:1","y/z:2"],"Layers":["l0","l1"]}]"#.utf8),
        ]
        let entries = try ArchiveContents(platform: nil) { documents[$0] }.entries()
        #expect(entries.count == 1)
        #expect(entries[0].names.map(\.familiar) == ["x:1", "y/z:2"])
        #expect(entries[0].layers.map(\.path) == ["l0", "l1"])
    }

    @Test func refusesALyingManifest() throws {
        let image = try TestImage([["a": "1"]])
        let index = Index(manifests: [Descriptor(mediaType: .ociManifest, digest: image.digestOfManifest, size: 1)])
        let documents: [String: [UInt8]] = [
            "index.json": try index.encoded(), "blobs/sha256/\(image.digestOfManifest.hex)": image.manifest + [32],
        ]
        #expect(throws: Failure(.invalid, "")) { try ArchiveContents(platform: nil) { documents[$0] }.entries() }
    }

    @Test(arguments: [
        "[]", "{}", "null", #"[{"Config":"../x"}]"#, "[",
        #"[{"Config":"c.json","RepoTags":["UPPER:x:y"],"Layers":[]}]"#,
    ])
    func refusesBrokenDocuments(_ text: String) throws {
        let image = try TestImage([])
        let documents = ["manifest.json": Array(text.utf8), "c.json": image.config]
        #expect(throws: Failure(.invalid, "")) { try ArchiveContents(platform: nil) { documents[$0] }.entries() }
    }
}
