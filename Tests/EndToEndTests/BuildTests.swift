import Linux
import Testing

/// Dockerfiles to images, and the cache.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct BuildTests {
    private func context(_ daemon: PrivateDaemon, _ files: [String: String]) throws -> String {
        let directory = daemon.home + "/context"
        try makeDirectories(directory)
        for (name, text) in files {
            if let slash = name.lastIndex(of: "/") { try makeDirectories(directory + "/" + name[..<slash]) }
            try writeFile(directory + "/" + name, Array(text.utf8))
        }
        return directory
    }

    @Test func stagesArgumentsAndIgnoredFilesAreHonoured() async throws {
        try await PrivateDaemon.with { daemon in
            let directory = try context(
                daemon,
                [
                    "Dockerfile": """
                    ARG BASE=busybox
                    FROM ${BASE} AS make
                    ARG WHO=nobody
                    ENV GREETING="hello ${WHO:-x}"
                    WORKDIR /work
                    COPY . .
                    RUN echo "$GREETING" > greeting && ls > listing
                    FROM busybox
                    COPY --from=make --chown=www /work/greeting /work/listing /
                    USER www
                    LABEL one=1
                    ENTRYPOINT ["cat"]
                    CMD ["/greeting"]
                    """,
                    ".dockerignore": "*.log\n!keep.log\n", "a.txt": "a", "b.log": "b", "keep.log": "k",
                    "sub/c.txt": "c",
                ])
            let built = try await daemon.must("build", "--build-arg", "WHO=skiff", "-t", "greeter:1", directory)
            #expect(!built.output.isEmpty || !built.errors.isEmpty)
            #expect(try await daemon.must("run", "--rm", "greeter:1").output == "hello skiff\n")
            let listing = try await daemon.must("run", "--rm", "greeter:1", "/listing").lines
            #expect(listing.contains("keep.log") && !listing.contains("b.log") && listing.contains("sub"))
            let owner = try await daemon.must(
                "run", "--rm", "--entrypoint", "stat", "greeter:1", "-c", "%u", "/greeting")
            #expect(owner.line == "33")

            let first = try await daemon.must("build", "-q", "--build-arg", "WHO=skiff", directory).line
            let second = try await daemon.must("build", "-q", "--build-arg", "WHO=skiff", directory).line
            #expect(first == second, "nothing changed, so nothing is built anew")
            #expect(first.hasPrefix("sha256:"))
        }
    }

    @Test func aChangedFileRunsOnlyWhatFollows() async throws {
        try await PrivateDaemon.with { daemon in
            let text = """
                FROM busybox
                COPY early /early
                RUN cat /proc/sys/kernel/random/uuid > /first
                COPY late /late
                RUN cat /proc/sys/kernel/random/uuid > /second
                """
            let directory = try context(daemon, ["Dockerfile": text, "early": "e", "late": "l"])
            func build() async throws -> (String, String) {
                try await daemon.must("build", "-t", "cached", directory)
                let lines = try await daemon.must("run", "--rm", "cached", "cat", "/first", "/second").lines
                return (lines[0], lines[1])
            }
            let one = try await build()
            try writeFile(directory + "/late", Array("changed".utf8))
            let two = try await build()
            #expect(one.0 == two.0)
            #expect(one.1 != two.1)
            let three = try await build()
            #expect(two.0 == three.0 && two.1 == three.1)
        }
    }

    @Test(arguments: [
        ("FORM busybox", "FORM"), ("FROM busybox\nCOPY nothing /x", "nothing"), ("FROM busybox\nCOPY ../x /x", "x"),
        ("FROM busybox\nRUN exit 5", "5"), ("FROM localhost:1/no/such/image:here", "localhost:1"), ("", "Dockerfile"),
        ("FROM UPPER", "invalid reference format"),
    ])
    func aBadDockerfileGetsOneLineThatNamesTheThing(dockerfile: String, word: String) async throws {
        try await PrivateDaemon.with { daemon in
            let directory = try context(daemon, ["Dockerfile": dockerfile])
            let before = try await daemon.must("images", "-aq").lines.count
            let finished = try await daemon.skiff("build", "-t", "bad", directory)
            #expect(finished.code != 0)
            #expect(finished.errors.contains(word), "\(finished.errors)")
            #expect(try await daemon.must("images", "-aq").lines.count == before)
        }
    }
}
