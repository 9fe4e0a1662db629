import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What a document says of a process, seen from inside it.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct ProcessSettingsTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    @Test func theSchedulerIsSet() throws {
        defer { bundle.remove() }
        let result = try bundle.run("cat /proc/self/stat") {
            $0.process?.scheduler = RuntimeSpec.Scheduler(policy: "SCHED_BATCH")
            $0.process?.scheduler?.nice = 5
        }
        // The nice value is field 19 of proc_pid_stat(5), the policy field 41; SCHED_BATCH is 3.
        let fields = try #require(result.lines.last).split(separator: ")").last?.split(separator: " ")
        #expect(fields?[16] == "5" && fields?[38] == "3", "\(result.errors)")
    }

    @Test func theIOPriorityIsSet() throws {
        defer { bundle.remove() }
        let result = try bundle.run("ionice -p $$") {
            $0.process?.ioPriority = RuntimeSpec.IOPriority(schedulingClass: "IOPRIO_CLASS_BE", priority: 6)
        }
        #expect(result.output.contains("best-effort: prio 6"), "\(result.output)\(result.errors)")
    }

    @Test func thePersonalityIsSetForEveryProcess() throws {
        defer { bundle.remove() }
        _ = try bundle.create("uname -m > /tmp/machine; sleep 1000") {
            $0.linux.personality = RuntimeSpec.Personality(domain: "LINUX32")
        }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.runtime("exec", bundle.id, "cat", "/proc/self/personality").output.hasSuffix("8\n"))
    }

    @Test func theMemoryPolicyIsSet() throws {
        defer { bundle.remove() }
        let result = try bundle.run("cat /proc/self/numa_maps") {
            $0.linux.memoryPolicy = RuntimeSpec.MemoryPolicy(
                mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"])
        }
        #expect(result.output.contains("bind=static:0"), "\(result.output.prefix(300))\(result.errors)")
        let refused = try bundle.run("true") {
            $0.linux.memoryPolicy = RuntimeSpec.MemoryPolicy(mode: "MPOL_BIND", nodes: "9")
        }
        #expect(refused.errors.contains("set_mempolicy"), "\(refused.errors)")
    }

    @Test func umaskAndGroupsAreSet() throws {
        defer { bundle.remove() }
        let result = try bundle.run("umask; grep Groups /proc/self/status; id -g") {
            $0.process?.user.umask = 0o027
            $0.process?.user.gid = 12
            $0.process?.user.additionalGids = [34, 56]
        }
        #expect(result.lines[0] == "0027")
        #expect(result.output.contains("34 56"))
        #expect(result.lines.last == "12")
    }

    @Test func theOutOfMemoryScoreIsSetAlsoToZero() throws {
        defer { bundle.remove() }
        #expect(
            try bundle.run("cat /proc/self/oom_score_adj") { $0.process?.oomScoreAdjustment = 345 }.output == "345\n")
        let before = try readText("/proc/self/oom_score_adj")
        try writeControl("/proc/self/oom_score_adj", "100")
        defer { try? writeControl("/proc/self/oom_score_adj", before) }
        #expect(try bundle.run("cat /proc/self/oom_score_adj").output == "100\n")
        #expect(
            try bundle.run("cat /proc/self/oom_score_adj") { $0.process?.oomScoreAdjustment = 50 }.output != "100\n")
    }

    @Test func limitsAreSet() throws {
        defer { bundle.remove() }
        let result = try bundle.run("ulimit -n; ulimit -Hn; ulimit -c") {
            $0.process?.rlimits = [
                .init(type: "RLIMIT_NOFILE", soft: 123, hard: 456), .init(type: "RLIMIT_CORE", soft: 0, hard: 0),
            ]
        }
        #expect(result.lines == ["123", "456", "0"], "\(result.errors)")
        let refused = try bundle.run("true") { $0.process?.rlimits = [.init(type: "RLIMIT_CPU", soft: 2, hard: 1)] }
        #expect(refused.errors.contains("soft 2 is above hard 1"))
    }

    @Test func aConfinedCallerConfinesNoContainer() throws {
        defer { bundle.remove() }
        let own = try ProcessorSet.current()
        defer { try? own.confine() }
        func line(_ text: String) -> String? {
            text.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list") }.map(String.init)
        }
        let all = try line(readText("/proc/self/status"))
        try ProcessorSet([0]).confine()
        let result = try bundle.run("grep Cpus_allowed_list /proc/self/status")
        #expect(line(result.output) == all, "\(result.output)\(result.errors)")
    }

    @Test(.enabled(if: exists("/sys/devices/system/cpu/cpu1"), "there is one processor only"))
    func aProcessThatIsKeptApartMayRunAnywhereAfterwards() throws {
        try keptApart(from: [0, 1]) { (before, after, all) in
            #expect(before != nil && after == all, "\(before ?? "") \(after ?? "")")
        }
    }

    /// What the host keeps for something else is not taken: nobody would take the process away from there.
    @Test func aProcessWithoutAnotherProcessorStays() throws {
        try keptApart(from: [0]) { (before, after, _) in #expect(before != nil && before == after) }
    }

    /// Has a process of a confined caller kept apart.
    ///
    /// - Parameter look: is given where it might run before, where afterwards, and what an unconfined one has.
    private func keptApart(
        from processors: [Int], _ look: (_ before: String?, _ after: String?, _ all: String?) -> Void
    ) throws {
        let own = try ProcessorSet.current()
        defer { try? own.confine() }
        func allowed(_ pid: pid_t) throws -> String? {
            try readText("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list") }
                .map(String.init)
        }
        try ProcessorSet.unconfine()
        let all = try allowed(gettid())
        try ProcessorSet(processors).confine()
        let confined = try ProcessorSet.current()
        let pid = try Spawn("/bin/sleep", arguments: ["sleep", "100"]).start()
        defer {
            try? sendSignal(SIGKILL, to: pid)
            _ = try? PidFD(pid).wait()
        }
        let before = try allowed(pid)
        ProcessorSet.keepApart(pid)
        look(before, try allowed(pid), all)
        #expect(try ProcessorSet.current() == confined, "the caller stays where it is")
    }

    @Test(.enabled(if: exists("/usr/bin/setpriv"), "needs setpriv (Debian: util-linux)"))
    func groupsOfTheCallerAreKeptWhereAnAnnotationSaysSo() throws {
        defer { bundle.remove() }
        let program = try Bundle.program()
        try bundle.write(command: ["grep", "Groups", "/proc/self/status"]) {
            $0.annotations = ["run.oci.keep_original_groups": "1"]
        }
        let out = try open(bundle.path + "/groups", O_WRONLY | O_CREAT, mode: 0o600)
        let pid = try Spawn(
            "/usr/bin/setpriv",
            arguments: [
                "setpriv", "--groups", "1,2,3", program, "--root", bundle.path + "/state", "run", "--bundle",
                bundle.path, bundle.id,
            ], descriptors: [(out.raw, 1)]
        ).start()
        #expect(try PidFD(pid).wait() == .exited(0))
        #expect(try readText(bundle.path + "/groups") == "Groups:\t1 2 3 \n")
    }

    @Test func whatEntersRunsOnItsProcessors() throws {
        defer { bundle.remove() }
        _ = try bundle.create("sleep 1000") { $0.process?.execCPUAffinity = .init(initial: "0-1", final: "0") }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let inside = try bundle.runtime("exec", bundle.id, "grep", "Cpus_allowed_list", "/proc/self/status")
        #expect(inside.output.hasSuffix("\t0\n"), "\(inside.output)\(inside.errors)")
    }

    @Test(.enabled(if: !SecurityModules.detect().apparmor, "this kernel has AppArmor"))
    func aProfileNobodyEnforcesIsRefused() throws {
        defer { bundle.remove() }
        let profile = try bundle.run("true") { $0.process?.apparmorProfile = "docker-default" }
        #expect(profile.code != 0 && profile.errors.contains("AppArmor is not enabled on this host"))
        #expect(bundle.leftNothing)
        #expect(try bundle.run("echo ran") { $0.process?.apparmorProfile = "unconfined" }.output == "ran\n")
        _ = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime("exec", "--apparmor", "docker-default", bundle.id, "echo", "ran")
        #expect(entered.output.isEmpty && entered.errors.contains("AppArmor is not enabled on this host"))
    }

    @Test(.enabled(if: !SecurityModules.detect().selinux, "this kernel has SELinux"))
    func aLabelNobodyEnforcesIsRefused() throws {
        defer { bundle.remove() }
        let label = try bundle.run("true") { $0.process?.selinuxLabel = "system_u:system_r:container_t:s0" }
        #expect(label.code != 0 && label.errors.contains("SELinux is not enabled on this host"))
        let mounts = try bundle.run("true") { $0.linux.mountLabel = "system_u:object_r:container_file_t:s0" }
        #expect(mounts.code != 0 && mounts.errors.contains("linux.mountLabel"))
        #expect(bundle.leftNothing)
    }

    @Test func theTerminalHasItsSize() throws {
        defer { bundle.remove() }
        let socket = bundle.path + "/console"
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "console", mode: 0o600, group: nil)
        try bundle.write(command: ["sh", "-c", "stty size; sleep 1000"]) {
            $0.process?.terminal = true
            $0.process?.consoleSize = .init(rows: 33, columns: 99)
        }
        #expect(try bundle.runtime("create", "--bundle", bundle.path, "--console-socket", socket, bundle.id).code == 0)
        let sent = try #require(try bundle.received(listener.raw))
        #expect(try windowSize(sent.descriptor.raw) == WindowSize(rows: 33, columns: 99))
    }
}
