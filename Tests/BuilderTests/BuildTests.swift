import Archive
import CLinux
import Failures
import Images
import OCI
import Storage
import Testing

@testable import Builder

/// Builds without processes: context to image through the real stores.
///
/// Root, for owners and overlay mounts.
@Suite(.enabled(if: geteuid() == 0)) struct BuildTests {
    private static let context: [(String, String)] = [
        (
            "Dockerfile",
            "FROM scratch\nCOPY --chown=5:6 a /a\nWORKDIR /w/x\nCOPY d .\nENV X=y\nCOPY l late /z/\nCMD [\"/a\"]\n"
        ),
        ("a", "A"), ("d/", ""), ("d/one", "1"), ("d/sub/", ""), ("d/sub/two", "2"), ("d/link", "->one"), ("l", "->a"),
        ("late", "L"),
    ]

    @Test func copiesWithOwnersModesAndLinks() async throws {
        try await BuildFixture.with { fixture in
            let outcome = try await fixture.build(Self.context) { $0.tags = ["t:1", "u"] }
            #expect(
                try fixture.files(outcome) == [
                    "a": "640 5:6 A", "w/": "755 0:0", "w/x/": "755 0:0", "w/x/one": "640 0:0 1", "w/x/sub/": "750 0:0",
                    "w/x/sub/two": "640 0:0 2", "w/x/link": "->one", "z/": "755 0:0", "z/l": "640 0:0 A",
                    "z/late": "640 0:0 L",
                ])
            let image = try fixture.images.resolve("t:1")
            #expect(image.id.description == outcome.result.imageID)
            #expect(outcome.result.names == ["t:1", "u:latest"])
            #expect(image.config.config?.cmd == ["/a"])
            #expect(image.config.config?.workingDir == "/w/x")
            #expect(image.config.rootfs.diffIDs.count == 4)
            #expect(image.config.history.map(\.emptyLayer) == [false, false, false, true, false, true])
            let short = image.id.short
            #expect(outcome.text.hasPrefix("Step 1/7 : FROM scratch\n ---> \nStep 2/7 : COPY --chown=5:6 a /a\n ---> "))
            #expect(
                outcome.text.hasSuffix(
                    " ---> \(short)\nSuccessfully built \(short)\nSuccessfully tagged t:1\nSuccessfully tagged u:latest\n"
                ))
        }
    }

    @Test func runsNothingTwice() async throws {
        try await BuildFixture.with { fixture in
            let first = try await fixture.build(Self.context)
            #expect(first.cached == 0)
            var touched = Self.context
            touched.reverse()
            let second = try await fixture.build(touched)
            #expect(second.result.imageID == first.result.imageID)
            #expect(second.cached == 6)
            // A late file runs only what follows it.
            var late = Self.context
            late[8].1 = "changed"
            let third = try await fixture.build(late)
            #expect(third.cached == 4)
            #expect(third.result.imageID != first.result.imageID)
            #expect(try fixture.files(third)["z/late"] == "640 0:0 changed")
            // Without the cache all is made anew.
            #expect(try await fixture.build(Self.context) { $0.noCache = true }.cached == 0)
            // What is cached survives a collection; what is pruned does not.
            _ = try fixture.collector.collect()
            #expect(try await fixture.build(Self.context).cached == 6)
            let pruned = try await fixture.builder.prune(.everything)
            #expect(!pruned.removed.isEmpty)
            #expect(try await fixture.build(Self.context).cached == 0)
        }
    }

    /// Files of a mebibyte each, copied one by one.
    private static func large(_ names: [String]) -> [(String, String)] {
        let text = "FROM scratch\n" + names.map { "COPY \($0) /\($0)\n" }.joined()
        return [("Dockerfile", text)] + names.map { ($0, String(repeating: $0, count: 1 << 20)) }
    }

    @Test func theCacheStaysWithinItsLimits() async throws {
        try await BuildFixture.with { fixture in
            let first = try await fixture.build(Self.large(["a", "b"]))
            let second = try await fixture.build(Self.large(["c", "d"]))
            for outcome in [first, second] { _ = try await fixture.images.remove(outcome.result.imageID, force: true) }
            let before = try await fixture.builder.cacheRecords()
            // Packed and unpacked, each layer is two mebibytes and a little.
            let total = before.reduce(0) { $0 + $1.size }
            #expect(total > 8 << 20 && total < 9 << 20)
            var pruning = CachePruning.everything
            pruning.limits = CacheLimits(most: 5 << 20)
            let pruned = try await fixture.builder.prune(pruning)
            #expect(pruned.reclaimed > 4 << 20 && pruned.reclaimed < 5 << 20)
            let after = try await fixture.builder.cacheRecords()
            #expect(after.reduce(0) { $0 + $1.size } < 5 << 20)
            // What went is no longer on the disk, and what stayed is still known.
            #expect(try fixture.content.all().count == fixture.snapshots.all().count)
            let again = try await fixture.build(Self.large(["a"]))
            let kept = Set(after.map(\.description))
            #expect(again.cached == (kept.contains("COPY a /a") ? 1 : 0))
            #expect(kept.contains("COPY a /a") || kept.contains("COPY c /c"))
        }
    }

    @Test func aRecordWhoseLayerIsGoneIsDropped() async throws {
        try await BuildFixture.with { fixture in
            let context = Self.large(["a"])
            let first = try await fixture.build(context)
            _ = try await fixture.images.remove(first.result.imageID, force: true)
            let layer = try #require(try await fixture.builder.cacheRecords().compactMap(\.layer).first)
            // A disk that lost it.
            try fixture.snapshots.remove(layer)
            let again = try await fixture.build(context)
            #expect(again.cached == 0)
            #expect(try fixture.files(again)["a"]?.hasPrefix("640 0:0 aaa") == true)
            _ = try await fixture.images.remove(again.result.imageID, force: true)
            try fixture.snapshots.remove(layer)
            try await fixture.builder.keeper.dropBroken()
            #expect(try await fixture.builder.cacheRecords().allSatisfy { $0.layer == nil })
        }
    }

    @Test(arguments: [Compression.gzip, .zstd]) func takesPackedContexts(_ compression: Compression) async throws {
        try await BuildFixture.with { fixture in
            let plain = try await fixture.build(Self.context)
            let packed = try await fixture.build(tar: try BuildFixture.tar(Self.context, compression: compression))
            #expect(packed.result.imageID == plain.result.imageID)
        }
    }

    @Test func copiesFromStagesByContent() async throws {
        try await BuildFixture.with { fixture in
            let text =
                "FROM scratch AS one\nCOPY a /x/a\nCOPY noise /noise\nFROM scratch\nCOPY --from=one /x/a /b\nCOPY --from=0 --chown=9 /x /c/\n"
            let first = try await fixture.build([("Dockerfile", text), ("a", "A"), ("noise", "1")])
            #expect(try fixture.files(first) == ["b": "640 0:0 A", "c/": "755 9:9", "c/a": "640 9:9 A"])
            // The stage is another one, what is copied from it is not.
            let second = try await fixture.build([("Dockerfile", text), ("a", "A"), ("noise", "2")])
            #expect(second.cached == 3)
            #expect(second.result.imageID == first.result.imageID)
        }
    }

    @Test func buildsOnImagesAndTheirLinks() async throws {
        try await BuildFixture.with { fixture in
            _ = try await fixture.build([
                ("Dockerfile", "FROM scratch\nCOPY root /\nLABEL who=base\n"), ("root/", ""), ("root/usr/", ""),
                ("root/usr/lib/", ""),
                ("root/usr/lib/old", "o"), ("root/lib", "->usr/lib"), ("root/etc/", ""),
                ("root/etc/passwd", "me:x:42:43::/:/x\n"),
                ("root/etc/group", "us:x:44:\n"),
            ]) { $0.tags = ["base"] }
            let outcome = try await fixture.build([
                ("Dockerfile", "FROM base\nCOPY --chown=me:us f /lib/f\nCOPY tree /\nLABEL more=x"), ("f", "F"),
                ("tree/", ""), ("tree/lib/", ""),
                ("tree/lib/g", "G"),
            ])
            let files = try fixture.files(outcome)
            #expect(files["lib"] == "->usr/lib")
            #expect(files["usr/lib/f"] == "640 42:44 F")
            #expect(files["usr/lib/g"] == "640 0:0 G")
            #expect(files["usr/lib/old"] == "640 0:0 o")
            #expect(
                try fixture.images.resolve(outcome.result.imageID).config.config?.labels == [
                    "who": "base", "more": "x",
                ])
        }
    }

    @Test func keepsOutWhatTheIgnoreFileSays() async throws {
        try await BuildFixture.with { fixture in
            let outcome = try await fixture.build([
                ("Dockerfile", "FROM scratch\nCOPY . /"), (".dockerignore", "*\n!keep\nDockerfile\n"), ("drop", "d"),
                ("keep/", ""), ("keep/k", "k"),
            ])
            #expect(try fixture.files(outcome) == ["keep/": "750 0:0", "keep/k": "640 0:0 k"])
        }
    }

    @Test func unpacksArchivesAndWritesDocuments() async throws {
        try await BuildFixture.with { fixture in
            let inner = try BuildFixture.tar([("in/", ""), ("in/f", "F"), ("in/l", "->f")], compression: .gzip)
            let tar = try BuildFixture.tar([
                ("Dockerfile", "FROM scratch\nADD x.tar.gz /u/\nCOPY x.tar.gz /kept\nCOPY <<EOF /doc\nhi\nEOF\n")
            ])
            // A second member with bytes that are no text.
            let more = try Self.member("x.tar.gz", inner)
            let outcome = try await fixture.build(tar: Array(tar.dropLast(1024)) + more)
            let files = try fixture.files(outcome)
            #expect(files["u/in/f"] == "640 77:77 F")
            #expect(files["u/in/l"] == "->f")
            #expect(files["doc"] == "644 0:0 hi\n")
            #expect(files["kept"] != nil)
        }
    }

    private static func member(_ name: String, _ bytes: [UInt8]) throws -> [UInt8] {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        try writer.add(TarEntry(.file, name, mode: 0o640), content: bytes)
        try writer.finish()
        return sink.bytes
    }

    @Test(arguments: [
        (
            "FROM scratch\nCOPY nothing /", Failure.Kind.invalid,
            "file not found in build context or excluded by .dockerignore: stat nothing"
        ),
        ("FROM scratch\nCOPY no*thing /", .invalid, "no source files were specified"),
        ("FROM scratch\nCOPY ../x /", .invalid, "forbidden path outside"),
        ("FORM x", .invalid, "line 1: unknown instruction: FORM (did you mean FROM?)"),
        ("FROM scratch\nCOPY --chown=nobody a /", .invalid, "no such user: nobody"),
        ("FROM scratch\nCOPY a b /c", .invalid, "more than one source file"),
        ("FROM scratch\nCOPY a /x/\nCOPY b /x", .invalid, ""),
        ("FROM scratch\nCOPY a /f\nCOPY b /f/g", .invalid, "cannot copy to non-directory: /f"),
        ("FROM scratch\nCOPY a /f\nWORKDIR /f", .invalid, "it is not a directory"),
        ("FROM Bad:Ref:x", .invalid, "invalid reference format"),
        (" ", .invalid, "The Dockerfile (Dockerfile) cannot be empty"),
    ])
    func saysWhatIsWrongAndLeavesNothing(_ text: String, _ kind: Failure.Kind, _ message: String) async throws {
        try await BuildFixture.with { fixture in
            do {
                _ = try await fixture.build([("Dockerfile", text), ("a", "A"), ("b", "B")])
                #expect(message.isEmpty, "it was built")
            } catch let failure as Failure {
                #expect(failure.kind == kind)
                #expect(failure.message.contains(message) && !message.isEmpty, "\(failure.message)")
                #expect(try await fixture.metadata.leases.all().isEmpty)
                #expect(fixture.images.list().isEmpty)
                #expect(try await fixture.builder.prune(.everything).reclaimed >= 0)
                #expect(try fixture.content.all().isEmpty)
                #expect(fixture.snapshots.all().isEmpty)
            }
        }
    }

    @Test(arguments: [("../evil", "x"), ("a/../../evil", "x")]) func refusesNamesThatLeave(
        _ name: String, _ text: String
    ) async throws {
        try await BuildFixture.with { fixture in
            await #expect(throws: Failure(.invalid, "")) {
                try await fixture.build([("Dockerfile", "FROM scratch\nCOPY . /"), (name, text)])
            }
        }
    }

    @Test func neverWritesThroughACopiedLink() async throws {
        try await BuildFixture.with { fixture in
            let files = [
                ("Dockerfile", "FROM scratch\nCOPY one two /\n"), ("one/", ""), ("one/l", "->/tmp"), ("two/", ""),
                ("two/l/", ""), ("two/l/canary", "x"),
            ]
            await #expect(throws: Failure(.invalid, "")) { try await fixture.build(files) }
            // In the context itself nothing can lie below a link.
            let below = [("Dockerfile", "FROM scratch\nCOPY . /\n"), ("l", "->/tmp"), ("l/canary", "x")]
            await #expect(throws: Failure(.invalid, "")) { try await fixture.build(below) }
        }
    }

    @Test func sharesEqualBuildsThatRunTogether() async throws {
        try await BuildFixture.with { fixture in
            async let one = fixture.build(Self.context)
            async let two = fixture.build(Self.context)
            let (first, second) = try await (one, two)
            #expect(try fixture.files(first) == fixture.files(second))
            #expect(try await fixture.metadata.leases.all().isEmpty)
        }
    }
}
