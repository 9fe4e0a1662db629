import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Containers that are made in another's pid namespace, without a user namespace in between.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct SharedProcessTests {
    /// Whose pid namespace it is.
    private let owner: Bundle
    private let bundle: Bundle

    init() throws {
        owner = try Bundle()
        bundle = try Bundle()
    }

    private func remove() {
        bundle.remove()
        owner.remove()
    }

    /// Starts the container whose pid namespace is shared.
    ///
    /// - Returns: the number of its first process, and a change by which others share the namespace.
    private func startOwner(
        _ script: String = "sleep 100", _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> (pid: pid_t, join: (inout RuntimeSpec) -> Void) {
        let pid = try owner.create(script, change)
        try #require(try owner.runtime("start", owner.id).code == 0)
        return (
            pid,
            { spec in
                spec.linux.namespaces.removeAll { $0.kind == .pid }
                spec.linux.namespaces.append(.init(.pid, path: "/proc/\(pid)/ns/pid"))
            }
        )
    }

    /// How many processes there are in that pid namespace, with the one that counts them; zombies are whoever's is to reap them.
    private func count() throws -> Int {
        let seen = try owner.runtime(
            "exec", owner.id, "sh", "-c", "for p in /proc/[0-9]*; do grep '^State:' $p/status; done 2>/dev/null")
        return seen.lines.filter { !$0.contains("Z (zombie)") }.count
    }

    // MARK: Attacks

    /// CVE-2016-9962: as long as what is made there has rights to give up, nobody in the pid namespace has a number for it.
    ///
    /// It is held by a filter that asks before the call by which it gives its rights up, and nobody answers.
    @Test func whatIsMadeIsNotThereBeforeItIsConfined() throws {
        defer { remove() }
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "notify", mode: 0o600, group: nil)
        let (_, join) = try startOwner { $0.addCapability("CAP_SYS_PTRACE") }
        try bundle.write(command: ["true"]) { spec in
            join(&spec)
            spec.process?.user.uid = 4242
            spec.holdUsers(at: bundle.path + "/notify")
        }
        let making = try Spawn(
            Bundle.program(),
            arguments: ["skiff-runtime", "--root", bundle.path + "/state", "run", "--bundle", bundle.path, bundle.id]
        ).start()
        defer { _ = try? PidFD(making).wait() }
        do {
            let asked = try #require(try bundle.received(listener.raw))
            defer { withExtendedLifetime(asked) {} }
            #expect(try poll([(asked.descriptor.raw, Int16(POLLIN))], timeout: 10_000)[0] & Int16(POLLIN) != 0)
            let seen = try owner.runtime(
                "exec", owner.id, "sh", "-c", "echo /proc/[0-9]*")
            // The first process, and the shell that looks.
            #expect(seen.lines.last?.split(separator: " ").count == 2, "\(seen.output)\(seen.errors)")
        }
        // Nobody answers any more: the call fails, and so does the container.
    }

    /// CVE-2016-9962: what can be seen of it, at the gate and on the way to the program, is the program's to see as well.
    @Test(arguments: [false, true], [false, true])
    func whatCanBeSeenOfItIsConfined(terminal: Bool, waits: Bool) throws {
        defer { remove() }
        let look = """
            while :; do for p in /proc/[0-9]*; do grep -q skiff $p/comm || continue; echo seen
            grep -E '^(Uid|CapPrm|CapBnd|NoNewPrivs|Seccomp):' $p/status; tr '\\0' '\\n' < $p/environ
            for f in $p/fd/*; do readlink $f | grep ^/; done; done; done >> /tmp/seen 2>/dev/null
            """
        let (_, join) = try startOwner(look) { $0.addCapability("CAP_SYS_PTRACE") }
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "console", mode: 0o600, group: nil)
        try bundle.write(command: ["true"]) { spec in
            join(&spec)
            spec.process?.user.uid = 4242
            spec.process?.terminal = terminal
            spec.linux.seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
            spec.linux.seccomp?.rules = [.init(names: ["mkdir"], action: "SCMP_ACT_ERRNO")]
        }
        let console = terminal ? ["--console-socket", bundle.path + "/console"] : []
        let make = waits ? ["create"] : terminal ? ["run", "--detach"] : ["run"]
        for _ in 0..<Bundle.rounds / 5 {
            let made = try bundle.runtime(make + console + ["--bundle", bundle.path, bundle.id])
            try #require(made.code == 0, "\(made.errors)")
            let master = terminal ? try bundle.received(listener.raw) : nil
            #expect((master != nil) == terminal)
            defer { withExtendedLifetime(master) {} }
            if terminal || waits {
                let pid = try #require(try bundle.document()["pid"]?.intValue.flatMap { pid_t(exactly: $0) })
                if waits { #expect(try bundle.runtime("start", bundle.id).code == 0) }
                #expect(try bundle.waitForEnd(pid))
                #expect(try bundle.runtime("delete", bundle.id).code == 0)
            }
        }
        let lines = Set(try readText(owner.path + "/rootfs/tmp/seen").split(separator: "\n").map(String.init))
        #expect(!waits || lines.contains("seen"), "a process at the gate is there to be seen")
        let confined: Set<String> = [
            "seen", "Uid:\t4242\t4242\t4242\t4242", "CapPrm:\t0000000000000001", "CapPrm:\t0000000000000000",
            "CapBnd:\t0000000000000001",
            "NoNewPrivs:\t1", "Seccomp:\t2",
        ]
        // Its streams and the gate; and what is looked at may have become the program by the next look.
        let own = lines.filter { line in
            ["/out", "/err", "/dev/null", "/dev/console", "/dev/pts/0", "PATH=/bin", "HOME=/"].contains {
                line == $0 || line.hasPrefix("/tmp/skiff-test") && line.hasSuffix($0)
            } || line.contains("/exec.fifo")
        }
        #expect(lines.subtracting(confined).subtracting(own) == [])
    }

    // MARK: Life

    @Test func itSeesTheOthersProcessesAndIsSeen() throws {
        defer { remove() }
        let (pid, join) = try startOwner()
        let result = try bundle.run(
            "tr '\\0' ' ' < /proc/1/cmdline; echo; readlink /proc/self/ns/pid; grep ^NSpid: /proc/self/status; mount"
        ) { spec in
            join(&spec)
            spec.mounts[0].options.append("hidepid=noaccess")
        }
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.lines.first == "sleep 100 " || result.lines.first == "sh -c sleep 100 ")
        #expect(result.lines.dropFirst().first == (try readLink("/proc/\(pid)/ns/pid")))
        #expect(result.lines.contains { $0.hasPrefix("proc on /proc") && $0.contains("hidepid=noaccess") })
        #expect(bundle.leftNothing)
        #expect(try owner.state() == "running")
        #expect(
            try count() == 2)
    }

    /// What is told, and what the other verbs find, is the process that becomes the program.
    @Test(arguments: [false, true]) func itLivesAsOthersDo(terminal: Bool) throws {
        defer { remove() }
        let (first, join) = try startOwner()
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "console", mode: 0o600, group: nil)
        let console = terminal ? ["--console-socket", bundle.path + "/console"] : []
        // Without a terminal its output is the file that the runtime's is read from.
        let told = terminal ? "echo; cat /proc/self/stat; " : ""
        try bundle.write(command: ["sh", "-c", "trap 'exit 7' TERM; \(told)sleep 100 & wait"]) {
            join(&$0)
            $0.process?.terminal = terminal
        }
        for _ in 0..<2 {
            let made = try bundle.runtime(
                ["create"] + console + ["--pid-file", bundle.path + "/pid", "--bundle", bundle.path, bundle.id])
            try #require(made.code == 0, "\(made.errors)")
            let master = terminal ? try bundle.received(listener.raw) : nil
            #expect((master != nil) == terminal)
            defer { withExtendedLifetime(master) {} }
            let document = try bundle.document()
            let pid = try #require(document["pid"]?.intValue.flatMap { pid_t(exactly: $0) })
            #expect(document["status"]?.stringValue == "created")
            #expect(try readText(bundle.path + "/pid") == "\(pid)")
            #expect(try readLink("/proc/\(pid)/ns/pid") == readLink("/proc/\(first)/ns/pid"))
            let group = try readText("/proc/\(pid)/cgroup")
            #expect(group.contains("/skiff-\(bundle.id)"), "\(group)")
            #expect(try bundle.runtime("start", bundle.id).code == 0)
            #expect(try bundle.state() == "running")
            if let master {
                // Session, terminal and foreground are its own.
                var fields: [Substring] = []
                while fields.count < 8 {
                    var bytes = [UInt8](repeating: 0, count: 4096)
                    let count = try bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
                        try read(master.descriptor.raw, into: buffer)
                    }
                    try #require(count > 0)
                    fields = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
                }
                #expect(fields[6] != "0" && fields[5] == fields[7], "\(fields)")
            }
            let inside = try bundle.runtime("exec", bundle.id, "readlink", "/proc/self/ns/pid")
            #expect(inside.lines == [try readLink("/proc/\(first)/ns/pid")], "\(inside.errors)")
            #expect(try bundle.runtime("ps", "--format", "json", bundle.id).output.contains("\(pid)"))
            #expect(try bundle.runtime("pause", bundle.id).code == 0)
            #expect(try bundle.state() == "paused")
            #expect(try bundle.runtime("resume", bundle.id).code == 0)
            #expect(try bundle.runtime("kill", bundle.id, "TERM").code == 0)
            #expect(try bundle.waitForEnd(pid))
            #expect(try bundle.runtime("delete", bundle.id).code == 0)
            #expect(bundle.leftNothing)
        }
        #expect(try owner.state() == "running")
    }

    /// At the gate it can be killed, and what fails behind it is told or leaves nothing.
    @Test func itEndsAsOthersDo() throws {
        defer { remove() }
        let (_, join) = try startOwner()
        let pid = try bundle.create("true", join)
        #expect(try bundle.runtime("kill", bundle.id, "TERM").code == 0)
        #expect(try bundle.waitForEnd(pid))
        #expect(try bundle.runtime("delete", bundle.id).code == 0)
        let missing = try bundle.run(command: ["/no/such"], join)
        #expect(missing.code != 0 && missing.errors.contains("/no/such"), "\(missing.errors)")
        let outside = try bundle.run("true") {
            join(&$0)
            $0.process?.directory = "/proc/self/cwd/no"
        }
        #expect(outside.code != 0, "\(outside.errors)")
        #expect(try bundle.run("exit 5", join).code == 5)
        #expect(bundle.leftNothing)
        #expect(
            try count() == 2)
    }

    @Test func withoutAProcfsItIsTheSame() throws {
        defer { remove() }
        let (pid, join) = try startOwner()
        _ = try bundle.create("sleep 100") { spec in
            join(&spec)
            spec.mounts.removeAll { $0.type == "proc" }
            spec.linux.maskedPaths = []
            spec.linux.readonlyPaths = []
        }
        let made = try #require(try bundle.document()["pid"]?.intValue)
        #expect(try readLink("/proc/\(made)/ns/pid") == readLink("/proc/\(pid)/ns/pid"))
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.runtime("exec", bundle.id, "ls", "/proc").output == "")
    }

    @Test func parametersAndMasksAreThoseOfItsProcfs() throws {
        defer { remove() }
        let (_, join) = try startOwner()
        let result = try bundle.run(
            "cat /proc/sys/net/ipv4/ip_forward; wc -c < /proc/keys; echo 0 > /proc/sys/net/ipv4/ip_forward"
        ) {
            spec in
            join(&spec)
            spec.linux.sysctl = ["net.ipv4.ip_forward": "1"]
        }
        #expect(result.lines == ["1", "0"] && result.errors.contains("Read-only"), "\(result.errors)")
    }

    /// A limit of one process has no room for the two it otherwise is for a moment.
    @Test(arguments: [false, true]) func oneProcessIsEnough(ofTheUsers: Bool) throws {
        defer { remove() }
        let (_, join) = try startOwner()
        let result = try bundle.run(command: ["readlink", "/proc/self/ns/net"]) { spec in
            join(&spec)
            if ofTheUsers {
                spec.process?.user.uid = 424_242
                spec.process?.rlimits = [.init(type: "RLIMIT_NPROC", soft: 1, hard: 1)]
            } else {
                spec.linux.resources.pidsLimit = 1
            }
        }
        #expect(result.code == 0, "\(result.errors)")
    }

    /// Who decides on calls is told the number of the process that makes them, of one that enters as well.
    @Test func itsListenerIsToldTheNumberItKeeps() throws {
        defer { remove() }
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "notify", mode: 0o600, group: nil)
        let (_, join) = try startOwner()
        let pid = try bundle.create("sleep 100") { spec in
            join(&spec)
            spec.linux.seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
            spec.linux.seccomp?.rules = [.init(names: ["mkdir"], action: "SCMP_ACT_NOTIFY")]
            spec.linux.seccomp?.listenerPath = bundle.path + "/notify"
        }
        let made = try #require(try bundle.received(listener.raw))
        #expect(try JSON.parse(made.bytes)["pid"]?.intValue == Int64(pid))
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime(
            "exec", "--detach", "--pid-file", bundle.path + "/pid", bundle.id, "sleep", "100")
        #expect(entered.code == 0, "\(entered.errors)")
        let second = try #require(try bundle.received(listener.raw))
        #expect(try JSON.parse(second.bytes)["pid"]?.intValue.map { "\($0)" } == readText(bundle.path + "/pid"))
    }

    /// The hooks of create run outside of the pid namespace, that of start inside; each sees the container's own process.
    @Test func itsHooksAreRun() throws {
        defer { remove() }
        let (first, join) = try startOwner()
        func note(_ file: String) -> RuntimeSpec.Hook {
            RuntimeSpec.Hook(
                path: "/bin/sh", arguments: ["sh", "-c", "(readlink /proc/self/ns/pid; cat) > \(file)"],
                environment: ["PATH=/bin:/usr/bin"])
        }
        let pid = try bundle.create("true") { spec in
            join(&spec)
            spec.hooks.createRuntime = [note(bundle.path + "/runtime")]
            spec.hooks.createContainer = [note(bundle.path + "/container")]
            spec.hooks.startContainer = [note("/tmp/start")]
        }
        let own = try readLink("/proc/self/ns/pid"), shared = try readLink("/proc/\(first)/ns/pid")
        let runtime = try readText(bundle.path + "/runtime"), container = try readText(bundle.path + "/container")
        #expect(runtime.hasPrefix(own) && runtime.contains("\"pid\":"))
        #expect(container.hasPrefix(own) && !container.contains("\"pid\":"))
        let number = try readText("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("NSpid:") }?
            .split(separator: "\t").last
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.waitForEnd(pid))
        let start = try readText(bundle.path + "/rootfs/tmp/start")
        #expect(start.hasPrefix(shared) && start.contains("\"pid\":\(number ?? "?"),"), "\(start)")
    }

    // MARK: Older kernels

    /// Without the mount option it is the procfs that others in the namespace have, mounted once more.
    @Test func theOthersProcfsIsMountedOnceMore() throws {
        defer { remove() }
        let (pid, _) = try startOwner()
        let namespace = try open("/proc/\(pid)/ns/pid", O_RDONLY)
        let copy = try #require(SharedProcfs.copy(of: namespace.raw))
        let tree = try SharedProcfs.asCopy(copy).mount(
            source: "proc", PlannedMount(.init(destination: "/proc", type: "proc", source: "proc", options: ["ro"])))
        #expect(Procfs.isRoot(tree.raw))
        let first = try open("1/ns/pid", O_RDONLY, at: tree.raw)
        #expect(try status(of: first.raw).st_ino == status(of: namespace.raw).st_ino)
        var found = statfs()
        #expect(fstatfs(tree.raw, &found) == 0)
        // Read-only is asked for; nosuid, nodev and noexec are the other's.
        #expect(found.f_flags & 0xf == 1)
    }

    /// Not one that hides processes, nor that of another namespace.
    @Test func anotherProcfsIsNotMountedOnceMore() throws {
        defer { remove() }
        let (pid, _) = try startOwner { $0.mounts[0].options.append("hidepid=invisible") }
        let hiding = try open("/proc/\(pid)/ns/pid", O_RDONLY)
        #expect(SharedProcfs.copy(of: hiding.raw) == nil)
        let cloned = try Linux.clone(.pid)
        if cloned.isChild { while true { pause() } }
        let process = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        defer {
            try? process.send(SIGKILL)
            _ = try? process.wait()
        }
        let bare = try open("/proc/\(cloned.pid)/ns/pid", O_RDONLY)
        #expect(SharedProcfs.copy(of: bare.raw) == nil)
    }
}
