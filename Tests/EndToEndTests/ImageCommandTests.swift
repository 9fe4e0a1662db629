import CLinux
import Linux
import Testing

/// Images named, listed, looked into, carried in files and removed.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct ImageCommandTests {
    /// Imports an image of its own, which nothing else of the daemon knows.
    private func importImage(_ cli: Session, _ name: String, _ changes: String...) async throws -> String {
        let archive = try await PrivateDaemon.busyboxArchive(in: cli.daemon.home)
        let imported = try await cli.run(["import"] + changes.flatMap { ["--change", $0] } + [archive, name])
        try #require(imported.code == 0, "\(imported.errors)")
        return imported.line
    }

    @Test(arguments: Client.allCases) func importedImagesAreChangedAsAsked(client: Client) async throws {
        try await client.session { cli in
            let id = try await importImage(
                cli, "changed:1", "CMD [\"echo\", \"hello\"]", "ENV A=1", "WORKDIR /w", "USER www", "LABEL k=v",
                "EXPOSE 80", "VOLUME /data", "ENTRYPOINT [\"/bin/busybox\"]")
            #expect(id.hasPrefix("sha256:") && id.count == 71)
            #expect(
                try await cli.must(
                    "image", "inspect", "-f",
                    "{{.Id}} {{.Config.Cmd}} {{.Config.Env}} {{.Config.WorkingDir}} {{.Config.User}} {{.Config.Labels}} {{.Config.Volumes}}",
                    "changed:1"
                ).line.contains("\(id) [echo hello]"))
            #expect(try await cli.must("run", "--rm", "changed:1").output == "hello\n")
            #expect(
                try await cli.must("run", "--rm", "--entrypoint", "sh", "changed:1", "-c", "echo $A; pwd; id -u").lines
                    == ["1", "/w", "33"])
            try await cli.refuses(
                "import", "--change", "FROM x", "/dev/null", "y", saying: "is not a valid change command")
            try await cli.refuses("import", "/no/such.tar", "y", saying: "/no/such.tar")
            let archive = try await PrivateDaemon.busyboxArchive(in: cli.daemon.home)
            let named = try await cli.must("import", "-m", "by hand", archive, "noted")
            #expect(named.line.hasPrefix("sha256:"))
            #expect(try await cli.must("history", "--format", "{{.Comment}}", "noted").line == "by hand")
            try await cli.must("rmi", "changed:1", "noted")
        }
    }

    @Test(arguments: Client.allCases) func imagesAreListedByFiltersAndForms(client: Client) async throws {
        try await client.session { cli in
            let id = try await importImage(cli, "fleet/boat:1", "LABEL kind=boat")
            try await cli.must("tag", "fleet/boat:1", "fleet/boat:2")
            try await cli.must("tag", id, "ship")
            func names(_ words: String...) async throws -> [String] {
                let listed = try await cli.run(["images", "--format", "{{.Repository}}:{{.Tag}}"] + words)
                #expect(listed.code == 0, "\(client) images \(words): \(listed.errors)")
                return listed.lines.sorted()
            }
            #expect(try await names() == ["busybox:latest", "fleet/boat:1", "fleet/boat:2", "ship:latest"])
            #expect(try await names("fleet/boat") == ["fleet/boat:1", "fleet/boat:2"])
            #expect(try await names("fleet/boat:2") == ["fleet/boat:2"])
            #expect(try await names("--filter", "reference=sh*") == ["ship:latest"])
            #expect(try await names("--filter", "label=kind=boat") == ["fleet/boat:1", "fleet/boat:2", "ship:latest"])
            #expect(try await names("--filter", "since=busybox").contains("ship:latest"))
            #expect(try await names("--filter", "before=ship") == ["busybox:latest"])
            #expect(try await names("--filter", "dangling=true").isEmpty)
            let table = try await cli.must("images", "ship").lines.map {
                $0.split(separator: " ").joined(separator: " ")
            }
            #expect(table[0] == "REPOSITORY TAG IMAGE ID CREATED SIZE")
            #expect(table[1].hasPrefix("ship latest \(id.dropFirst(7).prefix(12)) "))
            #expect(try await cli.must("images", "-q", "ship").line == String(id.dropFirst(7).prefix(12)))
            #expect(try await cli.must("images", "-q", "--no-trunc", "ship").line == id)
            #expect(try await cli.must("images", "--digests", "ship").lines[0].contains("DIGEST"))
            try await cli.refuses("images", "--filter", "colour=red", saying: "colour")
            try await cli.refuses("tag", "ghost", "x", saying: "No such image: ghost")
            try await cli.refuses("tag", "ship", "Upper/Case", saying: "must be lowercase")
            try await cli.must("rmi", "-f", id)
            #expect(try await names() == ["busybox:latest"])
        }
    }

    @Test(arguments: Client.allCases) func imagesAreRemovedOnlyWhereNothingStandsOnThem(client: Client) async throws {
        try await client.session { cli in
            let id = try await importImage(cli, "boat:1")
            try await cli.must("tag", "boat:1", "boat:2")
            #expect(try await cli.must("rmi", "boat:2").lines == ["Untagged: boat:2"])
            try await cli.must("tag", "boat:1", "other:1")
            try await cli.refuses(
                "rmi", String(id.dropFirst(7).prefix(12)), saying: "image is referenced in multiple repositories")
            try await cli.must("rmi", "other:1")
            try await cli.must("run", "-d", "--name", "user", "boat:1", "sleep", "1000")
            try await cli.refuses("rmi", "boat:1", saying: "container")
            try await cli.must("stop", "-t", "0", "user")
            try await cli.refuses("rmi", id, saying: "container")
            #expect(try await cli.must("rmi", "-f", "boat:1").lines.first == "Untagged: boat:1")
            try await cli.must("start", "user")
            #expect(try await cli.must("ps", "--format", "{{.Names}}").line == "user", "what runs keeps its layers")
            try await cli.must("rm", "-f", "user")
            let partly = try await cli("rmi", "ghost:1", "ghost:2")
            #expect(partly.code == 1 && partly.errors.contains("No such image: ghost:1"))
            #expect(partly.errors.contains("No such image: ghost:2"))
            try await cli.must("image", "prune", "-f")
        }
    }

    @Test(arguments: Client.allCases) func imagesTravelInFiles(client: Client) async throws {
        try await client.session { cli in
            let folder = cli.daemon.home + "/files-\(client)"
            try makeDirectories(folder)
            defer { try? removeTree(folder) }
            let one = try await importImage(cli, "one:1", "CMD [\"echo\", \"one\"]")
            let two = try await importImage(cli, "two:1", "CMD [\"echo\", \"two\"]")
            try await cli.must("tag", "one:1", "one:2")
            try await cli.must("save", "-o", folder + "/both.tar", "one:1", "one:2", "two:1")
            try await cli.must("rmi", "one:1", "one:2", "two:1")
            let loaded = try await cli.must("load", "-i", folder + "/both.tar").lines.filter { $0.hasPrefix("Loaded") }
            #expect(
                loaded.sorted() == ["Loaded image: one:1", "Loaded image: one:2", "Loaded image: two:1"], "\(loaded)")
            #expect(try await cli.must("inspect", "-f", "{{.Id}}", "one:2", "two:1").lines == [one, two])
            #expect(try await cli.must("run", "--rm", "two:1").output == "two\n")
            // The same through pipes, and by id without a name.
            let written = try await Program.run(
                "/bin/sh", ["-c", "'\(cli.words("save", "one:1").joined(separator: "' '"))' > \(folder)/one.tar"],
                environment: cli.environment)
            #expect(written.code == 0, "\(written.errors)")
            try await cli.must("rmi", "one:1", "one:2")
            let piped = try await Program.run(
                "/bin/sh", ["-c", "'\(cli.words("load", "-q").joined(separator: "' '"))' < \(folder)/one.tar"],
                environment: cli.environment)
            #expect(piped.line == "Loaded image: one:1", "\(piped.errors)")
            try await cli.must("save", "-o", folder + "/id.tar", one)
            try await cli.must("rmi", "one:1")
            #expect(try await cli.must("load", "-i", folder + "/id.tar").output.contains("Loaded image ID: \(one)"))
            try await cli.must("rmi", one, "two:1")
            try await cli.refuses("save", "-o", folder + "/x.tar", "ghost", saying: "No such image: ghost")
            #expect(!exists(folder + "/x.tar"), "a file of nothing is not left")
            try await cli.refuses("load", "-i", folder + "/none.tar", saying: "none.tar")
            try writeFile(folder + "/noise.tar", (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            #expect(try await cli("load", "-i", folder + "/noise.tar").code == 1)
            // A file is replaced, a device never.
            let mknod = try await Program.run(try #require(Program.find("mknod")), [folder + "/null", "c", "1", "3"])
            #expect(mknod.code == 0)
            #expect(try await cli("save", "-o", folder + "/null", "busybox").code == 1)
            #expect(try status(folder + "/null").kind == mode_t(S_IFCHR))
            #expect(try await cli("save", "-o", folder + "/no/such/x.tar", "busybox").code == 1)
        }
    }

    @Test(arguments: Client.allCases) func historyTellsTheSteps(client: Client) async throws {
        try await client.session { cli in
            let id = try await importImage(cli, "told:1", "CMD [\"true\"]")
            let table = try await cli.must("history", "told:1").lines.map {
                $0.split(separator: " ").joined(separator: " ")
            }
            #expect(table[0] == "IMAGE CREATED CREATED BY SIZE COMMENT")
            #expect(table[1].hasPrefix(String(id.dropFirst(7).prefix(12))))
            #expect(try await cli.must("history", "-q", "--no-trunc", "told:1").lines[0] == id)
            let bytes = try await cli.must("history", "-H=false", "--format", "{{.Size}} {{.CreatedAt}}", "told:1")
                .lines[0]
            #expect(Int(bytes.split(separator: " ")[0]) ?? 0 > 100_000 && bytes.contains("T"), "\(bytes)")
            try await cli.refuses("history", "ghost", saying: "No such image: ghost")
            try await cli.must("rmi", "told:1")
        }
    }
}
