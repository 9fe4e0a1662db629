import CLinux
import Linux
import Testing

/// Which containers come back by themselves: after their own end, and after the daemon's.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct RestartPolicyTests {
    private func state(_ cli: Session, _ name: String) async throws -> String {
        try await cli.must("inspect", "-f", "{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}", name).line
    }

    @Test(arguments: Client.allCases) func aFailureIsTriedAgainAsOftenAsAllowed(client: Client) async throws {
        try await client.session { cli in
            try await cli.must(
                "run", "-d", "--name", "fails", "--restart", "on-failure:2", "busybox", "sh", "-c", "echo run; exit 5")
            try await cli.must(
                "run", "-d", "--name", "ends", "--restart", "on-failure:2", "busybox", "sh", "-c", "echo run")
            try await cli.must("run", "-d", "--name", "never", "--restart", "no", "busybox", "sh", "-c", "exit 5")
            try await eventually("the last try") { try await state(cli, "fails") == "exited 2 5" }
            #expect(try await cli.must("logs", "fails").output == "run\nrun\nrun\n")
            #expect(try await cli.must("wait", "ends").line == "0")
            #expect(try await state(cli, "ends") == "exited 0 0")
            #expect(try await cli.must("wait", "never").line == "5")
            #expect(try await state(cli, "never") == "exited 0 5")
            // A person's start begins to count anew.
            try await cli.must("start", "fails")
            try await eventually("the tries after that") { try await state(cli, "fails") == "exited 2 5" }
        }
    }

    @Test(arguments: Client.allCases) func alwaysIsUntilSomebodyStopsIt(client: Client) async throws {
        try await client.session { cli in
            try await cli.must(
                "run", "-d", "--name", "boat", "--restart", "always", "busybox", "sh", "-c", "echo run; sleep 0.05")
            try await eventually("two restarts") { try await cli("logs", "boat").lines.count >= 3 }
            try await cli.must("stop", "-t", "0", "boat")
            #expect(try await cli.must("inspect", "-f", "{{.State.Status}}", "boat").line == "exited")
            let runs = try await cli.must("logs", "boat").lines.count
            #expect(try await cli.must("logs", "boat").lines.count == runs)
            // Killed from outside is no stop that somebody asked for; killed through the engine is.
            try await cli.must("run", "-d", "--name", "ship", "--restart", "always", "busybox", "sleep", "1000")
            let pid = try await cli.must("inspect", "-f", "{{.State.Pid}}", "ship").line
            try sendSignal(9, to: try #require(pid_t(pid)))
            try await eventually("the restart") { try await state(cli, "ship") == "running 1 0" }
            try await cli.must("kill", "ship")
            #expect(try await state(cli, "ship").hasPrefix("exited"))
        }
    }

    @Test func aDaemonBringsBackWhatItShould() async throws {
        try await Client.skiff.session { cli in
            for policy in ["no", "always", "unless-stopped", "on-failure"] {
                for name in ["\(policy)-runs", "\(policy)-stopped"] {
                    try await cli.must("run", "-d", "--name", name, "--restart", policy, "busybox", "sleep", "1000")
                }
                try await cli.must("stop", "-t", "0", "\(policy)-stopped")
            }
            // The machine goes down: daemon, shims and containers at once.
            try await cli.daemon.stop(SIGKILL)
            try await cli.daemon.endContainers()
            try await cli.daemon.start()
            let expected = ["always-runs", "always-stopped", "on-failure-runs", "unless-stopped-runs"]
            try await eventually("those with a policy to run") {
                try await cli.must("ps", "--format", "{{.Names}}").lines.sorted() == expected
            }
            for name in ["no-runs", "no-stopped", "unless-stopped-stopped", "on-failure-stopped"] {
                #expect(try await state(cli, name).hasPrefix("exited"), "\(name)")
            }
        }
    }
}

extension PrivateDaemon {
    /// Kills the processes of this daemon's containers and their shims, as a machine that loses power does.
    func endContainers() async throws {
        @Sendable func mine() -> [pid_t] {
            guard let directory = try? open("/proc", O_RDONLY | O_DIRECTORY) else { return [] }
            return ((try? readDirectory(directory.raw)) ?? []).compactMap { pid_t($0.name.text) }.filter { pid in
                ((try? readText("/proc/\(pid)/cgroup")) ?? "").contains(cgroup + "/")
                    || ((try? readText("/proc/\(pid)/cmdline")) ?? "").contains(home + "/run")
            }
        }
        for pid in mine() where pid != getpid() { try? sendSignal(SIGKILL, to: pid) }
        try await eventually("the containers to be gone") { mine().isEmpty }
    }
}
