import JSON
import OCI

/// Bundles drawn from the whole of config.json, the same ones every time.
///
/// A choice that both runtimes must refuse is none of ours: what is drawn is meant to run.
struct BundleGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// xorshift64*: short, and the same everywhere.
    private mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    private mutating func draw(_ bound: Int) -> Int { Int(next() >> 33) % bound }
    private mutating func chance(_ percent: Int) -> Bool { draw(100) < percent }
    private mutating func one<T>(_ choices: [T]) -> T { choices[draw(choices.count)] }
    private mutating func some<T>(_ choices: [T], percent: Int) -> [T] { choices.filter { _ in chance(percent) } }

    /// - Parameters:
    ///   - probe: the program to run.
    ///   - shared: a directory of the host for binds.
    mutating func spec(probe: String, shared: String) -> RuntimeSpec {
        let code = chance(30) ? draw(100) : 0
        var process = RuntimeSpec.Process(
            arguments: ["/bin/sh", "-c", probe + "\nexit \(code)"],
            environment: ["PATH=/bin:/sbin", "HOME=/root"]
                + some(["A=b", "EMPTY=", "SPACED=a b c", "UTF=žluť"], percent: 50),
            directory: one(["/", "/tmp", "/etc", "/new/directory"]))
        process.user.uid = chance(40) ? UInt32(draw(3000)) : 0
        process.user.gid = chance(40) ? UInt32(draw(3000)) : 0
        if chance(30) { process.user.additionalGids = [10, 20, UInt32(1000 + draw(1000))] }
        if chance(40) { process.user.umask = one([0o22, 0o77, 0o27, 0]) }
        process.noNewPrivileges = chance(60)
        if chance(60) { process.oomScoreAdjustment = Int32(draw(1000)) }
        process.capabilities = capabilities()
        for (type, limit) in some(
            [("RLIMIT_CORE", 0), ("RLIMIT_STACK", 8 << 20), ("RLIMIT_NOFILE", 512), ("RLIMIT_FSIZE", 1 << 30)],
            percent: 40)
        {
            process.rlimits.append(
                RuntimeSpec.ResourceLimit(type: type, soft: UInt64(limit), hard: UInt64(limit)))
        }
        var spec = RuntimeSpec(process: process, root: RuntimeSpec.Root(path: "rootfs", readonly: false))
        // What every release of the peer reads.
        spec.version = "1.0.0"
        spec.root.readonly = chance(40) && process.directory != "/new/directory"
        spec.mounts = mounts(shared)
        namespaces(&spec)
        spec.linux.maskedPaths = some(
            ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi", "/proc/scsi", "/sys/firmware", "/nothing"],
            percent: 60)
        spec.linux.readonlyPaths = some(
            ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/nothing/either"], percent: 60)
        if chance(40) { spec.linux.rootfsPropagation = one(["private", "slave", "rprivate", "rslave"]) }
        spec.linux.resources = resources()
        if chance(30) {
            var device = RuntimeSpec.Device(type: "c", path: "/dev/made", major: 1, minor: 5, mode: 0o640)
            device.uid = 7
            device.gid = 8
            if spec.linux.namespace(.user) == nil { spec.linux.devices = [device] }
        }
        if chance(30) { spec.annotations = ["org.example.a": "b"] }
        return spec
    }

    private mutating func capabilities() -> RuntimeSpec.Capabilities {
        let names = [
            "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID",
            "CAP_SETUID", "CAP_SYS_CHROOT",
        ]
        var sets = RuntimeSpec.Capabilities()
        sets.bounding = some(names, percent: 60)
        sets.permitted = sets.bounding.filter { _ in chance(70) }
        sets.effective = sets.permitted.filter { _ in chance(70) }
        if chance(30) {
            sets.inheritable = sets.permitted
            sets.ambient = sets.permitted.filter { _ in chance(50) }
        }
        return sets
    }

    private mutating func mounts(_ shared: String) -> [RuntimeSpec.Mount] {
        var mounts = [
            RuntimeSpec.Mount(
                destination: "/proc", type: "proc", source: "proc",
                options: one([[], ["nosuid", "noexec", "nodev"]])),
            RuntimeSpec.Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            RuntimeSpec.Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            RuntimeSpec.Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            RuntimeSpec.Mount(
                destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
        ]
        if chance(80) {
            mounts.append(
                RuntimeSpec.Mount(
                    destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]))
            if chance(60) {
                mounts.append(
                    RuntimeSpec.Mount(
                        destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                        options: ["nosuid", "noexec", "nodev", "relatime", "ro"]))
            }
        }
        for number in 0..<draw(4) {
            let flags = some(["ro", "nosuid", "nodev", "noexec"], percent: 40)
            switch draw(3) {
            case 0:
                mounts.append(
                    RuntimeSpec.Mount(
                        destination: "/mnt/t\(number)", type: "tmpfs", source: "tmpfs",
                        options: flags + ["mode=1750", "size=1m"]))
            case 1:
                mounts.append(
                    RuntimeSpec.Mount(
                        destination: "/mnt/b\(number)", type: "bind", source: shared,
                        options: [one(["bind", "rbind"])] + flags + some(["rprivate"], percent: 50)))
            default:
                mounts.append(
                    RuntimeSpec.Mount(
                        destination: "/mnt/f\(number)", type: "bind", source: shared + "/file",
                        options: ["bind"] + flags))
            }
        }
        return mounts
    }

    private mutating func namespaces(_ spec: inout RuntimeSpec) {
        spec.linux.namespaces = [.init(.mount), .init(.pid), .init(.network)]
        for kind in [RuntimeSpec.Namespace.Kind.ipc, .uts, .cgroup] where chance(75) {
            spec.linux.namespaces.append(.init(kind))
        }
        if spec.linux.namespace(.ipc) == nil { spec.mounts.removeAll { $0.type == "mqueue" } }
        if spec.linux.namespace(.uts) != nil {
            if chance(70) { spec.hostname = one(["box", "a-long-host-name.example"]) }
            if chance(30) { spec.domainname = "example.org" }
        }
        if chance(40) { spec.linux.sysctl["net.ipv4.ip_forward"] = one(["0", "1"]) }
        if chance(30), spec.linux.namespace(.ipc) != nil { spec.linux.sysctl["kernel.msgmax"] = "8000" }
        if chance(25) {
            spec.linux.namespaces.append(.init(.user))
            let mapping = RuntimeSpec.IDMapping(container: 0, host: 100_000, size: 65_536)
            spec.linux.uidMappings = [mapping]
            spec.linux.gidMappings = [mapping]
        }
    }

    private mutating func resources() -> RuntimeSpec.Resources {
        var resources = RuntimeSpec.Resources()
        resources.devices = [RuntimeSpec.Resources.DeviceRule(allow: false)]
        if chance(50) {
            resources.devices.append(
                RuntimeSpec.Resources.DeviceRule(
                    allow: true, type: "c", major: 10, minor: 229, access: one(["rwm", "rw"])))
        }
        if chance(50) { resources.memory.limit = Int64(64 + draw(64)) << 20 }
        if chance(30) { resources.memory.reservation = 32 << 20 }
        if chance(50) { resources.cpu.shares = UInt64(2 + draw(2000)) }
        if chance(40) {
            resources.cpu.period = 100_000
            resources.cpu.quota = Int64(10_000 + draw(90_000))
        }
        if chance(30) { resources.cpu.cpus = "0" }
        if chance(50) { resources.pidsLimit = Int64(50 + draw(100)) }
        return resources
    }
}
