import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Attacks on the kernel's own doors, and on what the runtime keeps on the host; each is named by its advisory.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct KernelAttackTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    /// GHSA-g54h-m393-cpwq: a document without device rules does not allow all devices.
    @Test func noDeviceRuleIsNotEveryDevice() throws {
        defer { bundle.remove() }
        // 10:200 makes network interfaces, whoever opens it; 1:3 is the null device.
        let script = """
            busybox mknod /tmp/tun c 10 200 && (exec 3<>/tmp/tun) 2>&1
            busybox mknod /tmp/null c 1 3 && (exec 3</tmp/null) && echo null
            """
        let result = try bundle.run(script) { spec in
            spec.addCapability("CAP_MKNOD")
            spec.linux.resources.devices = []
        }
        #expect(result.lines.count == 2 && result.lines.last == "null", "\(result.output)\(result.errors)")
        #expect(result.lines.first?.contains("Operation not permitted") == true, "\(result.output)")
    }

    /// CVE-2022-0492: no program is named that the host runs when a cgroup is empty.
    @Test(arguments: [true, false]) func noReleaseAgentIsInReach(ownNamespace: Bool) throws {
        defer { bundle.remove() }
        let script = """
            busybox find /sys/fs/cgroup -name release_agent
            mkdir /tmp/c; mount -t cgroup -o rdma c /tmp/c 2>/dev/null && echo mounted
            ls -d /sys/fs/cgroup/* /sys/fs/cgroup/cgroup.procs 2>/dev/null | wc -l
            """
        let result = try bundle.run(
            script,
            mounts: [RuntimeSpec.Mount(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup")]
        ) { spec in
            if !ownNamespace { spec.linux.namespaces.removeAll { $0.kind == .cgroup } }
        }
        #expect(result.lines.count == 1, "\(result.output)\(result.errors)")
        #expect(result.lines.last != "0", "there are cgroups to be seen")
    }

    /// CVE-2020-15257, CVE-2021-41103: what is kept of a container is root's alone, and no socket has a name that any network
    /// namespace's process can call.
    @Test func whatIsKeptIsRootsAlone() throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 1000")
        let state = bundle.path + "/state"
        for (path, mode) in [
            (state, 0o700), (state + "/" + bundle.id, 0o700), (state + "/\(bundle.id)/state.json", 0o600),
            (state + "/\(bundle.id)/config.json", 0o600), (state + "/\(bundle.id)/exec.fifo", 0o600),
        ] as [(String, mode_t)] {
            #expect(try status(path).permissions == mode, "\(path)")
            #expect(try status(path).st_uid == 0)
        }
        let descriptors = try open("/proc/\(pid)/fd", O_RDONLY | O_DIRECTORY)
        let sockets = try readDirectory(descriptors.raw).compactMap { entry -> String? in
            guard let target = try? readLink(entry.name.text, at: descriptors.raw), target.hasPrefix("socket:[")
            else { return nil }
            return String(target.dropFirst(8).dropLast())
        }
        #expect(!sockets.isEmpty)
        // Num RefCount Protocol Flags Type St Inode Path; nameless ones end with the inode.
        for line in try readText("/proc/net/unix").split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ")
            if fields.count > 7, sockets.contains(String(fields[6])) { Issue.record("a named socket: \(line)") }
        }
    }

    /// An ordinary user with a copy of the program that is the user's own, and its rights over what it makes.
    private struct Ordinary {
        static let canRun =
            exists("/usr/bin/setpriv")
            && (try? readText("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"))?.hasPrefix("1") != true
            && (try? readText("/proc/sys/kernel/unprivileged_userns_clone"))?.hasPrefix("0") != true
        static let id: UInt32 = 12_345

        let bundle: Bundle
        var program: String { bundle.path + "/own/skiff-runtime" }

        init(_ bundle: Bundle) throws {
            self.bundle = bundle
            try makeDirectory(bundle.path + "/own", mode: 0o700)
            try writeFile(program, readFile(Bundle.program(), limit: 256 << 20), mode: 0o755)
            for path in ["", "/own", "/own/skiff-runtime", "/rootfs"] {
                try setOwnerEntry(bundle.path + path, uid: Self.id, gid: Self.id, at: Directory.working)
            }
        }

        func confine(_ spec: inout RuntimeSpec) {
            spec.linux.namespaces.append(.init(.user))
            spec.linux.uidMappings = [.init(container: 0, host: Self.id, size: 1)]
            spec.linux.gidMappings = spec.linux.uidMappings
            spec.linux.cgroupsPath = nil
        }

        func runtime(_ arguments: String...) throws -> Bundle.Output {
            let (out, err) = (bundle.path + "/out", bundle.path + "/err")
            let output = try open(out, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            let errors = try open(err, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            let pid = try Spawn(
                "/usr/bin/setpriv",
                arguments: [
                    "setpriv", "--reuid", "\(Self.id)", "--regid", "\(Self.id)", "--clear-groups", program, "--root",
                    bundle.path + "/own/state",
                ] + arguments, descriptors: [(output.raw, 1), (errors.raw, 2)]
            ).start()
            let end = try PidFD(pid).wait()
            return Bundle.Output(code: end?.code ?? -1, output: try readText(out), errors: try readText(err))
        }
    }

    /// CVE-2019-5736: whoever may write to the program without being able to mount runs it from a sealed copy.
    @Test(.enabled(if: Ordinary.canRun, "setpriv and user namespaces for everybody are needed"))
    func anOrdinaryUsersProgramCannotBeWrittenEither() throws {
        defer { bundle.remove() }
        let user = try Ordinary(bundle)
        try bundle.write(command: ["sleep", "1000"], user.confine)
        let made = try user.runtime("create", "--bundle", bundle.path, bundle.id)
        try #require(made.code == 0, "\(made.errors)")
        let state = try JSON.parse(Array(user.runtime("state", bundle.id).output.utf8))
        let pid = try #require(state["pid"]?.intValue)
        let before = try readFile(user.program, limit: 256 << 20)
        let reached = try open("/proc/\(pid)/exe", O_RDONLY)
        let ours = try status(user.program), theirs = try status(of: reached.raw)
        #expect(ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev, "it is a copy")
        #expect(try user.runtime("delete", "--force", bundle.id).code == 0)
        // Nobody runs it any more, and still nothing can be written.
        let again = try openUnused(reached.procPath)
        #expect(throws: SystemError.self) { try writeAll(again.raw, "overwritten") }
        #expect(throws: SystemError.self) { try check("ftruncate") { ftruncate(again.raw, 0) } }
        #expect(try readFile(user.program, limit: 256 << 20) == before)
    }

    /// Opens a program for writing that nobody runs any more; the kernel lets go of it when it comes to it.
    private func openUnused(_ path: String) throws -> OwnedDescriptor {
        for _ in 0..<3000 {
            do throws(SystemError) { return try open(path, O_RDWR) } catch {
                guard error.errno == ETXTBSY else { throw error }
            }
            _ = try poll([], timeout: 20)
        }
        return try open(path, O_RDWR)
    }

    /// CVE-2023-25809: cgroups that are the user's own outside as well are not to be written to inside.
    @Test(.enabled(if: Ordinary.canRun, "setpriv and user namespaces for everybody are needed"))
    func anOrdinaryUsersCgroupsAreReadOnly() throws {
        defer { bundle.remove() }
        let user = try Ordinary(bundle)
        try makeDirectories(bundle.path + "/rootfs/sys/fs/cgroup")
        try bundle.write(
            command: ["cat", "/proc/self/mountinfo"],
            mounts: [RuntimeSpec.Mount(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup")]
        ) { spec in
            user.confine(&spec)
            spec.linux.namespaces.removeAll { $0.kind == .cgroup }
        }
        let result = try user.runtime("run", "--bundle", bundle.path, bundle.id)
        let groups = result.mounts.filter { $0[4].hasPrefix("/sys/fs/cgroup") }
        #expect(!groups.isEmpty, "\(result.errors)")
        #expect(groups.allSatisfy { $0[5].hasPrefix("ro") }, "\(result.output)")
    }

    /// CVE-2016-9962: what enters by way of the user's own namespace is not to be traced in it either, from its first moment.
    @Test(.enabled(if: Ordinary.canRun, "setpriv and user namespaces for everybody are needed"))
    func whatAnOrdinaryUserLetsInCannotBeTraced() throws {
        defer { bundle.remove() }
        let user = try Ordinary(bundle)
        try makeDirectory(bundle.path + "/rootfs/out")
        try setOwnerEntry(bundle.path + "/rootfs/out", uid: Ordinary.id, gid: Ordinary.id, at: Directory.working)
        let script = """
            while :; do busybox ls -l /proc/[0-9]*/exe 2>/dev/null | grep -E 'skiff|memfd' >> /out/seen; done
            """
        try bundle.write(command: ["sh", "-c", script]) { spec in
            user.confine(&spec)
            spec.addCapability("CAP_SYS_PTRACE")
        }
        let made = try user.runtime("create", "--bundle", bundle.path, bundle.id)
        try #require(made.code == 0, "\(made.errors)")
        defer { _ = try? user.runtime("delete", "--force", bundle.id) }
        #expect(try user.runtime("start", bundle.id).code == 0)
        for _ in 0..<Bundle.rounds {
            let entered = try user.runtime("exec", bundle.id, "true")
            #expect(entered.code == 0, "\(entered.errors)")
        }
        #expect(try readText(bundle.path + "/rootfs/out/seen") == "")
    }
}
