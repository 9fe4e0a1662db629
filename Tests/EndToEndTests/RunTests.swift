import Linux
import Testing

/// `run` and what becomes of a container, through Skiff's own command line.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct RunTests {
    @Test func aProgramRunsIsolatedAndItsCodeComesBack() async throws {
        try await PrivateDaemon.with { daemon in
            #expect(try await daemon.must("run", "--rm", "busybox", "echo", "hello").output == "hello\n")
            #expect(try await daemon.skiff("run", "--rm", "busybox", "sh", "-c", "exit 7").code == 7)
            let view = try await daemon.must(
                "run", "--rm", "-h", "boat", "busybox", "sh", "-c",
                "hostname; echo $$; ls /proc/self/fd | wc -l; grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; cat /proc/sys/kernel/hostname; touch /sys/x 2>&1; id -u"
            ).lines
            #expect(view[0] == "boat")
            #expect(view[1] == "1")
            #expect(view[3].contains("00000000a80425fb"))
            #expect(view[4].hasSuffix("2"))
            #expect(view[6].contains("Read-only file system"))
            let errors = try await daemon.skiff("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2")
            #expect(errors.output == "out\n")
            #expect(errors.errors == "err\n")
            #expect(
                try await daemon.must("run", "--rm", "-i", "busybox", "cat", input: "in and out").output == "in and out"
            )
            #expect(try await daemon.must("ps", "-aq").output.isEmpty)
        }
    }

    @Test func failuresHaveDockersCodesAndWords() async throws {
        try await PrivateDaemon.with { daemon in
            let missing = try await daemon.skiff("run", "--rm", "busybox", "nosuchprogram")
            #expect(missing.code == 127)
            #expect(missing.errors.contains("executable file not found"))
            let denied = try await daemon.skiff("run", "--rm", "busybox", "/etc/passwd")
            #expect(denied.code == 126)
            #expect(denied.errors.contains("permission denied"))
            let unknown = try await daemon.skiff("run", "--rm", "--frobnicate", "busybox")
            #expect(unknown.code == 125)
            #expect(unknown.errors.contains("--frobnicate"))
            try await daemon.must("run", "-d", "--name", "taken", "busybox", "sleep", "1000")
            let taken = try await daemon.skiff("run", "--name", "taken", "busybox")
            #expect(taken.code == 125)
            #expect(taken.errors.contains("is already in use by container"))
            let running = try await daemon.skiff("rm", "taken")
            #expect(running.code == 1)
            #expect(running.errors.contains("stop the container before removing or force remove"))
            let nobody = try await daemon.skiff("inspect", "nobody-here")
            #expect(nobody.code == 1)
            #expect(nobody.errors.lowercased().contains("no such"))
        }
    }

    @Test func limitsUsersEnvironmentAndMountsArriveInside() async throws {
        try await PrivateDaemon.with { daemon in
            let inside = try await daemon.must(
                "run", "--rm", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "-u", "www", "-e", "BOAT=skiff",
                "-w", "/made/here",
                "--tmpfs", "/scratch:size=1m", "--add-host", "harbour:10.9.8.7", "--read-only", "busybox", "sh", "-c",
                """
                cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
                cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null
                id -u; id -G; echo $BOAT; pwd; grep harbour /etc/hosts; df -m /scratch | tail -1 | awk '{print $2}'
                touch /x 2>&1
                true
                """
            ).lines
            #expect(inside[0] == "67108864")
            #expect(inside[1] == "50")
            #expect(inside[2] == "33")
            #expect(inside[3].split(separator: " ").contains("44"))
            #expect(inside[4] == "skiff")
            #expect(inside[5] == "/made/here")
            #expect(inside[6].contains("10.9.8.7"))
            #expect(inside[7] == "1")
            #expect(inside[8].contains("Read-only file system"))

            try await daemon.must("volume", "create", "cargo")
            try await daemon.must("run", "--rm", "-v", "cargo:/etc", "busybox", "sh", "-c", "echo kept > /etc/note")
            let kept = try await daemon.must(
                "run", "--rm", "-v", "cargo:/v:ro", "busybox", "sh", "-c",
                "cat /v/note; ls /v/passwd; touch /v/x 2>&1 || true")
            #expect(kept.lines[0] == "kept")
            #expect(kept.lines[1] == "/v/passwd", "an empty volume takes over what the image has there")
            #expect(kept.output.contains("Read-only file system"))
            try writeFile(daemon.home + "/from-host", Array("host\n".utf8))
            let bound = try await daemon.must(
                "run", "--rm", "--mount", "type=bind,source=\(daemon.home)/from-host,target=/in", "busybox", "cat",
                "/in")
            #expect(bound.output == "host\n")
        }
    }

    @Test func aContainerIsStoppedRestartedExecutedInAndItsLogIsKept() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must(
                "run", "-d", "--name", "boat", "busybox", "sh", "-c",
                "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done")
            try await eventually("the log") { try await daemon.skiff("logs", "boat").output == "ready\n" }
            #expect(try await daemon.must("exec", "boat", "sh", "-c", "echo in $$ >&2; exit 0").errors.hasPrefix("in "))
            #expect(try await daemon.skiff("exec", "boat", "sh", "-c", "exit 9").code == 9)
            #expect(try await daemon.must("exec", "-i", "boat", "cat", input: "piped").output == "piped")
            #expect(try await daemon.skiff("exec", "boat", "nosuchprogram").code == 127)
            try await daemon.must("stop", "-t", "60", "boat")
            #expect(
                try await daemon.must("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", "boat").line
                    == "3 exited")
            #expect(try await daemon.must("logs", "boat").output == "ready\nbye\n")
            try await daemon.must("start", "boat")
            try await eventually("the second run's log") {
                try await daemon.skiff("logs", "--tail", "1", "boat").output == "ready\n"
            }
            try await daemon.must("kill", "boat")
            #expect(try await daemon.must("wait", "boat").line == "137")
            let stamped = try await daemon.must("logs", "-t", "--tail", "1", "boat").line
            #expect(stamped.contains("T") && stamped.contains("Z "))
            try await daemon.must("rm", "boat")
        }
    }

    @Test func aRestartPolicyBringsAContainerBack() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must(
                "run", "-d", "--name", "phoenix", "--restart", "on-failure:2", "busybox", "sh", "-c", "echo run; exit 1"
            )
            try await eventually("two restarts") {
                try await daemon.skiff("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "phoenix").line
                    == "2 exited"
            }
            #expect(try await daemon.must("logs", "phoenix").output == "run\nrun\nrun\n")
        }
    }
}
