import CLinux
import Linux
import Testing

/// Attacks on the sandbox of a container as the engine makes it by default, and on what it keeps; each is named by its
/// advisory.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct ContainerAttackTests {
    private let daemon: PrivateDaemon

    init() throws { daemon = try #require(OneDaemon.current) }

    /// CVE-2016-3697, CVE-2024-40635, CVE-2026-46680, CVE-2026-30892: a number that is none, or that the kernel cannot have.
    @Test func anOddUserIsRefused() async throws {
        let odd = [
            "4294967296", "4294967295", "2147483648", "-1", "0x0", "1000 ", " 0", "0:4294967296",
            "18446744073709551616",
        ]
        for user in odd {
            let result = try await daemon.skiff("run", "--rm", "-u", user, "busybox", "id", "-u")
            #expect(result.code == 125 && result.output.isEmpty, "\(user): \(result.output)")
        }
        try await daemon.must("run", "-d", "--name", "here", "busybox", "sleep", "1000")
        for user in odd {
            let result = try await daemon.skiff("exec", "-u", user, "here", "id", "-u")
            #expect(result.code != 0 && result.output.isEmpty, "exec \(user): \(result.output)")
        }
        let archive = try await PrivateDaemon.busyboxArchive(in: daemon.home)
        try await daemon.must("import", "--change", "USER 4294967296", archive, "odd")
        let image = try await daemon.skiff("run", "--rm", "odd", "id", "-u")
        #expect(image.code == 125 && image.output.isEmpty, "\(image.output)")
        await daemon.removeEverything()
    }

    /// CVE-2016-3697: what the image calls by a number is not that number.
    @Test func aNameThatIsANumberIsNotAName() async throws {
        let file = daemon.home + "/passwd"
        try writeFile(file, Array("root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n".utf8))
        defer { try? unlink(file) }
        let result = try await daemon.must(
            "run", "--rm", "-v", "\(file):/etc/passwd:ro", "-u", "1000", "busybox", "id", "-u")
        #expect(result.line == "1000")
    }

    /// CVE-2024-9676, CVE-2026-47262: account files that are no files.
    @Test(arguments: ["fifo", "device", "huge"]) func anAccountFileIsAPlainFile(kind: String) async throws {
        let file = daemon.home + "/passwd-\(kind)"
        switch kind {
        case "fifo": _ = try makeNodeEntry(file, mode: mode_t(S_IFIFO) | 0o666, at: Directory.working)
        case "device":
            _ = try makeNodeEntry(
                file, mode: mode_t(S_IFCHR) | 0o666, device: skiff_makedev(1, 5), at: Directory.working)
        default:
            let huge = try open(file, O_WRONLY | O_CREAT, mode: 0o644)
            try check("ftruncate") { ftruncate(huge.raw, 8 << 30) }
        }
        defer { try? unlink(file) }
        let result = try await daemon.skiff(
            "run", "--rm", "-v", "\(file):/etc/passwd", "-u", "root", "busybox", "echo", "ran")
        #expect(result.code == 125 && !result.output.contains("ran"), "\(result.output)")
        #expect(result.errors.contains(kind == "huge" ? "file too large" : "not a regular file"), "\(result.errors)")
    }

    /// CVE-2022-36109: what a group is denied, its member by `--user` is denied as well.
    @Test func aGroupsDenialHolds() async throws {
        let file = daemon.home + "/denied"
        try writeFile(file, Array("secret".utf8), mode: 0o604)
        try setOwnerEntry(file, uid: 0, gid: 2000, at: Directory.working)
        defer { try? unlink(file) }
        let result = try await daemon.skiff(
            "run", "--rm", "-v", "\(file):/denied", "-u", "1000:2000", "busybox", "sh", "-c", "id -G; cat /denied")
        #expect(result.output == "2000\n", "\(result.output)\(result.errors)")
    }

    /// CVE-2022-24769, CVE-2022-29162: nothing is inheritable, by run and by exec.
    @Test func noCapabilityIsInheritable() async throws {
        try await daemon.must("run", "-d", "--name", "here", "busybox", "sleep", "1000")
        let script = "grep -E 'CapInh|CapAmb' /proc/self/status"
        for words in [
            ["run", "--rm", "busybox"], ["run", "--rm", "-u", "1000", "busybox"], ["exec", "here"],
            ["exec", "-u", "1000", "here"], ["run", "--rm", "--privileged", "busybox"],
        ] {
            let result = try await daemon.skiff(words + ["sh", "-c", script])
            #expect(
                result.lines.count == 2 && result.lines.allSatisfy { $0.hasSuffix("\t0000000000000000") },
                "\(words): \(result.output)\(result.errors)")
        }
        let user = try await daemon.must(
            "exec", "-u", "1000", "here", "sh", "-c", "grep -E 'CapEff|CapPrm' /proc/self/status")
        #expect(user.lines.allSatisfy { $0.hasSuffix("\t0000000000000000") }, "\(user.output)")
        await daemon.removeEverything()
    }

    /// CVE-2017-16539, CVE-2018-10892, CVE-2020-8694 (GHSA-7ww5-4wqc-m92c): the host's devices and power meters.
    @Test func whatTellsOrDoesTooMuchIsMasked() async throws {
        let script = """
            for p in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats \
              /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware
            do [ -e $p ] || continue; echo seen
              if [ -d $p ]; then ls -A $p; mkdir $p/made && echo made in $p; else cat $p; fi
            done 2>/dev/null
            for p in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger
            do [ -e $p ] || continue; echo seen
              grep -q " $p ro," /proc/self/mountinfo || echo writable $p
            done
            """
        let result = try await daemon.must("run", "--rm", "busybox", "sh", "-c", script)
        #expect(Set(result.lines) == ["seen"], "\(result.output)")
    }

    /// CVE-2022-0847, CVE-2022-0185, CVE-2026-31431: what is refused before the kernel looks at its arguments.
    @Test(.enabled(if: exists("/usr/bin/perl"), "perl makes the calls"))
    func theCallsOfKernelAttacksAreRefused() async throws {
        // Numbers of x86-64: with 64-bit Arm's there would be another table.
        #if arch(x86_64)
            let calls = [
                "socket(AF_ALG)": "41,38,5,0", "socket(AF_VSOCK)": "41,40,1,0", "unshare(NEWUSER)": "272,0x10000000",
                "unshare(NEWNET)": "272,0x40000000", "clone(NEWUSER)": "56,0x10000011,0,0,0,0", "fsopen": "430,0,0",
                "mount": "165,0,0,0,0,0", "open_tree": "428,-1,0,0", "move_mount": "429,-1,0,-1,0,0",
                "keyctl": "250,0,0", "add_key": "248,0,0,0,0,0", "bpf": "321,0,0,0", "userfaultfd": "323,0",
                "io_uring_setup": "425,1,0", "perf_event_open": "298,0,0,-1,-1,0", "setns": "308,-1,0",
                "open_by_handle_at": "304,-1,0,0", "init_module": "175,0,0,0", "kexec_load": "246,0,0,0,0",
            ]
            let table = calls.map { "'\($0.key)'=>[\($0.value)]" }.joined(separator: ",")
            let script =
                "my %c=(\(table)); for (sort keys %c) { my @a=@{$c{$_}}; my $n=shift @a; "
                + "my $r=syscall($n,@a); exit 0 if $_ eq 'clone(NEWUSER)' && $r==0; print $_,' ',$!+0,\"\\n\" if $r<0; "
                + "print $_,\" done\\n\" if $r>=0 }"
            let result = try await daemon.must(
                "run", "--rm", "-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", "busybox",
                "/usr/bin/perl", "-e", script)
            // EPERM is 1. Each of them has arguments for which the call itself would say something else.
            #expect(result.lines == calls.keys.sorted().map { "\($0) 1" }, "\(result.output)\(result.errors)")
        #endif
    }

    /// CVE-2022-0492: cgroups of version 1 name no program for the host to run.
    @Test func noReleaseAgentIsInReach() async throws {
        let script = """
            find /sys/fs/cgroup -name release_agent; mkdir /tmp/c
            mount -t cgroup -o rdma c /tmp/c 2>/dev/null && echo mounted
            mkdir /sys/fs/cgroup/memory/made 2>/dev/null && echo made
            ls /sys/fs/cgroup | wc -l
            """
        for flags in [[], ["--cgroupns", "host"]] {
            let result = try await daemon.skiff(["run", "--rm"] + flags + ["busybox", "sh", "-c", script])
            #expect(result.lines.count == 1 && result.lines != ["0"], "\(flags): \(result.output)\(result.errors)")
        }
    }

    /// CVE-2022-0532: parameters of the host's namespaces, also by way of another container.
    @Test func parametersOfTheHostAreNotSet() async throws {
        try await daemon.must("run", "-d", "--name", "there", "--network", "host", "busybox", "sleep", "1000")
        let now = try readText("/proc/sys/net/ipv4/ip_default_ttl").filter(\.isNumber)
        for flags in [
            ["--network", "host", "--sysctl", "net.ipv4.ip_default_ttl=\(now)"],
            ["--network", "container:there", "--sysctl", "net.ipv4.ip_default_ttl=\(now)"],
            ["--ipc", "host", "--sysctl", "kernel.shm_rmid_forced=0"],
            ["--sysctl", "kernel.core_pattern=core"], ["--sysctl", "net.ipv4.ip_default_ttl=\(now)+kernel.panic=0"],
            ["--sysctl", "net/../kernel/panic=0"],
        ] {
            let result = try await daemon.skiff(["run", "--rm"] + flags + ["busybox", "echo", "ran"])
            #expect(result.code == 125 && !result.output.contains("ran"), "\(flags): \(result.output)")
        }
        await daemon.removeEverything()
    }

    /// CVE-2020-15257, CVE-2021-41091, CVE-2021-41103: what the engine keeps is out of others' reach, its sockets too.
    @Test func whatIsKeptIsRootsAlone() async throws {
        try await daemon.must(
            "run", "-d", "--name", "there", "--network", "host", "-v", "cargo:/c", "busybox", "sleep", "1000")
        #expect(try status(daemon.root).permissions & 0o007 == 0, "others may not walk through the data root")
        for path in ["/run/shims", "/data/content", "/run/seccomp"] where exists(daemon.home + path) {
            #expect(try status(daemon.home + path).permissions == 0o700, "\(path)")
        }
        #expect(try status(daemon.socket).permissions & 0o007 == 0)
        // An abstract socket begins with @ here, and anybody in the network namespace may call it.
        let seen = try await daemon.must("exec", "there", "cat", "/proc/net/unix").lines
        #expect(seen.contains { $0.hasSuffix("/skiff.sock") }, "\(seen)")
        let own = try sockets()
        #expect(!own.isEmpty)
        for line in seen.dropFirst() {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count > 7, own.contains(fields[6]) else { continue }
            #expect(!fields[7].hasPrefix("@"), "\(line)")
        }
        await daemon.removeEverything()
    }

    /// CVE-2016-9962: what is made in the pid namespace of a container that may trace has its program's rights there, and no more.
    @Test func whatIsMadeInAnothersPidNamespaceIsConfined() async throws {
        let look = """
            while :; do for p in /proc/[0-9]*; do grep -q skiff $p/comm || continue
            grep -E '^(CapPrm|CapBnd|NoNewPrivs|Seccomp):' $p/status; done; done >> /tmp/seen 2>/dev/null
            """
        try await daemon.must(
            "run", "-d", "--name", "tracer", "--cap-add", "SYS_PTRACE", "busybox", "sh", "-c", look)
        let script = "grep -E '^(CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; tr '\\0' ' ' < /proc/1/cmdline"
        var own: Set<String> = []
        for flags in [[], ["-t"], ["--init"], ["-t", "--init"], ["-u", "1000"]] {
            for _ in 0..<5 {
                let made = try await daemon.skiff(
                    ["run", "--rm", "--pid", "container:tracer"] + flags + ["busybox", "sh", "-c", script])
                #expect(made.code == 0 && made.output.contains("sh -c while"), "\(flags): \(made.output)\(made.errors)")
                own.formUnion(made.output.split(whereSeparator: \.isNewline).prefix(4).map(String.init))
            }
        }
        // Before exec a user's rights are not dropped yet that its program will not have.
        #expect(own.count == 5, "\(own)")
        // What enters to tell is seen as well.
        let entered = try await daemon.must("exec", "tracer", "grep", "-E", "^(CapPrm|CapBnd):", "/proc/self/status")
        let seen = try await daemon.must("exec", "tracer", "sort", "-u", "/tmp/seen")
        #expect(!seen.lines.isEmpty && own.union(entered.lines).isSuperset(of: seen.lines), "\(seen.output)")
        await daemon.removeEverything()
    }

    /// The inodes of all sockets that the engine and its shims hold.
    private func sockets() throws -> Set<String> {
        var inodes: Set<String> = []
        let processes = try open("/proc", O_RDONLY | O_DIRECTORY)
        for name in try readDirectory(processes.raw).map(\.name.text) where name.allSatisfy(\.isNumber) {
            guard let command = try? readText("/proc/\(name)/cmdline"),
                command.hasPrefix("skiff-shim") || command.contains(daemon.home),
                let descriptors = try? open("/proc/\(name)/fd", O_RDONLY | O_DIRECTORY),
                let entries = try? readDirectory(descriptors.raw)
            else { continue }
            for entry in entries {
                guard let target = try? readLink(entry.name.text, at: descriptors.raw), target.hasPrefix("socket:[")
                else { continue }
                inodes.insert(String(target.dropFirst(8).dropLast()))
            }
        }
        return inodes
    }
}
