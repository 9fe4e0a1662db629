import Archive
import CLinux
import Failures
import Images
import Linux
import OCI
import Storage
import Testing

@testable import Builder

/// The Dockerfile reference, line by line, where no process is needed: each works, or says in one line why not.
@Suite(.enabled(if: geteuid() == 0)) struct ReferenceTests {
    private func build(
        _ text: String, _ files: [(String, String)] = [],
        _ change: @Sendable @escaping (inout BuildRequest) -> Void = { _ in },
        _ body: @escaping @Sendable (BuildFixture, BuildFixture.Outcome) async throws -> Void
    ) async throws {
        try await BuildFixture.with { fixture in
            try await body(fixture, try await fixture.build([("Dockerfile", text)] + files, change))
        }
    }

    private func config(_ fixture: BuildFixture, _ outcome: BuildFixture.Outcome) throws -> ImageConfig.Config {
        try #require(try fixture.images.resolve(outcome.result.imageID).config.config)
    }

    @Test func escapeDirectiveCommentsAndContinuedLines() async throws {
        let text = """
            # escape=`
            FROM scratch
            # a comment
            ENV A=one `
              # inside a line that goes on
                B=two
            LABEL path="c:\\dir" `

              more=x
            COPY a `
              /a
            """
        try await build(text, [("a", "A")]) { fixture, outcome in
            let config = try config(fixture, outcome)
            #expect(config.env.filter { !$0.hasPrefix("PATH=") } == ["A=one", "B=two"])
            #expect(config.labels == ["path": "c:\\dir", "more": "x"])
            #expect(try fixture.files(outcome)["a"] == "640 0:0 A")
            #expect(outcome.text.contains("[Warning] empty continuation line found in line 8"))
        }
    }

    @Test(arguments: [
        ("docker/dockerfile:1", false), ("docker.io/docker/dockerfile:1.7-labs", false),
        ("docker/dockerfile@sha256:1234", false), ("example.com/own/frontend:2", true),
    ]) func aFrontendIsNotFetched(_ frontend: String, _ warns: Bool) async throws {
        try await build("# syntax=\(frontend)\nFROM scratch\nCOPY a /\n", [("a", "A")]) { _, outcome in
            #expect(outcome.text.contains("[Warning] the frontend \(frontend) is not fetched") == warns)
        }
    }

    @Test func argumentsBeforeFromAndTheirScope() async throws {
        let text = """
            ARG BASE=nothing
            ARG KEPT=default
            FROM ${BASE}
            ARG KEPT
            LABEL kept=$KEPT base=${BASE:-unset} platform=$TARGETARCH
            ARG TARGETARCH
            LABEL arch=$TARGETARCH
            COPY a /
            """
        try await build(
            text, [("a", "A")],
            {
                $0.buildArguments = ["BASE": "scratch", "KEPT": "given", "UNUSED": "x"]
            }
        ) { fixture, outcome in
            let labels = try config(fixture, outcome).labels
            let arch = Platform.host.architecture
            #expect(labels == ["kept": "given", "base": "unset", "platform": "", "arch": arch])
            #expect(
                outcome.text.hasPrefix(
                    "Step 1/8 : ARG BASE=nothing\nStep 2/8 : ARG KEPT=default\nStep 3/8 : FROM ${BASE}\n"))
            #expect(
                outcome.text.contains("[Warning] One or more build-args [UNUSED] were not consumed\nSuccessfully built")
            )
        }
    }

    @Test func platformOfABase() async throws {
        try await build("FROM scratch\nCOPY a /\n", [("a", "A")], { $0.tags = ["own"] }) { fixture, _ in
            let host = Platform.host.description
            let same = try await fixture.build([("Dockerfile", "FROM --platform=\(host) own\nLABEL x=y")])
            #expect(try config(fixture, same).labels == ["x": "y"])
            let build = try await fixture.build([("Dockerfile", "FROM --platform=$BUILDPLATFORM own\nLABEL x=z")])
            #expect(try config(fixture, build).labels == ["x": "z"])
            await #expect(throws: Failure(.invalid, "")) {
                try await fixture.build([("Dockerfile", "FROM --platform=what/is/this/then own\nLABEL x=y")])
            }
        }
    }

    @Test func aBaseOfAnotherPlatformIsLookedForElsewhere() async throws {
        try await build("FROM scratch\nCOPY a /\n", [("a", "A")], { $0.tags = ["localhost:1/own"] }) { fixture, _ in
            let failure = await refusal {
                _ = try await fixture.build([("Dockerfile", "FROM --platform=linux/s390x localhost:1/own\nLABEL x=y")])
            }
            #expect(failure?.message.contains("localhost:1") == true)
        }
    }

    @Test func triggersOfABaseRunUnderItsFrom() async throws {
        let base = "FROM scratch\nONBUILD COPY a /from-trigger\nONBUILD LABEL trigger=yes\nCOPY b /b\n"
        try await build(base, [("b", "B")], { $0.tags = ["base"] }) { fixture, first in
            #expect(try config(fixture, first).onBuild == ["COPY a /from-trigger", "LABEL trigger=yes"])
            let outcome = try await fixture.build([("Dockerfile", "FROM base\nLABEL own=yes"), ("a", "A")])
            #expect(try fixture.files(outcome) == ["b": "640 0:0 B", "from-trigger": "640 0:0 A"])
            let config = try config(fixture, outcome)
            #expect(config.labels == ["trigger": "yes", "own": "yes"] && config.onBuild.isEmpty)
            #expect(outcome.text.contains("# Executing 2 build triggers"))
            #expect(outcome.text.contains("Step 2/2 : LABEL own=yes"))
        }
    }

    @Test func configOfProcesses() async throws {
        let text = """
            FROM scratch
            SHELL ["/bin/ash", "-eo", "pipefail", "-c"]
            CMD run me
            HEALTHCHECK --interval=5s --timeout=1m30s --start-period=2s --start-interval=1s --retries=4 CMD test -e /up
            STOPSIGNAL SIGQUIT
            USER 5:6
            EXPOSE 80 53/udp 3000-3001
            VOLUME /a ["b"]
            VOLUME ["/c", "/d"]
            MAINTAINER somebody
            WORKDIR x
            WORKDIR y
            """
        try await build(text) { fixture, outcome in
            let config = try config(fixture, outcome)
            #expect(config.shell == ["/bin/ash", "-eo", "pipefail", "-c"])
            #expect(config.cmd == ["/bin/ash", "-eo", "pipefail", "-c", "run me"])
            let check = try #require(config.healthcheck)
            #expect(check.test == ["CMD-SHELL", "test -e /up"] && check.retries == 4)
            #expect(check.interval == 5_000_000_000 && check.timeout == 90_000_000_000)
            #expect(config.stopSignal == "SIGQUIT" && config.user == "5:6" && config.workingDir == "/x/y")
            #expect(config.exposedPorts == ["80/tcp", "53/udp", "3000/tcp", "3001/tcp"])
            #expect(config.volumes.contains("/c") && config.volumes.contains("/d"))
            let none = try await fixture.build([("Dockerfile", text + "\nHEALTHCHECK NONE\n")])
            #expect(try self.config(fixture, none).healthcheck?.test == ["NONE"])
        }
    }

    @Test func copyWithItsFlags() async throws {
        let text = """
            FROM scratch AS files
            COPY tree /tree
            FROM scratch
            COPY --link --chmod=u=rwX,go=rX tree /linked
            COPY --chmod=0755 --chown=3:4 tree/a.txt /bin/
            COPY --parents tree/*/c.txt /parents/
            COPY --exclude=**/*.txt tree /without/
            COPY --from=files /tree/sub /stage
            COPY tree/?.txt tree/s* /patterns/
            """
        let files = [
            ("tree/", ""), ("tree/a.txt", "A"), ("tree/sub/", ""), ("tree/sub/c.txt", "C"), ("tree/sub/d", "D"),
        ]
        try await build(text, files) { fixture, outcome in
            let made = try fixture.files(outcome)
            #expect(made["linked/a.txt"] == "644 0:0 A" && made["linked/sub/"] == "755 0:0")
            #expect(made["bin/a.txt"] == "755 3:4 A")
            #expect(made["parents/tree/sub/c.txt"] == "640 0:0 C" && made["parents/tree/sub/d"] == nil)
            #expect(made["without/sub/d"] == "640 0:0 D" && made["without/a.txt"] == nil)
            #expect(made["without/sub/c.txt"] == nil)
            #expect(made["stage/c.txt"] == "640 0:0 C" && made["stage/d"] == "640 0:0 D")
            // A directory that a pattern finds gives what is in it.
            #expect(made["patterns/a.txt"] == "640 0:0 A" && made["patterns/d"] == "640 0:0 D")
        }
    }

    @Test func copyOfDocuments() async throws {
        let text = """
            FROM scratch
            ARG WHO=you
            COPY <<one <<-"two" /docs/
            hello $WHO
            one
            \tkept $WHO
            \ttwo
            COPY --chmod=700 <<EOF /script
            #!/bin/sh
            EOF
            """
        try await build(text) { fixture, outcome in
            let made = try fixture.files(outcome)
            #expect(made["docs/one"] == "644 0:0 hello you\n")
            #expect(made["docs/two"] == "644 0:0 kept $WHO\n")
            #expect(made["script"] == "700 0:0 #!/bin/sh\n")
        }
    }

    /// What a tar can hold and a list of texts cannot say.
    private func build(
        entries: [(TarEntry, [UInt8])], _ text: String,
        _ body: @escaping @Sendable (BuildFixture, BuildFixture.Outcome) throws -> Void
    ) async throws {
        try await BuildFixture.with { fixture in
            let sink = BytesSink()
            let writer = TarWriter(sink)
            try writer.add(TarEntry(.file, "Dockerfile", mode: 0o644), content: Array(text.utf8))
            for (entry, content) in entries { try writer.add(entry, content: content) }
            try writer.finish()
            try body(fixture, try await fixture.build(tar: sink.bytes))
        }
    }

    @Test func linksInTheContext() async throws {
        let entries: [(TarEntry, [UInt8])] = [
            (TarEntry(.file, "one", mode: 0o644), Array("1".utf8)),
            (TarEntry(.hardLink, "two", mode: 0o644, linkTarget: "one"), []),
            (TarEntry(.directory, "dir", mode: 0o755), []),
            (TarEntry(.symbolicLink, "dir/inside", mode: 0o777, linkTarget: "../one"), []),
            (TarEntry(.symbolicLink, "outside", mode: 0o777, linkTarget: "/etc/passwd"), []),
            (TarEntry(.symbolicLink, "way", mode: 0o777, linkTarget: "dir"), []),
        ]
        try await build(entries: entries, "FROM scratch\nCOPY two dir/inside /f/\nCOPY dir /d\nCOPY way/inside /w\n") {
            fixture, outcome in
            let made = try fixture.files(outcome)
            // A link that is named is followed, one that lies in a directory is copied.
            #expect(made["f/two"] == "644 0:0 1" && made["f/inside"] == "644 0:0 1")
            #expect(made["d/inside"] == "->../one" && made["w"] == "644 0:0 1")
        }
        await #expect(throws: Failure(.invalid, ""), "nothing outside of the context is reached") {
            try await build(entries: entries, "FROM scratch\nCOPY outside /\n") { _, _ in }
        }
        let broken: [(TarEntry, [UInt8])] = [(TarEntry(.hardLink, "x", mode: 0o644, linkTarget: "not/there"), [])]
        let failure = await refusal {
            try await build(entries: broken, "FROM scratch\nCOPY x /\n") { _, _ in }
        }
        #expect(failure?.message.contains("is a hard link to") == true)
    }

    @Test func extendedAttributesOfTheContext() async throws {
        var entry = TarEntry(.file, "f", mode: 0o755)
        entry.attributes = [
            .init(name: "user.note", value: Array("hello".utf8)), .init(name: "trusted.overlay.opaque", value: [121]),
        ]
        try await build(entries: [(entry, [1])], "FROM scratch\nCOPY f /f\n") { fixture, outcome in
            let image = try fixture.images.resolve(outcome.result.imageID)
            let view = try fixture.snapshots.view(try #require(image.snapshot))
            let file = try open("f", O_RDONLY, at: view.raw)
            let names = try attributeNames(file.raw)
            #expect(names.contains("user.note") && !names.contains("trusted.overlay.opaque"))
        }
    }

    @Test func aSparseFileIsRefusedByName() async throws {
        // GNU's sparse form: type letter S. The checksum is made right again.
        var block = Array(try BuildFixture.tar([("holes", "x")]).prefix(512))
        block[156] = UInt8(ascii: "S")
        for index in 148..<156 { block[index] = UInt8(ascii: " ") }
        let sum = block.reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        let field = String(repeating: "0", count: 6 - digits.count) + digits
        block.replaceSubrange(148..<156, with: Array(field.utf8) + [0, 32])
        let bytes = block + [UInt8](repeating: 0, count: 1536)
        try await BuildFixture.with { fixture in
            let failure = await refusal { _ = try await fixture.build(tar: bytes) }
            #expect(failure?.message.contains("holes of the archive is a sparse file") == true)
        }
    }

    @Test(arguments: [
        ("RUN --security=insecure true", "not allowed"), ("RUN --device=x true", "not supported"),
        ("RUN --mount=type=secret,id=x true", "BuildKit session"), ("RUN --mount=type=ssh true", "BuildKit session"),
        ("RUN --mount=type=nothing,target=/x true", "unsupported mount type"),
        ("ADD git@example.com:a/b.git /x", "git"),
        ("ADD https://example.com/a/b.git /x", "git"), ("COPY --chmod=rwx a /", "chmod"),
        ("COPY --form=x a /", "did you mean --from"),
        ("ONBUILD ONBUILD RUN x", "ONBUILD"), ("ONBUILD FROM x", "FROM"), ("STOPSIGNAL SIGNOTHING", "signal"),
        ("SHELL /bin/sh -c", "JSON"), ("HEALTHCHECK --retries=x CMD y", "retries"), ("EXPOSE 70000", "70000"),
        ("EXPOSE 80/icmp", "80/icmp"), ("ENV", "ENV"), ("USER $nobody", "USER"), ("RUN <<EOF\necho x", "EOF"),
        ("COPY --from=nothing:here/such a /", "nothing"), ("COPY --checksum=x a /", "checksum"),
        ("INCLUDE x", "INCLUDE"),
    ]) func saysInOneLineWhatItDoesNotDo(_ line: String, _ word: String) async throws {
        try await BuildFixture.with { fixture in
            do {
                _ = try await fixture.build([("Dockerfile", "FROM scratch\n\(line)\n"), ("a", "A")])
                Issue.record("\(line) was built")
            } catch let failure as Failure {
                #expect(failure.message.contains(word), "\(failure.message)")
                #expect(!failure.message.contains("\n"))
                #expect(fixture.snapshots.all().isEmpty)
            }
        }
    }
}
