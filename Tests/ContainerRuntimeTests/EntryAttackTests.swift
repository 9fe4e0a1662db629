import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Attacks on what is on its way into a container: its descriptors, its memory and its rights; each is named by its advisory.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct EntryAttackTests {
    private let bundle: Bundle

    init() throws {
        bundle = try Bundle()
        try bundle.makeCanary()
    }

    /// CVE-2024-21626: a working directory behind any descriptor, by name or by a link of the image.
    @Test func noDescriptorIsAWorkingDirectory() throws {
        defer { bundle.remove() }
        for number in 3..<40 {
            let place = "/proc/self/fd/\(number)"
            try makeSymlink(bundle.path + "/rootfs/link\(number)", to: place)
            for directory in [place, "/link\(number)", place + "/.."] {
                let result = try bundle.run("echo ran", directory: directory)
                #expect(result.code != 0 && !result.output.contains("ran"), "\(directory)")
            }
        }
    }

    /// CVE-2024-21626: nor one that was handed over, which is a directory of the host's.
    @Test(arguments: ["/proc/self/fd/3", "/link", "/proc/self/fd/3/.."])
    func aDirectoryThatLeaksIsNotAWorkingDirectory(directory: String) throws {
        defer { bundle.remove() }
        try makeSymlink(bundle.path + "/rootfs/link", to: "/proc/self/fd/3")
        let leak = try open(bundle.path, O_RDONLY | O_DIRECTORY)
        try bundle.write(command: ["ls"], directory: directory)
        let ran = try bundle.runtime(
            ["run", "--preserve-fds", "1", "--bundle", bundle.path, bundle.id], passing: [(leak.raw, 3)])
        #expect(ran.code != 0 && !ran.output.contains("canary"), "\(ran.output)")
        _ = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime(
            ["exec", "--preserve-fds", "1", "--cwd", directory, bundle.id, "ls"], passing: [(leak.raw, 3)])
        #expect(entered.code != 0 && !entered.output.contains("canary"), "\(entered.output)")
        #expect(entered.errors.contains("working directory"), "\(entered.errors)")
    }

    /// Looks at a process as its tracer would, and says what it was told.
    private static let look = """
        for p in /proc/[0-9]*; do grep -q skiff $p/comm 2>/dev/null || continue; echo found
        for f in exe cwd root fd/0 fd/3 fd/4 fd/5 fd/6; do readlink $p/$f; done
        cat $p/environ; cat $p/maps; (exec 3<>$p/mem) && echo opened; done 2>/dev/null
        """

    /// CVE-2016-9962: somebody in the container who may trace looks at a process that enters, with all of its rights still.
    ///
    /// The process is held by a filter that asks before the call by which it gives its rights up, and nobody answers. In
    /// a user namespace whose root has the host's number only the kernel's flag separates the two.
    @Test func whatEntersCannotBeTracedBeforeItIsConfined() throws {
        try whileOneEnters({ $0.addUserNamespaceOfTheSameIds() }) {
            let seen = try bundle.runtime("exec", bundle.id, "sh", "-c", Self.look)
            #expect(seen.output == "found\n", "\(seen.output)\(seen.errors)")
        }
    }

    /// Runs `look` while another user's process is held on its way into a container with `CAP_SYS_PTRACE`: its filter has
    /// somebody asked whether it may become that user.
    private func whileOneEnters(_ change: (inout RuntimeSpec) -> Void, _ look: () throws -> Void) throws {
        defer { bundle.remove() }
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "notify", mode: 0o600, group: nil)
        _ = try bundle.create("sleep 1000") { spec in
            change(&spec)
            spec.addCapability("CAP_SYS_PTRACE")
            spec.holdUsers(at: bundle.path + "/notify")
        }
        let first = try #require(try bundle.received(listener.raw))
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entering = try Spawn(
            Bundle.program(),
            arguments: ["skiff-runtime", "--root", bundle.path + "/state", "exec", "-u", "4242", bundle.id, "true"]
        ).start()
        defer { _ = try? PidFD(entering).wait() }
        do {
            let second = try #require(try bundle.received(listener.raw))
            defer { withExtendedLifetime((first, second)) {} }
            #expect(try poll([(second.descriptor.raw, Int16(POLLIN))], timeout: 120_000)[0] & Int16(POLLIN) != 0)
            try look()
        }
        // Nobody answers any more: the call fails, and so does the entry.
    }

    /// CVE-2016-9962: nor the first process, as long as it waits for its start.
    @Test func whatWaitsForItsStartCannotBeTraced() throws {
        defer { bundle.remove() }
        _ = try bundle.create("sleep 1000") { spec in
            spec.addUserNamespaceOfTheSameIds()
            spec.addCapability("CAP_SYS_PTRACE")
        }
        let seen = try bundle.runtime("exec", bundle.id, "sh", "-c", Self.look)
        #expect(seen.output == "found\n", "\(seen.output)\(seen.errors)")
    }

    /// CVE-2016-9962: without a user namespace being undumpable is no defence against `CAP_SYS_PTRACE`: as long as a process
    /// has rights to give up, nobody in the container has a number to name it by.
    @Test func whatEntersIsNotThereBeforeItIsConfined() throws {
        try whileOneEnters({ _ in }) {
            let seen = try bundle.runtime("exec", bundle.id, "sh", "-c", Self.look + "; echo /proc/[0-9]*")
            // The first process, and the shell that looks.
            #expect(
                seen.lines.count == 1 && seen.output.split(separator: " ").count == 2, "\(seen.output)\(seen.errors)")
        }
    }

    /// CVE-2016-9962: what can be seen of it in its last step is the program's to see as well: its rights, its filter, and
    /// neither the environment nor a directory of the host's.
    @Test(arguments: [true, false]) func whatCanBeSeenOfAnEntryIsConfined(noNewPrivileges: Bool) throws {
        defer { bundle.remove() }
        let script = """
            while :; do for p in /proc/[0-9]*; do grep -q skiff $p/comm || continue; echo seen
            grep -E '^(Uid|CapPrm|NoNewPrivs|Seccomp):' $p/status; tr '\\0' '\\n' < $p/environ; readlink $p/fd/* | grep ^/
            done; done >> /tmp/seen 2>/dev/null
            """
        let pid = try bundle.create(script) { spec in
            spec.addCapability("CAP_SYS_PTRACE")
            spec.process?.noNewPrivileges = noNewPrivileges
            spec.linux.seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
            spec.linux.seccomp?.rules = [.init(names: ["mkdir"], action: "SCMP_ACT_ERRNO")]
        }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        for _ in 0..<Bundle.rounds / 4 {
            let entering = try Spawn(
                Bundle.program(),
                arguments: [
                    "skiff-runtime", "--root", bundle.path + "/state", "exec", "-u", "4242", bundle.id, "true",
                ],
                environment: ["OF_THE_HOST=secret"]
            ).start()
            #expect(try PidFD(entering).wait() == .exited(0))
        }
        // What it has seen is read when it writes no more.
        #expect(try bundle.runtime("kill", bundle.id, "KILL").code == 0)
        #expect(try bundle.waitForEnd(pid))
        let lines = Set(try readText(bundle.path + "/rootfs/tmp/seen").split(separator: "\n").map(String.init))
        let confined: Set<String> = [
            "seen", "Uid:\t4242\t4242\t4242\t4242", "CapPrm:\t0000000000080001", "CapPrm:\t\(Self.none)",
            "NoNewPrivs:\t\(noNewPrivileges ? 1 : 0)", "Seccomp:\t2",
        ]
        // What is looked at may have become the program by the next look.
        let program: Set<String> = ["PATH=/bin", "HOME=/", "/dev/null"]
        #expect(lines.subtracting(confined).subtracting(program) == [])
    }

    /// Who is confined before it enters is two processes for a moment: whoever may trace does not get another by taking the
    /// room for them.
    @Test(arguments: [true, false]) func aFullContainerIsEnteredOnlyWhereNobodyTraces(traces: Bool) throws {
        defer { bundle.remove() }
        _ = try bundle.create("exec sleep 1000") { spec in
            if traces { spec.addCapability("CAP_SYS_PTRACE") }
            spec.linux.resources.pidsLimit = 2
        }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime("exec", bundle.id, "cat", "/proc/self/comm")
        #expect(entered.output == (traces ? "" : "cat\n"), "\(entered.errors)")
        #expect(entered.errors.contains("two processes for a moment") == traces, "\(entered.errors)")
    }

    private static let none = "0000000000000000"

    /// CVE-2022-24769, CVE-2022-29162: nothing is inheritable, for whatever runs; who is not root has nothing at all.
    @Test(arguments: [0, 1000]) func noCapabilityIsInheritable(user: Int) throws {
        defer { bundle.remove() }
        let script = "grep Cap /proc/self/status"
        let held = user == 0 ? "0000000000000001" : Self.none
        let ran = try bundle.run(script) { $0.process?.user.uid = UInt32(user) }
        _ = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime("exec", "--user", "\(user)", bundle.id, "sh", "-c", script)
        let more = try bundle.runtime(
            "exec", "--user", "\(user)", "--cap", "CAP_NET_RAW", bundle.id, "sh", "-c", script)
        for result in [ran, entered] {
            #expect(result.output.contains("CapInh:\t\(Self.none)"), "\(result.output)\(result.errors)")
            #expect(result.output.contains("CapPrm:\t\(held)"), "\(result.output)")
            #expect(result.output.contains("CapEff:\t\(held)"), "\(result.output)")
            #expect(result.output.contains("CapAmb:\t\(Self.none)"), "\(result.output)")
        }
        #expect(more.output.contains("CapInh:\t\(Self.none)"), "\(more.output)\(more.errors)")
        #expect(more.output.contains("CapEff:\t\(user == 0 ? "0000000000002001" : Self.none)"), "\(more.output)")
    }

    /// Only what is asked for as ambient reaches a user's programs.
    @Test func anAmbientCapabilityReachesAUser() throws {
        defer { bundle.remove() }
        let result = try bundle.run("grep Cap /proc/self/status") { spec in
            spec.process?.user.uid = 1000
            spec.process?.capabilities?.inheritable = ["CAP_CHOWN"]
            spec.process?.capabilities?.ambient = ["CAP_CHOWN"]
        }
        #expect(result.output.contains("CapEff:\t0000000000000001"), "\(result.output)\(result.errors)")
    }
}
