import Linux
import Testing

/// Volumes, bind mounts and tmpfs, in every way to ask for them.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct VolumeTests {
    @Test(arguments: Client.allCases) func volumesAreMadeListedAndRemoved(client: Client) async throws {
        try await client.session { cli in
            #expect(try await cli.must("volume", "create", "--label", "kind=cargo", "cargo").line == "cargo")
            #expect(try await cli.must("volume", "create", "cargo").line == "cargo", "once more is no mistake")
            #expect(try await cli.must("volume", "create").line.count == 64)
            #expect(try await cli.must("volume", "ls", "-q", "--filter", "label=kind=cargo").lines == ["cargo"])
            #expect(try await cli.must("volume", "ls", "-q", "--filter", "name=carg").lines == ["cargo"])
            try await cli.must("run", "-d", "--name", "user", "-v", "cargo:/c", "busybox", "sleep", "1000")
            #expect(try await cli.must("volume", "ls", "-q", "--filter", "dangling=false").lines == ["cargo"])
            #expect(try await cli.must("volume", "ls", "-q", "--filter", "dangling=true").lines.count == 1)
            let table = try await cli.must("volume", "ls").lines.map { $0.split(separator: " ").joined(separator: " ") }
            #expect(table[0] == "DRIVER VOLUME NAME" && table.contains("local cargo"))
            #expect(
                try await cli.must("volume", "inspect", "-f", "{{.Mountpoint}} {{.Labels}}", "cargo").line
                    == "\(cli.daemon.root)/volumes/cargo/_data map[kind:cargo]")
            try await cli.refuses("volume", "rm", "cargo", saying: "volume is in use")
            try await cli.refuses("volume", "inspect", "ghost", saying: "no such volume")
            try await cli.refuses("volume", "create", "b@d", saying: "b@d")
            try await cli.refuses("volume", "create", "-d", "nodriver", "cargo2", saying: "nodriver")
            try await cli.must("rm", "-f", "user")
            #expect(try await cli.must("volume", "rm", "cargo").line == "cargo")
            #expect(try await cli("volume", "rm", "-f", "ghost").code == 0)
        }
    }

    @Test(arguments: Client.allCases) func anEmptyVolumeTakesOverWhatTheImageHasThere(client: Client) async throws {
        try await client.session { cli in
            let list = ["busybox", "sh", "-c", "ls /etc/passwd; stat -c %a /etc"]
            for flags in [
                ["-v", "copied:/etc"], ["--mount", "type=volume,source=mounted,target=/etc"], ["-v", "/etc"],
            ] {
                #expect(try await cli.run(["run", "--rm"] + flags + list).lines.first == "/etc/passwd", "\(flags)")
            }
            for flags in [
                ["-v", "bare:/etc:nocopy"], ["--mount", "type=volume,source=plain,target=/etc,volume-nocopy=true"],
            ] {
                let found = try await cli.run(["run", "--rm", "-u", "0:0"] + flags + ["busybox", "ls", "-a", "/etc"])
                #expect(!found.lines.contains("passwd"), "\(flags): \(found.output)\(found.errors)")
            }
            try await cli.must(
                "run", "--rm", "-v", "copied:/v", "busybox", "sh", "-c", "rm /v/passwd; echo own > /v/own")
            let kept = try await cli.must("run", "--rm", "-v", "copied:/etc", "busybox", "ls", "/etc").lines
            #expect(kept.contains("own") && !kept.contains("passwd"), "a volume that holds something is left alone")
        }
    }

    @Test(arguments: Client.allCases) func bindMountsShowTheHost(client: Client) async throws {
        try await client.session { cli in
            let folder = cli.daemon.home + "/shared-\(client)"
            try makeDirectories(folder + "/deep")
            try writeFile(folder + "/file", Array("host\n".utf8))
            defer { try? removeTree(folder) }
            let writes = "cat /m/file; echo inside > /m/new; cat /m/new"
            #expect(
                try await cli.must("run", "--rm", "-v", "\(folder):/m", "busybox", "sh", "-c", writes).output
                    == "host\ninside\n")
            #expect(try readText(folder + "/new") == "inside\n")
            for flags in [
                ["-v", "\(folder):/m:ro"], ["--mount", "type=bind,source=\(folder),target=/m,readonly"],
                ["--mount", "type=bind,src=\(folder),dst=/m,ro=true"],
                ["--mount", "type=bind,source=\(folder),destination=/m,readonly,bind-recursive=enabled"],
            ] {
                let said = try await cli.run(
                    ["run", "--rm"] + flags + ["busybox", "sh", "-c", "cat /m/file; touch /m/x 2>&1 || true"])
                #expect(
                    said.lines.first == "host" && said.output.contains("Read-only file system"), "\(flags): \(said)")
            }
            #expect(
                try await cli.must(
                    "run", "--rm", "--mount", "type=bind,source=\(folder)/file,target=/f", "busybox", "cat", "/f"
                )
                .output == "host\n")
            try await cli.must("run", "--rm", "-v", "\(folder)/made/by/bind:/m", "busybox", "touch", "/m/x")
            #expect(exists(folder + "/made/by/bind/x"), "-v makes what is not there")
            try await cli.refuses(
                "run", "--rm", "--mount", "type=bind,source=\(folder)/missing,target=/m", "busybox", code: 125,
                saying: "bind source path does not exist: \(folder)/missing")
            try await cli.refuses(
                "run", "-v", "\(folder):relative", "busybox", code: 125, saying: "mount path must be absolute")
            try await cli.refuses("run", "-v", "\(folder):/", "busybox", code: 125, saying: "'/'")
            try await cli.refuses("run", "-v", "\(folder):/m:odd", "busybox", code: 125, saying: "odd")
            try await cli.refuses(
                "run", "--mount", "type=bind,source=\(folder),target=/m,colour=red", "busybox", code: 125,
                saying: "colour")
            try await cli.refuses(
                "run", "-v", "\(folder):/m", "-v", "cargo:/m", "busybox", code: 125, saying: "Duplicate mount point: /m"
            )
        }
    }

    @Test(arguments: Client.allCases) func propagationAndTheKindsOfMountAreAsAsked(client: Client) async throws {
        try await client.session { cli in
            let folder = cli.daemon.home + "/spread-\(client)"
            try makeDirectories(folder)
            defer { try? removeTree(folder) }
            func line(_ flags: String...) async throws -> String {
                let said = try await cli.run(
                    ["run", "--rm"] + flags + ["busybox", "grep", " /m ", "/proc/self/mountinfo"])
                #expect(said.code == 0, "\(flags): \(said.errors)")
                return said.line
            }
            #expect(try await !line("-v", "\(folder):/m").contains("shared:"))
            #expect(try await line("-v", "\(folder):/m:rslave").contains("master:") || !isShared(folder))
            if isShared(folder) {
                #expect(try await line("-v", "\(folder):/m:rshared").contains("shared:"))
                #expect(
                    try await line("--mount", "type=bind,source=\(folder),target=/m,bind-propagation=rshared")
                        .contains("shared:"))
            }
            let tmpfs = try await line("--tmpfs", "/m:size=1m,mode=1700,noexec")
            #expect(
                tmpfs.contains("- tmpfs tmpfs") && tmpfs.contains("size=1024k") && tmpfs.contains("mode=1700"),
                "\(tmpfs)")
            #expect(tmpfs.contains("noexec") && tmpfs.contains("nosuid") && tmpfs.contains("nodev"))
            #expect(try await !line("--tmpfs", "/m:exec").contains("noexec"))
            let mounted = try await line("--mount", "type=tmpfs,destination=/m,tmpfs-size=2m,tmpfs-mode=0711")
            #expect(mounted.contains("size=2048k") && mounted.contains("mode=711"), "\(mounted)")
            #expect(try await line("--mount", "target=/m").contains("/volumes/"))
            try await cli.refuses("volume", "create", "-o", "colour=red", "cargo2", saying: "colour")
            try await cli.must("run", "--name", "giver", "-v", "given:/m", "busybox", "touch", "/m/x")
            #expect(try await cli.must("run", "--rm", "--volumes-from", "giver", "busybox", "ls", "/m").line == "x")
            #expect(
                try await cli("run", "--rm", "--volumes-from", "giver:ro", "busybox", "touch", "/m/y").errors
                    .contains("Read-only file system"))
        }
    }

    /// Whether mounts made below a path on the host show elsewhere too.
    private func isShared(_ path: String) -> Bool {
        let lines = ((try? readText("/proc/self/mountinfo")) ?? "").split(separator: "\n")
        let containing = lines.filter { line in
            let point = line.split(separator: " ")[4]
            return point == "/" || path.hasPrefix(point + "/")
        }
        return containing.max { $0.split(separator: " ")[4].count < $1.split(separator: " ")[4].count }?
            .contains(" shared:") ?? false
    }
}
