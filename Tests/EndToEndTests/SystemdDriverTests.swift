import CLinux
import Linux
import Testing

/// A daemon whose containers' groups systemd makes, for which `Tests/vm/run --systemd` has a machine.
@Suite(
    .serialized,
    .enabled(
        if: isRoot && exists("/run/systemd/private") && exists("/sys/fs/cgroup/cgroup.controllers"),
        "systemd on cgroup v2 is not what this host has: Tests/vm/run --systemd"))
struct SystemdDriverTests {
    /// What the suite's scopes are seen by, from outside.
    private struct Scope {
        let unit: String
        let path: String

        init(_ daemon: PrivateDaemon, _ id: String) {
            unit = "skiff-\(id).scope"
            path = "/sys/fs/cgroup" + daemon.group(of: id)
        }

        /// What systemd says of some properties, as `NAME=value`.
        func properties(_ names: [String]) async throws -> Set<String> {
            Set(try await systemctl("show", "-p", names.joined(separator: ","), unit).lines)
        }

        func property(_ name: String) async throws -> String {
            try await systemctl("show", "--value", "-p", name, unit).line
        }

        func file(_ name: String) throws -> String {
            try readText("\(path)/\(name)").split(separator: "\n").first.map(String.init) ?? ""
        }

        func expectGone(at location: SourceLocation = #_sourceLocation) async throws {
            // systemd forgets a unit when it comes to it.
            try await eventually("\(unit) to be forgotten (\(location))") {
                try await properties(["ActiveState", "LoadState"]) == ["ActiveState=inactive", "LoadState=not-found"]
                    && !exists(path)
            }
        }
    }

    private static func systemctl(_ arguments: String...) async throws -> Finished {
        try await Program.run("/bin/systemctl", arguments)
    }

    /// A daemon that takes the driver by itself; when it has gone no scope is left.
    private static func with(_ flags: [String] = [], _ body: (PrivateDaemon) async throws -> Void) async throws {
        try await PrivateDaemon.with(flags, systemd: true, body)
        try await eventually("the scopes to be forgotten") {
            try await systemctl("list-units", "--all", "--plain", "--no-legend", "skiff-*.scope").output.isEmpty
        }
    }

    private static func shim(of pid: String) throws -> pid_t {
        let status = try readText("/proc/\(pid)/status").split(separator: "\n")
        let parent = try #require(status.first { $0.hasPrefix("PPid:") }?.split(whereSeparator: \.isWhitespace).last)
        return try #require(pid_t(String(parent)))
    }

    @Test func aContainersGroupIsAScopeWithItsLimits() async throws {
        try await Self.with { daemon in
            #expect(try await daemon.must("info", "-f", "{{.CgroupDriver}} {{.CgroupVersion}}").line == "systemd 2")
            let id = try await daemon.must(
                "run", "-d", "--name", "boat", "-m", "64m", "--memory-swap", "96m", "--cpus", "0.5", "--cpu-shares",
                "1024", "--cpuset-cpus", "0", "--pids-limit", "50", "busybox", "sh", "-c",
                "trap 'exit 3' TERM; while :; do sleep 0.1; done"
            ).line
            let scope = Scope(daemon, id)
            // systemd writes the files anew when it is reloaded.
            let properties = [
                "ActiveState": "active", "Delegate": "yes", "Description": "container \(id)",
                "MemoryMax": "\(64 << 20)", "MemorySwapMax": "\(32 << 20)", "CPUWeight": "100",
                "CPUQuotaPerSecUSec": "500ms", "AllowedCPUs": "0", "TasksMax": "50",
                "ControlGroup": daemon.group(of: id),
            ]
            for _ in 0..<2 {
                #expect(
                    try await scope.properties(Array(properties.keys)) == Set(properties.map { "\($0)=\($1)" }))
                for (name, value) in [
                    ("memory.max", "\(64 << 20)"), ("memory.swap.max", "\(32 << 20)"), ("cpu.max", "50000 100000"),
                    ("cpu.weight", "100"), ("cpuset.cpus", "0"), ("pids.max", "50"),
                ] {
                    #expect(try scope.file(name) == value, "\(name)")
                }
                #expect(try await Self.systemctl("daemon-reload").code == 0)
            }
            let inside = try await daemon.must(
                "exec", "boat", "sh", "-c", "cat /proc/self/cgroup /sys/fs/cgroup/memory.max")
            #expect(inside.output == "0::/\n\(64 << 20)\n")
            #expect(try await daemon.must("top", "boat").output.contains("sleep 0.1"))
            try await Inventory(daemon: daemon).check("a scope")

            try await daemon.must("stop", "-t", "60", "boat")
            #expect(try await daemon.must("inspect", "-f", "{{.State.ExitCode}}", "boat").line == "3")
            try await scope.expectGone()
            try await daemon.must("start", "boat")
            #expect(try await scope.property("MemoryMax") == "\(64 << 20)")
            try await daemon.must("rm", "-f", "boat")
            try await scope.expectGone()
        }
    }

    @Test func pausingFreezesTheScopeAndTheFrozenCanBeRemoved() async throws {
        try await Self.with { daemon in
            let id = try await daemon.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000").line
            let scope = Scope(daemon, id)
            try await daemon.must("pause", "boat")
            #expect(try scope.file("cgroup.freeze") == "1")
            try await daemon.must("unpause", "boat")
            #expect(try scope.file("cgroup.freeze") == "0")
            #expect(try await daemon.must("exec", "boat", "echo", "again").output == "again\n")
            try await daemon.must("pause", "boat")
            try await daemon.must("rm", "-f", "boat")
            try await scope.expectGone()
        }
    }

    /// systemd calls a scope failed in which something was killed for want of memory; that one goes too.
    @Test func memoryThatRunsOutIsReported() async throws {
        try await Self.with { daemon in
            let ended = try await daemon.skiff(
                "run", "--name", "glutton", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
                "x=abcdefgh; while :; do x=$x$x; done")
            #expect(ended.code == 137)
            let said = try await daemon.must(
                "inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}} {{.Id}}", "glutton"
            ).line.split(separator: " ").map(String.init)
            #expect(said.prefix(2) == ["true", "137"])
            try await Scope(daemon, said[2]).expectGone()
        }
    }

    /// The shim may come to see the end only when systemd has removed the group, with the kernel's counters.
    @Test func memoryThatRanOutIsReportedWithoutTheGroup() async throws {
        try await Self.with { daemon in
            let place = daemon.root + "/place"
            try makeDirectory(place)
            // What is killed for want of memory beside it is not a container's own want.
            for (name, isGlutton) in [("bystander", false), ("glutton", true), ("victim", false)] {
                let id = try await daemon.must(
                    "run", "-d", "--name", name, "-m", "16m", "--memory-swap", "16m", "-v", "\(place):/place",
                    "busybox",
                    "sh", "-c", "while [ ! -e /place/go ]; do sleep 0.1; done; x=abcdefgh; while :; do x=$x$x; done"
                ).line
                let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", name).line
                let shim = try Self.shim(of: pid)
                try sendSignal(SIGSTOP, to: shim)
                defer { try? sendSignal(SIGCONT, to: shim) }
                if isGlutton {
                    try writeFile(place + "/go", [])
                } else if name == "victim" {
                    let other = try await daemon.skiff(
                        "run", "--rm", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
                        "x=abcdefgh; while :; do x=$x$x; done")
                    #expect(other.code == 137)
                    try sendSignal(SIGKILL, to: try #require(pid_t(pid)))
                } else {
                    try sendSignal(SIGKILL, to: try #require(pid_t(pid)))
                }
                let scope = Scope(daemon, id)
                try await eventually("systemd to remove the group") { !exists(scope.path) }
                try sendSignal(SIGCONT, to: shim)
                #expect(try await daemon.must("wait", name).line == "137")
                #expect(try await daemon.must("inspect", "-f", "{{.State.OOMKilled}}", name).line == "\(isGlutton)")
                try await scope.expectGone()
                try? unlink(place + "/go")
            }
        }
    }

    @Test func whoeverIsKilledNoScopeIsLeft() async throws {
        try await Self.with { daemon in
            let id = try await daemon.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000").line
            let scope = Scope(daemon, id)
            func pid() async throws -> String { try await daemon.must("inspect", "-f", "{{.State.Pid}}", "boat").line }

            // The daemon: the next one finds the container as it was.
            try await daemon.stop(SIGKILL)
            try await daemon.start()
            #expect(try await daemon.must("exec", "boat", "echo", "alive").line == "alive")
            try await daemon.must("pause", "boat")
            try await daemon.must("unpause", "boat")
            try await daemon.must("stop", "-t", "0", "boat")
            try await scope.expectGone()

            // The shim: the daemon clears up, also what is frozen.
            for isPaused in [false, true] {
                try await daemon.must("start", "boat")
                if isPaused { try await daemon.must("pause", "boat") }
                #expect(kill(try Self.shim(of: try await pid()), SIGKILL) == 0)
                #expect(try await daemon.must("wait", "boat").line == "137")
                try await scope.expectGone()
            }

            // Both: the next daemon does.
            try await daemon.must("start", "boat")
            let shim = try Self.shim(of: try await pid())
            try await daemon.stop(SIGKILL)
            #expect(kill(shim, SIGKILL) == 0)
            #expect(try await scope.property("ActiveState") == "active")
            try await daemon.start()
            try await scope.expectGone()
            try await Inventory(daemon: daemon).check("daemon and shim killed")

            // And the container runs again after all that.
            try await daemon.must("start", "boat")
            #expect(try await scope.property("ActiveState") == "active")
            try await daemon.must("rm", "-f", "boat")
            try await scope.expectGone()
        }
    }

    @Test func parentsAreSlices() async throws {
        try await Self.with { daemon in
            let words = "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\""
            for parent in ["/skiff", "skiff", "a:b.slice"] {
                let refused = try await daemon.skiff("run", "--rm", "--cgroup-parent", parent, "busybox", "true")
                #expect(refused.code == 125 && refused.errors.contains(words), "\(parent): \(refused.errors)")
            }
            #expect(try await daemon.must("ps", "-aq").output.isEmpty)
            let other = String(daemon.cgroup.dropFirst()).replacing(".slice", with: "-a.slice")
            let id = try await daemon.must("run", "-d", "--cgroup-parent", other, "busybox", "sleep", "1000").line
            let unit = "skiff-\(id).scope"
            #expect(
                try await Self.systemctl("show", "--value", "-p", "ControlGroup", unit).line
                    == "\(daemon.cgroup)/\(other)/\(unit)")
            try await daemon.must("rm", "-f", id)
            #expect(!exists("/sys/fs/cgroup\(daemon.cgroup)/\(other)/\(unit)"))
            #expect(try await Self.systemctl("stop", other).code == 0)
        }
    }

    @Test func aStepOfABuildHasAScopeOfItsOwn() async throws {
        try await Self.with { daemon in
            let context = daemon.home + "/context"
            try makeDirectory(context)
            // It goes on when its limit is another one, which only who is outside can bring about.
            let step = "until [ $(cat /sys/fs/cgroup/memory.max) = \(80 << 20) ]; do sleep 0.1; done"
            try writeFile(context + "/Dockerfile", Array("FROM busybox\nRUN \(step)\n".utf8))
            async let build = daemon.skiff("build", "-m", "64m", "-t", "made", context)
            let parent = "/sys/fs/cgroup" + daemon.cgroup
            try await eventually("the step's scope") {
                guard let directory = try? open(parent, O_RDONLY | O_DIRECTORY) else { return false }
                let scopes = try readDirectory(directory.raw).map(\.name.text).filter { $0.hasSuffix(".scope") }
                guard let unit = scopes.first, unit.hasPrefix("skiff-"),
                    try await Self.systemctl("show", "--value", "-p", "MemoryMax", unit).line == "\(64 << 20)"
                else { return false }
                try writeControl("\(parent)/\(unit)/memory.max", "\(80 << 20)")
                return true
            }
            let built = try await build
            #expect(built.code == 0, "\(built.errors)")
        }
    }

    /// crun and runc are tried where they are installed.
    @Test func otherRuntimesAreToldOfTheDriver() async throws {
        let programs =
            [("own", Program.builds + "/skiff-runtime")]
            + ["crun", "runc"].compactMap { name in Program.find(name).map { (name, $0) } }
        try await Self.with(programs.flatMap { ["--add-runtime", "\($0)=\($1)"] }) { daemon in
            for (name, _) in programs {
                let id = try await daemon.must(
                    "run", "-d", "--name", name, "--runtime", name, "-m", "64m", "busybox", "sleep", "1000"
                ).line
                let scope = Scope(daemon, id)
                // crun sets limits in a group of its own below the scope's.
                let expected: Set = ["ActiveState=active", "ControlGroup=\(daemon.group(of: id))"]
                #expect(try await scope.properties(["ActiveState", "ControlGroup"]) == expected, "\(name)")
                #expect(try readText("\(daemon.home)/run/shims/\(id)/cgroup") == daemon.group(of: id))
                let inside = try await daemon.must("exec", name, "cat", "/sys/fs/cgroup/memory.max").line
                #expect(inside == "\(64 << 20)", "\(name)")
                let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", name).line
                try await daemon.must("pause", name)
                let group = try readText("/proc/\(pid)/cgroup").dropFirst(3).prefix { !$0.isNewline }
                #expect(try readText("/sys/fs/cgroup\(group)/cgroup.events").contains("frozen 1"), "\(name)")
                try await daemon.must("unpause", name)

                #expect(kill(try Self.shim(of: pid), SIGKILL) == 0)
                #expect(try await daemon.must("wait", name).line == "137")
                try await scope.expectGone()

                // What ends at once may have ended, and its group with it, before anybody looks.
                for (command, code) in [("true", 0), ("true", 0), ("true", 0), ("true", 0), ("no-such-program", 127)] {
                    let ended = try await daemon.skiff("run", "--rm", "--runtime", name, "busybox", command)
                    #expect(ended.code == Int32(code), "\(name) \(command): \(ended.errors)")
                }
            }
        }
    }

    /// A daemon that is started with the other driver keeps the containers that run as they are.
    @Test func theDriverMayChangeBetweenDaemons() async throws {
        try await Self.with { daemon in
            let id = try await daemon.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000").line
            try await daemon.stop()
            var other = daemon
            other.usesSystemd = false
            try await other.start()
            #expect(try await other.must("info", "-f", "{{.CgroupDriver}}").line == "cgroupfs")
            #expect(try await other.must("exec", "boat", "echo", "alive").line == "alive")
            #expect(try await Scope(daemon, id).property("ActiveState") == "active")
            try await other.must("stop", "-t", "0", "boat")
            try await Scope(daemon, id).expectGone()
            try await other.must("start", "boat")
            let pid = try await other.must("inspect", "-f", "{{.State.Pid}}", "boat").line
            #expect(try readText("/proc/\(pid)/cgroup") == "0::\(other.group(of: id))\n")
            try await other.must("rm", "-f", "boat")
            try await other.stop()
            #expect(!exists("/sys/fs/cgroup" + other.cgroup))
        }
    }

    @Test(arguments: [("a.slice", true), ("/skiff", false)])
    func theDriverIsTakenWhereItIsAskedFor(_ parent: String, _ isTaken: Bool) async throws {
        let said = try await Program.run(
            Program.builds + "/skiffd",
            [
                "--validate", "--exec-opt", "native.cgroupdriver=systemd", "--cgroup-parent", parent,
            ])
        #expect((said.output == "configuration OK\n") == isTaken, "\(said.errors)")
    }
}
