import CLinux
import Linux
import Testing

/// What `build` takes besides a context, by both command lines, and what is left when somebody changes their mind.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct BuildFlagTests {
    private static let clients = Docker.path == nil ? ["skiff"] : ["skiff", "docker"]

    private func client(_ name: String, _ daemon: PrivateDaemon, _ arguments: [String]) async throws -> Finished {
        if name == "skiff" { return try await daemon.skiff(arguments) }
        return try await Program.run(Docker.path ?? "", arguments, environment: environment(daemon))
    }

    private func environment(_ daemon: PrivateDaemon) -> [String] {
        [
            "DOCKER_HOST=\(daemon.host)", "DOCKER_BUILDKIT=0", "DOCKER_CONFIG=\(daemon.home)/docker",
            "SKIFF_HOST=\(daemon.host)",
        ]
    }

    private func context(_ daemon: PrivateDaemon, _ text: String) throws -> String {
        let directory = daemon.home + "/context"
        try makeDirectories(directory)
        try writeFile(directory + "/Dockerfile", Array(text.utf8))
        return directory
    }

    @Test(arguments: clients) func limitsNamesAndHostsReachTheSteps(_ name: String) async throws {
        try await PrivateDaemon.with { daemon in
            let directory = try context(
                daemon,
                """
                FROM busybox
                RUN grep 'Max open files' /proc/self/limits | tr -s ' ' > /made && \
                    df -k /dev/shm | tail -1 | awk '{print $2}' >> /made && grep extra /etc/hosts >> /made && \
                    ls /sys/class/net | tr '\\n' ' ' >> /made && \
                    (cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true) >> /made
                """)
            let built = try await client(
                name, daemon,
                [
                    "build", "-t", "one:1", "-t", "two", "--label", "a=b", "--label", "c=d", "--memory", "64m",
                    "--network", "none", "--add-host", "extra:10.1.2.3", "--shm-size", "32m", "--ulimit",
                    "nofile=100:200", "--cache-from", "busybox", "--rm", "--force-rm", directory,
                ])
            #expect(built.code == 0, "\(built.errors)")
            let text = built.output + built.errors
            #expect(text.contains("Successfully tagged one:1") && text.contains("Successfully tagged two:latest"))
            let made = try await daemon.must("run", "--rm", "one:1", "cat", "/made").output
            #expect(made.contains("Max open files 100 200"), "\(made)")
            #expect(made.contains("\n32768\n"), "\(made)")
            #expect(made.contains("10.1.2.3") && made.contains("extra"))
            #expect(made.contains("lo ") && !made.contains("eth0"))
            #expect(made.contains("67108864"), "\(made)")
            let labels = try await daemon.must("inspect", "-f", "{{json .Config.Labels}}", "two").line
            #expect(labels == #"{"a":"b","c":"d"}"#)
        }
    }

    @Test func whatIsNotDoneIsRefusedInOneLine() async throws {
        try await PrivateDaemon.with { daemon in
            let directory = try context(daemon, "FROM busybox\nRUN true\n")
            for (flags, words) in [
                (["--squash"], "squash is not supported"), (["--network", "container:x"], "network of a container"),
                (["--platform", "a/b/c/d"], "a/b/c/d"), (["--ulimit", "nofile=x"], "nofile=x"),
                (["-t", "UPPER"], "UPPER"), (["--target", "nowhere"], "nowhere"),
            ] {
                let finished = try await daemon.skiff(["build"] + flags + [directory])
                #expect(finished.code != 0)
                #expect(finished.errors.contains(words), "\(flags): \(finished.errors)")
                #expect(finished.errors.split(separator: "\n").count <= 3, "\(finished.errors)")
            }
        }
    }

    @Test func aPullIsToldOfUnderItsFrom() async throws {
        try await PrivateDaemon.with { daemon in
            let directory = try context(daemon, "ARG X=1\nFROM localhost:1/no/such:image\nRUN true\n")
            let finished = try await daemon.skiff(["build", directory])
            #expect(finished.code != 0)
            #expect((finished.output + finished.errors).contains("Step 2/3 : FROM localhost:1/no/such:image"))
            #expect(finished.errors.contains("localhost:1"))
            let pulled = try await daemon.skiff(["build", "--pull", "-q", directory])
            #expect(pulled.code != 0 && pulled.errors.contains("localhost:1"))
        }
    }

    @Test(arguments: clients) func anInterruptEndsTheStepAndLeavesNothing(_ name: String) async throws {
        try await PrivateDaemon.with { daemon in
            let directory = try context(daemon, "FROM busybox\nRUN sleep 4242 & sleep 4243\n")
            let before = try await daemon.must("images", "-aq").lines.count
            let program = name == "skiff" ? Program.builds + "/skiff" : Docker.path ?? ""
            let quiet = try open("/dev/null", O_RDWR)
            let pid = try Spawn(
                program, arguments: [program, "build", directory],
                environment: environment(daemon) + ["PATH=/usr/bin:/bin", "HOME=/root"],
                descriptors: [(quiet.raw, 0), (quiet.raw, 1), (quiet.raw, 2)]
            ).start()
            try await eventually("the step to run") { sleepers(daemon) == 2 }
            let status = try await onThread {
                let process = try PidFD(pid)
                try process.send(SIGINT)
                return try process.wait()
            }
            #expect(status?.code != 0)
            try await eventually("the step to be gone") { sleepers(daemon) == 0 && steps(daemon).isEmpty }
            #expect(try await daemon.must("images", "-aq").lines.count == before)
            // The next build is not in its way.
            try writeFile(directory + "/Dockerfile", Array("FROM busybox\nRUN true\n".utf8))
            try await daemon.must("build", "-q", directory)
        }
    }

    @Test(arguments: clients) func pruneFreesWhatNoImageHas(_ name: String) async throws {
        try await PrivateDaemon.with { daemon in
            let directory = try context(
                daemon,
                "FROM busybox\nRUN dd if=/dev/zero of=/large bs=1M count=3\nRUN --mount=type=cache,target=/c touch /c/x\n"
            )
            try await daemon.must("build", "-t", "large", directory)
            #expect(try await daemon.must("system", "df").output.contains("Build Cache"))
            // The image still has the layer.
            let kept = try await client(name, daemon, ["builder", "prune", "-f"])
            #expect(kept.code == 0, "\(kept.errors)")
            try await daemon.must("build", "-t", "large", directory)
            try await daemon.must("rmi", "large")
            let roomy = try await client(name, daemon, ["builder", "prune", "-f", "--keep-storage", "1gb"])
            #expect(roomy.output.contains("Total reclaimed space: 0B"), "\(roomy.output)\(roomy.errors)")
            let pruned = try await client(name, daemon, ["builder", "prune", "-f", "-a"])
            #expect(pruned.output.contains("Total reclaimed space: 6."), "\(pruned.output)\(pruned.errors)")
            #expect(!pruned.output.contains("Total reclaimed space: 0B"))
            let df = try await daemon.must("system", "df", "--format", "{{.Type}} {{.TotalCount}}").output
            #expect(df.contains("Build Cache 0"), "\(df)")
        }
    }

    @Test func theDaemonKeepsTheCacheWithinItsLimit() async throws {
        try await PrivateDaemon.with(["--log-level", "info"]) { daemon in
            try await daemon.stop()
            try writeFile(
                daemon.home + "/daemon.json",
                Array(#"{"builder":{"gc":{"enabled":true,"defaultKeepStorage":"3MB"}}}"#.utf8))
            try await daemon.start()
            for round in 0..<3 {
                let directory = try context(
                    daemon, "FROM busybox\nENV ROUND=\(round)\nRUN dd if=/dev/urandom of=/large bs=1M count=1\n")
                try await daemon.must("build", "-t", "large", directory)
                try await daemon.must("rmi", "-f", "large")
            }
            // Three layers of two mebibytes each are more than three megabytes: at most one is left.
            try await eventually("the cache to shrink") { try await cacheSize(daemon) <= Double(3 << 20) }
            try await eventually("the log to say so") {
                daemon.log(lines: 50).contains("build cache is over its limit")
            }
        }
    }

    /// Bytes of the build cache, as the engine tells them.
    private func cacheSize(_ daemon: PrivateDaemon) async throws -> Double {
        let lines = try await daemon.must("system", "df", "--format", "{{.Type}} {{.Size}}").lines
        let text = lines.first { $0.hasPrefix("Build Cache ") }?.dropFirst(12) ?? ""
        let number = Double(text.prefix { $0.isNumber || $0 == "." }) ?? 0
        return number * (text.hasSuffix("MB") ? 1e6 : text.hasSuffix("kB") ? 1e3 : 1)
    }

    private func steps(_ daemon: PrivateDaemon) -> [String] {
        guard let directory = try? open(daemon.root + "/build/steps", O_RDONLY | O_DIRECTORY) else { return [] }
        return ((try? readDirectory(directory.raw)) ?? []).map(\.name.text)
    }

    /// Processes of the step, which are in the cgroup of the daemon.
    private func sleepers(_ daemon: PrivateDaemon) -> Int {
        guard let processes = try? open("/proc", O_RDONLY | O_DIRECTORY),
            let entries = try? readDirectory(processes.raw)
        else { return 0 }
        return entries.count { entry in
            let name = entry.name.text
            guard name.allSatisfy(\.isNumber), let line = try? readText("/proc/\(name)/cmdline"),
                line.hasPrefix("sleep\0424")
            else { return false }
            return ((try? readText("/proc/\(name)/cgroup")) ?? "").contains(daemon.cgroup)
        }
    }
}
