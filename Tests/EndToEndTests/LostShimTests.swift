import CLinux
import Linux
import Testing

/// The supervisor of a container is killed: alone, or with the daemon.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct LostShimTests {
    /// The container's first process and the shim above it.
    private func processes(_ daemon: PrivateDaemon, _ name: String) async throws -> (process: pid_t, shim: pid_t) {
        let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", name).line
        let status = try readText("/proc/\(pid)/status").split(separator: "\n")
        let parent = try #require(status.first { $0.hasPrefix("PPid:") }?.split(whereSeparator: \.isWhitespace).last)
        return (try #require(pid_t(pid)), try #require(pid_t(String(parent))))
    }

    private func hasEnded(_ pid: pid_t) -> Bool {
        // One that nobody has reaped has ended as well.
        guard let status = try? readText("/proc/\(pid)/status") else { return true }
        return status.contains("State:\tZ")
    }

    @Test func aContainerWhoseShimIsKilledHasEndedAndSaysWhy() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must("run", "-d", "--name", "orphan", "-p", "0:80", "busybox", "sleep", "1000")
            async let waiting = daemon.skiff("wait", "orphan")
            async let inside = daemon.skiff("exec", "orphan", "sleep", "1000")
            let (process, shim) = try await processes(daemon, "orphan")
            try await eventually("the exec to run") {
                try await daemon.must("top", "orphan").lines.count { $0.contains("sleep 1000") } == 2
            }
            #expect(kill(shim, SIGKILL) == 0)
            #expect(try await waiting.line == "137")
            #expect(try await inside.code == 137)
            // It is out of its cgroup; the kernel may still be at its last steps.
            try await eventually("the process to be gone") { hasEnded(process) }
            let state = try await daemon.must(
                "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}} {{.State.Error}}", "orphan"
            ).line
            #expect(state.hasPrefix("exited 137 0 ") && state.contains("supervise"), "\(state)")
            try await Inventory(daemon: daemon).check("after the end of a shim")
            try await daemon.must("start", "orphan")
            #expect(try await daemon.must("exec", "orphan", "echo", "again").line == "again")
            #expect(try await daemon.must("inspect", "-f", "{{.State.Error}}", "orphan").line.isEmpty)
        }
    }

    @Test func aRestartPolicyBringsItBack() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must("run", "-d", "--name", "phoenix", "--restart", "always", "busybox", "sleep", "1000")
            let (process, shim) = try await processes(daemon, "phoenix")
            #expect(kill(shim, SIGKILL) == 0)
            try await eventually("the container to run again") {
                let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", "phoenix").line
                return pid != "0" && pid != "\(process)"
            }
            try await eventually("the first process to be gone") { hasEnded(process) }
            try await Inventory(daemon: daemon).check("after a restart by policy")
        }
    }

    @Test func bothKilledLeaveNothingThatRuns() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must("run", "-d", "--name", "lost", "-p", "0:80", "busybox", "sleep", "1000")
            try await daemon.must("run", "-d", "--name", "gone", "--rm", "busybox", "sleep", "1000")
            try await daemon.must("run", "-d", "--name", "kept", "busybox", "sleep", "1000")
            let lost = try await processes(daemon, "lost")
            let gone = try await processes(daemon, "gone")
            try await daemon.stop(SIGKILL)
            for shim in [lost.shim, gone.shim] { #expect(kill(shim, SIGKILL) == 0) }
            try await daemon.start()
            let state = try await daemon.must(
                "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}", "lost"
            ).line
            #expect(state.hasPrefix("exited 255 ") && state.contains("not known"), "\(state)")
            try await eventually("the processes to be gone") { hasEnded(lost.process) && hasEnded(gone.process) }
            try await eventually("auto-removal") { try await daemon.skiff("inspect", "gone").code != 0 }
            #expect(try await daemon.must("exec", "kept", "echo", "alive").line == "alive")
            try await Inventory(daemon: daemon).check("daemon and shims killed")
            try await daemon.must("start", "lost")
            #expect(try await daemon.must("exec", "lost", "echo", "again").line == "again")
        }
    }
}
