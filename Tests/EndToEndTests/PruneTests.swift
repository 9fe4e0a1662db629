import Linux
import Testing

/// What nothing uses is removed when asked, and nothing else.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct PruneTests {
    @Test(arguments: Client.allCases) func whatIsUsedStays(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("network", "create", "used")
            try await cli.must("network", "create", "idle")
            try await cli.must("volume", "create", "named")
            try await cli.must(
                "run", "-d", "--name", "runs", "--network", "used", "-v", "/anonymous", "busybox", "sleep", "1000")
            let ended = try await cli.must("create", "--name", "ended", "-l", "keep=no", "-v", "/anonymous", "busybox")
                .line
            try await cli.must("create", "--name", "kept", "-l", "keep=yes", "busybox")

            #expect(
                try await cli.must("container", "prune", "-f", "--filter", "until=1h").output
                    == "Total reclaimed space: 0B\n")
            let containers = try await cli.must("container", "prune", "-f", "--filter", "label!=keep=yes").lines
            #expect(containers[0] == "Deleted Containers:" && containers.contains(ended))
            #expect(try await cli.must("ps", "-a", "--format", "{{.Names}}").lines.sorted() == ["kept", "runs"])
            let networks = try await cli.must("network", "prune", "-f").lines
            #expect(networks == ["Deleted Networks:", "idle"], "\(networks)")
            let anonymous = try await cli.must("volume", "prune", "-f").lines
            #expect(anonymous[0] == "Deleted Volumes:" && anonymous[1].count == 64, "\(anonymous)")
            #expect(try await cli.must("volume", "ls", "-q").lines.count == 2)
            let all = try await cli.must("volume", "prune", "-a", "-f").lines
            #expect(all.contains("named"))
            #expect(try await cli.must("volume", "ls", "-q").lines.count == 1, "the running container's")
            try await cli.refuses(
                "container", "prune", "-f", "--filter", "colour=red", saying: "invalid filter 'colour'")
            try await cli.refuses("container", "prune", "-f", "--filter", "until=soon", saying: "soon")
        }
    }

    @Test(arguments: Client.allCases) func imagesAndTheBuildCacheGoToo(client: Client) async throws {
        try await client.session { cli in
            let folder = cli.daemon.home + "/prune-\(client)"
            try makeDirectories(folder)
            defer { try? removeTree(folder) }
            func build(_ text: String) async throws {
                try writeFile(folder + "/Dockerfile", Array("FROM busybox\nRUN echo \(text) > /text\n".utf8))
                try await cli.must("build", "-q", "-t", "built", folder)
            }
            try await build("first")
            try await build("second")
            #expect(try await cli.must("images", "-q", "--filter", "dangling=true").lines.count == 1)
            let dangling = try await cli.must("image", "prune", "-f").lines
            #expect(dangling[0] == "Deleted Images:" && dangling.last?.hasPrefix("Total reclaimed space: ") == true)
            #expect(try await cli.must("images", "-q", "--filter", "dangling=true").output.isEmpty)
            let cache = try await cli.must("builder", "prune", "-a", "-f")
            #expect(cache.output.contains("Total reclaimed space: "))
            try await cli.must("run", "-d", "--name", "user", "busybox", "sleep", "1000")
            let all = try await cli.must("image", "prune", "-a", "-f").output
            #expect(all.contains("untagged: built:latest"), "\(all)")
            #expect(try await cli.must("images", "--format", "{{.Repository}}").lines == ["busybox"])
        }
    }

    @Test(arguments: Client.allCases) func theSystemIsPrunedAndMeasured(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("create", "--name", "ended", "-v", "/anonymous", "busybox")
            try await cli.must("network", "create", "idle")
            try await cli.must("volume", "create", "named")
            try await cli.must("run", "--name", "wrote", "busybox", "sh", "-c", "head -c 100000 /dev/zero > /file")
            let usage = try await cli.must("system", "df").lines.map { $0.split(separator: " ").joined(separator: " ") }
            #expect(usage[0] == "TYPE TOTAL ACTIVE SIZE RECLAIMABLE")
            #expect(usage[1].hasPrefix("Images 1 1 ") && usage[2].hasPrefix("Containers 2 0 "), "\(usage)")
            #expect(!usage[2].contains(" 0B") && usage[3].hasPrefix("Local Volumes 2 1 "), "\(usage)")
            let pruned = try await cli.must("system", "prune", "-f", "--volumes").output
            for words in [
                "Deleted Containers:", "Deleted Networks:\nidle", "Deleted Volumes:", "Total reclaimed space: ",
            ] {
                #expect(pruned.contains(words), "\(pruned)")
            }
            #expect(try await cli.must("ps", "-aq").output.isEmpty)
            #expect(try await cli.must("volume", "ls", "-q").lines == ["named"], "only anonymous ones")
            #expect(try await cli.must("images", "-q").lines.count == 1, "an image with a name stays")
            let asked = try await cli("container", "prune", input: "n\n")
            #expect(asked.output.contains("WARNING! This will remove all stopped containers."))
        }
    }
}
