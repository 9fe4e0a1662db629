import Linux
import Testing

/// `build` and its options, with the context from a folder, from a pipe, or none at all.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct BuildCommandTests {
    private func context(_ cli: Session, _ files: [String: String]) throws -> String {
        let folder = cli.daemon.home + "/context-\(cli.client)"
        try? removeTree(folder)
        try makeDirectories(folder)
        for (name, text) in files {
            if let slash = name.lastIndex(of: "/") { try makeDirectories(folder + "/" + name[..<slash]) }
            try writeFile(folder + "/" + name, Array(text.utf8))
        }
        return folder
    }

    private static let stages = """
        FROM busybox AS base
        ARG WHO=nobody
        RUN echo "hello $WHO" > /greeting
        CMD ["cat", "/greeting"]
        FROM base AS loud
        RUN tr a-z A-Z < /greeting > /g && mv /g /greeting
        FROM base
        RUN echo last >> /greeting
        """

    @Test(arguments: Client.allCases) func argumentsTargetsAndFilesAreChosen(client: Client) async throws {
        try await client.session { cli in
            let folder = try context(cli, ["Dockerfile": "FROM busybox\nRUN false\n", "other/File": Self.stages])
            let built = try await cli.must(
                "build", "-f", folder + "/other/File", "--build-arg", "WHO=skiff", "-t", "one:1", "-t", "two:1",
                "--label",
                "k=v", folder)
            #expect(built.output.contains("Step 1/6 : FROM busybox AS base"), "\(built.output)")
            #expect(built.output.contains("Successfully built ") && built.output.contains("Successfully tagged two:1"))
            #expect(try await cli.must("run", "--rm", "one:1").output == "hello skiff\nlast\n")
            #expect(try await cli.must("inspect", "-f", "{{.Config.Labels.k}}", "two:1").line == "v")
            try await cli.must(
                "build", "-f", folder + "/other/File", "--build-arg", "WHO=skiff", "--target", "loud", "-t", "loud:1",
                folder)
            #expect(try await cli.must("run", "--rm", "loud:1").output == "HELLO SKIFF\n")
            let again = try await cli.must("build", "-f", folder + "/other/File", "--build-arg", "WHO=skiff", folder)
            #expect(again.output.ranges(of: "Using cache").count >= 3 && !again.output.contains("Running in"))
            let anew = try await cli.must(
                "build", "--no-cache", "-f", folder + "/other/File", "--build-arg", "WHO=skiff", folder)
            #expect(!anew.output.contains("Using cache") && anew.output.contains("Running in"))
            let quiet = try await cli.must("build", "-q", "-f", folder + "/other/File", folder).line
            #expect(quiet.hasPrefix("sha256:") && quiet.count == 71)
            let unused = try await cli.must(
                "build", "--build-arg", "NOBODY=1", "-f", folder + "/other/File", "-t", "one:1", folder)
            #expect((unused.output + unused.errors).contains("[NOBODY] were not consumed"))
            try await cli.refuses("build", "--target", "ghost", "-f", folder + "/other/File", folder, saying: "ghost")
            try await cli.refuses("build", "-t", "Upper", folder, code: 125, saying: "must be lowercase")
            try await cli.refuses("build", "-f", folder + "/missing", folder, saying: "missing")
            try await cli.must("rmi", "-f", "one:1", "two:1", "loud:1")
        }
    }

    @Test(arguments: Client.allCases) func theContextComesThroughAPipe(client: Client) async throws {
        try await client.session { cli in
            let alone = try await cli("build", "-q", "-", input: "FROM busybox\nCMD [\"echo\", \"piped\"]\n")
            #expect(alone.code == 0, "\(alone.errors)")
            #expect(try await cli.must("run", "--rm", alone.line).output == "piped\n")
            let folder = try context(cli, ["file": "kept\n", "Dockerfile": "FROM busybox\nRUN false\n"])
            let mixed = try await cli(
                "build", "-q", "-f", "-", folder, input: "FROM busybox\nCOPY file /\nCMD [\"cat\", \"/file\"]\n")
            #expect(mixed.code == 0, "\(mixed.errors)")
            #expect(try await cli.must("run", "--rm", mixed.line).output == "kept\n")
            try writeFile(folder + "/Dockerfile", Array("FROM busybox\nCOPY file /\nCMD [\"cat\", \"/file\"]\n".utf8))
            for flag in ["", "z"] {
                let tar = try #require(Program.find("tar"))
                let piped = try await Program.run(
                    "/bin/sh",
                    [
                        "-c",
                        "\(tar) -C \(folder) -c\(flag)f - . | '\(cli.words("build", "-q", "-").joined(separator: "' '"))'",
                    ],
                    environment: cli.environment)
                #expect(piped.code == 0, "\(piped.errors)")
                #expect(try await cli.must("run", "--rm", piped.line).output == "kept\n")
            }
            let empty = try await cli("build", "-")
            #expect(empty.code == 1 && !empty.errors.isEmpty)
        }
    }

    @Test(arguments: Client.allCases) func stepsRunUnderTheirLimitsAndNetworks(client: Client) async throws {
        try await client.session { cli in
            let folder = try context(
                cli,
                [
                    "Dockerfile": """
                    FROM busybox
                    RUN ls /sys/class/net | tr '\\n' ' '; grep harbour /etc/hosts; df -k /dev/shm | tail -1 | awk '{print $2}'
                    RUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max
                    """
                ])
            let built = try await cli.must(
                "build", "--no-cache", "--network", "none", "--add-host", "harbour:10.9.8.7", "--shm-size", "3m", "-m",
                "64m", folder)
            #expect(built.output.contains("lo 10.9.8.7\tharbour"), "\(built.output)")
            #expect(built.output.contains("\n3072\n") && built.output.contains("\n67108864\n"), "\(built.output)")
            let failing = try context(cli, ["Dockerfile": "FROM busybox\nRUN echo before; exit 7\n"])
            let failed = try await cli("build", failing)
            #expect(failed.code == 7 && failed.output.contains("before"))
            #expect(failed.errors.contains("The command '/bin/sh -c echo before; exit 7' returned a non-zero code: 7"))
        }
    }
}
