import CLinux
import Linux
import Testing

/// Containers that gVisor makes behind the same shim: their processes are not the host's, a kernel of its own runs them.
///
/// What is started, signalled or paused is then inside the one process that the host sees, and only `runsc` reaches it.
@Suite(
    .serialized, .enabled(if: isRoot, "an engine needs root"),
    .enabled(if: GVisor.works, "runsc is not installed, or does not run on this kernel"))
struct SandboxedRuntimeTests {
    private static let service = "trap 'echo ending; exit 4' TERM; echo ready; while :; do sleep 0.1; done"

    private func with(_ body: (PrivateDaemon) async throws -> Void) async throws {
        try await PrivateDaemon.with(configuration: GVisor.configuration, body)
    }

    @Test func streamsAndExitCodesComeOutOfTheSandbox() async throws {
        try await with { daemon in
            let run = ["run", "--rm", "--runtime", "runsc"]
            let kernel = try await daemon.skiff(run + ["busybox", "dmesg"])
            #expect(kernel.output.contains("gVisor"), "\(kernel)")
            let both = try await daemon.skiff(run + ["busybox", "sh", "-c", "echo out; echo err >&2; exit 7"])
            #expect(both.output == "out\n" && both.errors == "err\n" && both.code == 7)
            #expect(
                try await daemon.must("run", "--rm", "-i", "--runtime", "runsc", "busybox", "cat", input: "in and out")
                    .output == "in and out")
            let terminal = try await daemon.skiff(run + ["-t", "busybox", "sh", "-c", "test -t 1 && echo a terminal"])
            #expect(terminal.output == "a terminal\r\n" && terminal.code == 0)
            let inside = try await daemon.skiff(
                run + [
                    "-u", "www", "-e", "BOAT=skiff", "-h", "boat", "--read-only", "-w", "/tmp", "--tmpfs", "/scratch",
                    "busybox", "sh", "-c", "id -u; id -G; echo $BOAT; hostname; pwd; touch /x 2>&1; echo >/scratch/y",
                ])
            #expect(
                inside.lines == ["33", "33 44", "skiff", "boat", "/tmp", "touch: /x: Read-only file system"],
                "\(inside)")
        }
    }

    @Test func signalsReachTheProgramAndNotTheSandbox() async throws {
        try await with { daemon in
            try await daemon.must(
                "run", "-d", "--name", "svc", "--runtime", "runsc", "busybox", "sh", "-c", Self.service)
            try await eventually("the service to be ready") {
                try await daemon.skiff("logs", "svc").output == "ready\n"
            }
            try await daemon.must("stop", "-t", "60", "svc")
            #expect(try await daemon.must("inspect", "-f", "{{.State.ExitCode}}", "svc").line == "4")
            #expect(try await daemon.must("logs", "svc").output == "ready\nending\n")
            try await daemon.must("start", "svc")
            try await daemon.must("kill", "svc")
            #expect(try await daemon.must("wait", "svc").line == "137")

            // One that stands still is ended all the same.
            try await daemon.must("start", "svc")
            try await daemon.must("pause", "svc")
            #expect(try await daemon.must("ps", "--format", "{{.Status}}").line.contains("Paused"))
            try await daemon.must("kill", "svc")
            #expect(try await daemon.must("wait", "svc").line == "137")
            try await daemon.must("start", "svc")
            try await daemon.must("pause", "svc")
            try await daemon.must("unpause", "svc")
            #expect(try await daemon.must("exec", "svc", "echo", "goes on").line == "goes on")
            try await daemon.must("rm", "-f", "svc")
        }
    }

    @Test func execsRunInTheSandbox() async throws {
        try await with { daemon in
            try await daemon.must(
                "run", "-d", "--name", "svc", "--runtime", "runsc", "busybox", "sh", "-c", Self.service)
            let exec = try await daemon.skiff(
                "exec", "-e", "A=1", "-w", "/tmp", "-u", "www", "svc", "sh", "-c",
                "echo $A; pwd; id -u; dmesg | grep -c gVisor; exit 3")
            #expect(exec.output == "1\n/tmp\n33\n1\n" && exec.code == 3, "\(exec)")
            let terminal = try await daemon.skiff("exec", "-t", "svc", "sh", "-c", "test -t 0 && echo tty")
            #expect(terminal.output == "tty\r\n")
            #expect(try await daemon.must("exec", "-i", "svc", "cat", input: "to an exec").output == "to an exec")
            let missing = try await daemon.skiff("exec", "svc", "nosuchprogram")
            #expect(missing.code == 127, "\(missing)")

            try await daemon.stop(SIGKILL)
            try await daemon.start()
            #expect(try await daemon.must("exec", "svc", "echo", "still here").line == "still here")
            try await daemon.must("rm", "-f", "svc")
        }
    }

    @Test func theNetworkAndItsPortsAreTheContainers() async throws {
        try await with { daemon in
            try await daemon.must(
                "run", "-d", "--name", "web", "--runtime", "runsc", "busybox", "sh", "-c",
                "while :; do echo hello | nc -l -p 80; done")
            let address = try await daemon.must(
                "inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", "web"
            ).line
            try await eventually("an answer over the bridge, from one sandbox to another") {
                try await daemon.skiff(
                    "run", "--rm", "--runtime", "runsc", "busybox", "nc", "-w", "5", address, "80"
                ).output == "hello\n"
            }
            try await daemon.must("rm", "-f", "web")
        }
    }

    @Test func whatCannotStartIsSaid() async throws {
        try await with { daemon in
            for program in ["nosuchprogram", "/nowhere/at/all"] {
                let failed = try await daemon.skiff("run", "--rm", "--runtime", "runsc", "busybox", program)
                #expect(failed.code == 127, "\(failed)")
                #expect(failed.errors.contains(program), "\(failed)")
            }
            #expect(try await daemon.must("ps", "-aq").output.isEmpty)
        }
    }
}

/// gVisor's OCI runtime, as Debian has it.
private enum GVisor {
    static let path = Program.find("runsc")

    /// What needs nothing of the host.
    ///
    /// ptrace works without /dev/kvm. "host" is the network namespace that the container is given: gVisor's own network stack
    /// of that version (2022) takes every namespace of a kernel as new as 6.18 for the host's, and refuses it.
    static let configuration = """
        {"runtimes": {"runsc": {"path": "\(path ?? "")", "runtimeArgs": ["--platform=ptrace", "--network=host"]}}}
        """

    /// Whether it can run anything here.
    static let works: Bool = {
        guard isRoot, let path, let truth = Program.find("true") else { return false }
        let attempt = Spawn(path, arguments: [path, "--platform=ptrace", "--network=none", "do", truth])
        guard let pid = try? attempt.start(), let end = try? PidFD(pid).wait() else { return false }
        return end == .exited(0)
    }()
}
