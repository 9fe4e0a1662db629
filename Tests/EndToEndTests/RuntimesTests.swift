import CLinux
import Linux
import Testing

/// `--runtime NAME`: containers made by another OCI runtime's program behind the same shim.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct RuntimesTests {
    /// crun takes cgroup v1 or v2, but not v2 with controllers of its own beside v1.
    private static let isDivided =
        (try? readText("/sys/fs/cgroup/unified/cgroup.controllers"))?.contains(where: \.isLetter) == true

    @Test(
        .enabled(if: Program.find("crun") != nil, "crun is not installed"),
        .enabled(if: !isDivided, "crun does not run where cgroup v2 has controllers beside v1"))
    func underCrun() async throws {
        try await Self.everythingWorks(under: try #require(Program.find("crun")))
    }

    @Test(.enabled(if: Program.find("runc") != nil, "runc is not installed")) func underRunc() async throws {
        try await Self.everythingWorks(under: try #require(Program.find("runc")))
    }

    /// Our own command line is an OCI runtime like any other.
    @Test func underSkiffsOwnProgram() async throws {
        try await Self.everythingWorks(under: Program.builds + "/skiff-runtime")
    }

    static func everythingWorks(under program: String) async throws {
        let flags = ["--add-runtime", "other=\(program)"]
        try await PrivateDaemon.with(flags) { daemon in
            try await shortRuns(daemon)
            try await aServiceAndItsExecs(daemon, flags)
            try await whatCannotStart(daemon)
        }
    }

    private static func shortRuns(_ daemon: PrivateDaemon) async throws {
        let run = ["run", "--rm", "--runtime", "other"]
        let both = try await daemon.skiff(run + ["busybox", "sh", "-c", "echo out; echo err >&2; exit 7"])
        #expect(both.output == "out\n" && both.errors == "err\n" && both.code == 7)
        #expect(
            try await daemon.must("run", "--rm", "-i", "--runtime", "other", "busybox", "cat", input: "in and out")
                .output == "in and out")
        let terminal = try await daemon.skiff(run + ["-t", "busybox", "sh", "-c", "test -t 1 && echo a terminal"])
        #expect(terminal.output == "a terminal\r\n" && terminal.code == 0, "\(terminal.errors)")
        let killed = try await daemon.skiff(run + ["busybox", "sh", "-c", "kill -9 $$; sleep 5"])
        // The kernel spares process 1 its own signals.
        #expect(killed.code == 0 || killed.code == 137)
        let inside = try await daemon.must(
            "run", "--rm", "--runtime", "other", "-m", "64m", "--pids-limit", "50", "-u", "www", "-e", "BOAT=skiff",
            "-h",
            "boat", "--read-only", "-w", "/tmp", "--tmpfs", "/scratch", "busybox", "sh", "-c",
            """
            cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
            id -u; id -G; echo $BOAT; hostname; pwd; echo $$; touch /x 2>&1; grep Seccomp: /proc/self/status
            for n in $(seq 600); do grep -q up /sys/class/net/eth0/operstate && break; sleep 0.1; done
            cat /sys/class/net/eth0/operstate
            """
        ).lines
        #expect(inside[0] == "67108864")
        #expect(inside[1] == "33")
        #expect(inside[2].split(separator: " ").contains("44"))
        #expect(inside[3...6] == ["skiff", "boat", "/tmp", "1"])
        #expect(inside[7].contains("Read-only file system"))
        #expect(inside[8].hasSuffix("2"))
        #expect(inside[9] == "up")
    }

    private static func aServiceAndItsExecs(_ daemon: PrivateDaemon, _ flags: [String]) async throws {
        let service = "trap 'echo ending; exit 4' TERM; echo ready; while :; do sleep 0.1; done"
        try await daemon.must("run", "-d", "--name", "svc", "--runtime", "other", "busybox", "sh", "-c", service)
        #expect(try await daemon.must("inspect", "-f", "{{.HostConfig.Runtime}}", "svc").line == "other")
        try await eventually("the service to be ready") { try await daemon.skiff("logs", "svc").output == "ready\n" }
        let exec = try await daemon.skiff(
            "exec", "-e", "A=1", "-w", "/tmp", "-u", "www", "svc", "sh", "-c", "echo $A; pwd; id -u; exit 3")
        #expect(exec.output == "1\n/tmp\n33\n" && exec.code == 3)
        let terminal = try await daemon.skiff("exec", "-t", "svc", "sh", "-c", "test -t 0 && echo tty")
        #expect(terminal.output == "tty\r\n")
        let input = try await daemon.must("exec", "-i", "svc", "cat", input: "to an exec")
        #expect(input.output == "to an exec")
        let missing = try await daemon.skiff("exec", "svc", "nosuchprogram")
        #expect(missing.code == 127, "\(missing.errors)")
        let id = try await daemon.must("inspect", "-f", "{{.Id}}", "svc").line
        let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", "svc").line
        #expect(try readText("/proc/\(pid)/cgroup").contains(daemon.group(of: id)))
        try await daemon.must("pause", "svc")
        #expect(try await daemon.must("ps", "--filter", "name=svc", "--format", "{{.Status}}").line.contains("Paused"))
        try await daemon.must("unpause", "svc")
        #expect(try await daemon.must("top", "svc").output.contains("sleep 0.1"))

        // The daemon goes and comes back: the container is none of the runtime's business in between.
        try await daemon.stop(SIGKILL)
        try await daemon.start(flags)
        #expect(try await daemon.must("exec", "svc", "echo", "still here").line == "still here")
        try await daemon.must("stop", "-t", "60", "svc")
        #expect(try await daemon.must("inspect", "-f", "{{.State.ExitCode}}", "svc").line == "4")
        #expect(try await daemon.must("logs", "svc").output == "ready\nending\n")
        try await daemon.must("start", "svc")
        try await daemon.must("kill", "svc")
        #expect(try await daemon.must("wait", "svc").line == "137")
        try await daemon.must("rm", "svc")
    }

    private static func whatCannotStart(_ daemon: PrivateDaemon) async throws {
        for (program, code) in [("nosuchprogram", 127), ("/nowhere/at/all", 127), ("/etc/passwd", 126)]
            as [(String, Int32)]
        {
            let failed = try await daemon.skiff("run", "--rm", "--runtime", "other", "busybox", program)
            #expect(failed.code == code, "\(failed.errors)")
            // crun does not name what it may not open.
            #expect(
                failed.errors.contains(program) || failed.errors.contains("open executable: Permission denied"),
                "\(failed.errors)")
        }
        let unknown = try await daemon.skiff("run", "--rm", "--runtime", "nobody", "busybox", "true")
        #expect(unknown.code == 125 && unknown.errors.contains("unknown or invalid runtime name: nobody"))
        #expect(try await daemon.must("ps", "-aq").output.isEmpty)
    }
}

/// What a runtime that is not there, or is none, is answered with.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct BrokenRuntimesTests {
    @Test func whatIsNoRuntimeIsNamed() async throws {
        try await PrivateDaemon.with([
            "--add-runtime", "gone=/nowhere/runtime", "--add-runtime", "true=/bin/true", "--add-runtime",
            "false=/bin/false",
        ]) { daemon in
            for name in ["gone", "true", "false"] {
                let failed = try await daemon.skiff("run", "--rm", "--runtime", name, "busybox", "true")
                #expect(failed.code >= 125, "\(name): \(failed.errors)")
                #expect(
                    failed.errors.contains(name == "gone" ? "/nowhere/runtime" : "/bin/\(name)"), "\(failed.errors)")
            }
            #expect(try await daemon.must("ps", "-aq").output.isEmpty)
        }
    }

    /// `runtimes` of `daemon.json`, as dockerd has it.
    @Test func argumentsOfTheFileStandBeforeTheVerb() async throws {
        let runtime = Program.builds + "/skiff-runtime"
        // A shell that becomes the runtime: it does so only where its own arguments come first.
        let configuration = """
            {"runtimes": {"other": {"path": "/bin/sh", "runtimeArgs": ["-c", "exec $0 \\"$@\\"", "\(runtime)"]}}}
            """
        try await PrivateDaemon.with(configuration: configuration) { daemon in
            let run = try await daemon.skiff("run", "--rm", "--runtime", "other", "busybox", "sh", "-c", "exit 9")
            #expect(run.code == 9, "\(run.errors)")
            let shown = try await daemon.must("info", "-f", "{{json .Runtimes}}").output
            #expect(shown.contains("\"runtimeArgs\":[\"-c\","), "\(shown)")
        }
    }

    @Test(arguments: [
        ("{\"runtimeType\": \"io.containerd.runsc.v1\"}", "runtimes.x.runtimeType is not supported"),
        ("{\"path\": \"/bin/sh\", \"runtimeArgs\": [1]}", "runtimes.x.runtimeArgs must be a list of strings"),
        ("{\"runtimeArgs\": []}", "runtimes.x needs the path of a program"),
        ("{\"path\": \"runsc\"}", "the runtime x needs an absolute path"),
        ("\"/bin/sh\"", "runtimes.x must be an object"),
    ])
    func whatCannotBeMeantIsRefused(runtime: String, words: String) async throws {
        let file = "/tmp/skiff-e2e-runtimes.\(getpid()).json"
        try writeFile(file, Array("{\"runtimes\": {\"x\": \(runtime)}}".utf8))
        defer { try? unlink(file) }
        let checked = try await Program.run(Program.builds + "/skiffd", ["--validate", "--config-file", file])
        #expect(checked.code != 0 && checked.errors.contains(words), "\(checked)")
    }
}
