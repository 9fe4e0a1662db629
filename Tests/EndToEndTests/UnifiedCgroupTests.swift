import Linux
import Testing

/// What only a host with cgroup v2 alone can show.
///
/// Where the host has v1 hierarchies, `make vm-test` boots a machine that has none.
@Suite(
    .serialized,
    .enabled(
        if: isRoot && exists("/sys/fs/cgroup/cgroup.controllers"), "cgroup v2 is not what this host has: make vm-test"))
struct UnifiedCgroupTests {
    /// A container's group, and what its files say without the line end.
    private struct Group {
        let path: String
        init(_ daemon: PrivateDaemon, _ id: String) { path = "/sys/fs/cgroup\(daemon.cgroup)/\(id)" }

        func says(_ file: String) throws -> String {
            try readText("\(path)/\(file)").split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .joined(separator: "\n")
        }

        /// A line of a file of counters, such as `frozen 1`.
        func counts(_ file: String, _ line: String) throws -> Bool {
            try readText("\(path)/\(file)").split(separator: "\n").contains { $0 == line }
        }
    }

    @Test func limitsAreWhatTheFilesOfTheGroupSay() async throws {
        try await PrivateDaemon.with { daemon in
            let id = try await daemon.must(
                "run", "-d", "--name", "boat", "-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m",
                "--cpus", "0.5", "--cpu-shares", "1024", "--cpuset-cpus", "0", "--pids-limit", "50", "busybox", "sleep",
                "1000"
            ).line
            let group = Group(daemon, id)
            for (file, value) in [
                ("memory.max", "67108864"), ("memory.swap.max", "33554432"), ("memory.low", "33554432"),
                ("cpu.max", "50000 100000"), ("cpu.weight", "100"), ("cpuset.cpus", "0"), ("pids.max", "50"),
            ] {
                let said = try group.says(file)
                #expect(said == value, "\(file)")
            }

            let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", "boat").line
            #expect(try readText("/proc/\(pid)/cgroup") == "0::\(daemon.cgroup)/\(id)\n")
            let inside = try await daemon.must(
                "exec", "boat", "sh", "-c",
                "cat /proc/self/cgroup /sys/fs/cgroup/memory.max; grep -c . /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x 2>&1 || true"
            ).lines
            #expect(inside[0] == "0::/", "what enters sees the group as its root")
            #expect(inside[1] == "67108864")
            #expect(inside[2] == "3", "the program, the shell and grep")
            #expect(inside[3].contains("Read-only file system"))

            try await daemon.must("rm", "-f", "boat")
            #expect(!exists(group.path))
            #expect(try await daemon.must("info", "-f", "{{.CgroupVersion}}").line == "2")
        }
    }

    @Test func pausingFreezesTheGroupAndTheFrozenCanBeKilled() async throws {
        try await PrivateDaemon.with { daemon in
            let id = try await daemon.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000").line
            let group = Group(daemon, id)
            try await daemon.must("pause", "boat")
            #expect(try group.says("cgroup.freeze") == "1")
            #expect(try group.counts("cgroup.events", "frozen 1"))
            #expect(try await daemon.skiff("exec", "boat", "true").code != 0)
            try await daemon.must("unpause", "boat")
            #expect(try group.counts("cgroup.events", "frozen 0"))
            #expect(try await daemon.must("exec", "boat", "echo", "again").output == "again\n")
            try await daemon.must("pause", "boat")
            try await daemon.must("rm", "-f", "boat")
            #expect(!exists(group.path))
        }
    }

    @Test func memoryThatRunsOutIsReported() async throws {
        try await PrivateDaemon.with { daemon in
            let ended = try await daemon.skiff(
                "run", "--name", "glutton", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
                "x=abcdefgh; while :; do x=$x$x; done")
            #expect(ended.code == 137)
            #expect(
                try await daemon.must("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "glutton").line
                    == "true 137")
            try await daemon.must("run", "--name", "modest", "-m", "16m", "busybox", "true")
            #expect(try await daemon.must("inspect", "-f", "{{.State.OOMKilled}}", "modest").line == "false")
        }
    }

    @Test func aChildThatRunsOutOfMemoryIsCountedWhileTheContainerLives() async throws {
        try await PrivateDaemon.with { daemon in
            let id = try await daemon.must(
                "run", "-d", "--name", "boat", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
                "(x=abcdefgh; while :; do x=$x$x; done); echo survived; sleep 1000"
            ).line
            try await eventually("the child's end") { try await daemon.skiff("logs", "boat").output == "survived\n" }
            #expect(try Group(daemon, id).counts("memory.events", "oom_kill 1"))
            // The shim hears of it from the kernel, and the daemon from the shim.
            try await eventually("the event") {
                try await daemon.must(
                    "events", "--since", "0", "--until", "0s", "--filter", "event=oom", "--format", "{{.Action}}"
                ).lines == ["oom"]
            }
        }
    }

    @Test func moreProcessesThanAllowedAreRefused() async throws {
        try await PrivateDaemon.with { daemon in
            let refused = try await daemon.skiff(
                "run", "--rm", "--pids-limit", "3", "busybox", "sh", "-c",
                "sleep 5 & sleep 5 & sleep 5 & sleep 5 & echo all of them")
            #expect(!refused.output.contains("all of them"))
            #expect(refused.errors.contains("can't fork"))
        }
    }

    /// The device rules are a program that the kernel runs; there is no file to see them in.
    @Test func onlyListedDevicesCanBeOpened() async throws {
        try await PrivateDaemon.with { daemon in
            // /dev/vcs, 7:0: harmless, on every machine with a screen, and in nobody's list.
            let script = """
                mknod /tmp/screen c 7 0 && echo made
                head -c 1 /tmp/screen >/dev/null 2>/tmp/said && echo read || cat /tmp/said
                mknod /tmp/zero c 1 5 && head -c 3 /tmp/zero | wc -c
                mknod /tmp/loop b 7 0 && cat /tmp/loop 2>&1
                true
                """
            let without = try await daemon.must("run", "--rm", "busybox", "sh", "-c", script).lines
            #expect(without[0] == "made")
            #expect(without[1].contains("Operation not permitted"))
            #expect(without[2] == "3")
            #expect(without[3].contains("Operation not permitted"))
            let privileged = try await daemon.must("run", "--rm", "--privileged", "busybox", "sh", "-c", script).lines
            #expect(privileged[1] == "read")
            let readOnly = try await daemon.must(
                "run", "--rm", "--device", "/dev/vcs:/dev/screen:r", "busybox", "sh", "-c",
                "head -c 1 /dev/screen >/dev/null && echo read; echo > /dev/screen && echo written; true")
            #expect(readOnly.output == "read\n")
            #expect(readOnly.errors.contains("Operation not permitted"))
        }
    }

    @Test func whatSharesTheHostsProcessesIsKilledByItsGroup() async throws {
        try await PrivateDaemon.with { daemon in
            let id = try await daemon.must(
                "run", "-d", "--name", "boat", "--pid", "host", "busybox", "sh", "-c",
                "sleep 1000 & sleep 1000 & echo ready; wait"
            ).line
            try await eventually("the children") { try await daemon.skiff("logs", "boat").output == "ready\n" }
            let members = try readText(Group(daemon, id).path + "/cgroup.procs").split(separator: "\n")
            #expect(members.count == 3)
            try await daemon.must("kill", "boat")
            try await daemon.must("rm", "-f", "boat")
            #expect(!exists(Group(daemon, id).path))
            for member in members { #expect(!exists("/proc/\(member)/exe"), "\(member) has ended") }
        }
    }

    /// As systemd, or another engine, in a container does.
    @Test func aContainerThatDividesItsGroupIsEnteredAndRemoved() async throws {
        try await PrivateDaemon.with { daemon in
            let id = try await daemon.must(
                "run", "-d", "--name", "boat", "--privileged", "busybox", "sh", "-c",
                """
                cd /sys/fs/cgroup && mkdir -p inner/most && echo 0 > inner/cgroup.procs
                echo +memory +pids > cgroup.subtree_control && echo divided; sleep 1000
                """
            ).line
            try await eventually("the division") { try await daemon.skiff("logs", "boat").output == "divided\n" }
            // A group that hands controllers on may hold no process itself: who enters goes where the first process is.
            #expect(
                try await daemon.must("exec", "boat", "cat", "/proc/self/cgroup").output == "0::/inner\n")
            try await daemon.must("pause", "boat")
            #expect(try Group(daemon, id).counts("inner/cgroup.events", "frozen 1"))
            try await daemon.must("unpause", "boat")
            #expect(try await daemon.must("top", "boat").lines.count > 1)
            try await daemon.must("rm", "-f", "boat")
            #expect(!exists(Group(daemon, id).path))
        }
    }

    @Test func theHostsViewOfGroupsCanBeAskedFor() async throws {
        try await PrivateDaemon.with { daemon in
            let seen = try await daemon.must(
                "run", "--rm", "--cgroupns", "host", "busybox", "sh", "-c",
                "cat /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs"
            ).lines
            #expect(seen[0].hasPrefix("0::\(daemon.cgroup)/"))
            #expect(seen[1] == "/sys/fs/cgroup/cgroup.procs")
        }
    }
}
