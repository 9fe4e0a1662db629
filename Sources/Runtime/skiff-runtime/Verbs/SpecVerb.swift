internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `spec`: writes a config.json to begin with.
struct SpecVerb: Verb {
    static let name = "spec"
    static let summary = "write a config.json to begin with"
    static let operands = ""
    static let flags = Flags(
        """
        --bundle -b DIR  the bundle's directory (the working directory)
        --rootless       for the user who runs this, without root's rights
        """)

    private let bundle: String
    private let rootless: Bool

    init(_ arguments: Arguments) throws {
        try arguments.none()
        bundle = arguments.last("bundle") ?? "."
        rootless = arguments.has("rootless")
    }

    func run(_ context: RuntimeContext) throws {
        let isV1 = (try? CgroupLayout.detect())?.isV1 ?? false
        var spec = Self.document(isV1: isV1)
        if rootless { Self.makeRootless(&spec, uid: geteuid(), gid: getegid()) }
        let path = bundle + "/config.json"
        let file: OwnedDescriptor
        do throws(SystemError) { file = try open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644) } catch {
            guard error.errno == EEXIST else { throw error }
            throw RuntimeFailure(.specification, "File \(path) exists. Remove it first")
        }
        try writeAll(file.raw, spec.json.serialized(pretty: true) + [UInt8(ascii: "\n")])
    }

    /// A shell with few rights in namespaces of its own.
    static func document(isV1: Bool) -> RuntimeSpec {
        var process = RuntimeSpec.Process(
            arguments: ["sh"],
            environment: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"])
        process.terminal = true
        var capabilities = RuntimeSpec.Capabilities()
        let names = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        capabilities.bounding = names
        capabilities.effective = names
        capabilities.permitted = names
        process.capabilities = capabilities
        process.rlimits = [RuntimeSpec.ResourceLimit(type: "RLIMIT_NOFILE", soft: 1024, hard: 1024)]
        process.noNewPrivileges = true

        var spec = RuntimeSpec(process: process, root: RuntimeSpec.Root(path: "rootfs", readonly: true))
        spec.hostname = "skiff-runtime"
        let quiet = ["nosuid", "noexec", "nodev"]
        spec.mounts = [
            RuntimeSpec.Mount(destination: "/proc", type: "proc", source: "proc"),
            RuntimeSpec.Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            RuntimeSpec.Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            RuntimeSpec.Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm", options: quiet + ["mode=1777", "size=65536k"]),
            RuntimeSpec.Mount(destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: quiet),
            RuntimeSpec.Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: quiet + ["ro"]),
            RuntimeSpec.Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: quiet + ["relatime", "ro"]),
        ]
        spec.linux.namespaces = [.init(.pid), .init(.network), .init(.ipc), .init(.uts), .init(.mount)]
        if !isV1 { spec.linux.namespaces.append(.init(.cgroup)) }
        spec.linux.resources.devices = [RuntimeSpec.Resources.DeviceRule(allow: false)]
        spec.linux.maskedPaths = [
            "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ]
        spec.linux.readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        return spec
    }

    /// The same for an ordinary user: a user namespace in which they are root, the host's network, nothing that needs more.
    static func makeRootless(_ spec: inout RuntimeSpec, uid: UInt32, gid: UInt32) {
        spec.linux.namespaces.removeAll { $0.kind == .network || $0.kind == .user }
        spec.linux.namespaces.append(.init(.user))
        spec.linux.uidMappings = [RuntimeSpec.IDMapping(container: 0, host: uid, size: 1)]
        spec.linux.gidMappings = [RuntimeSpec.IDMapping(container: 0, host: gid, size: 1)]
        spec.linux.resources = RuntimeSpec.Resources()
        spec.mounts = spec.mounts.map { mount in
            var mount = mount
            if mount.destination == "/sys" {
                // A sysfs can be mounted only by who owns the network namespace.
                return RuntimeSpec.Mount(
                    destination: "/sys", type: "none", source: "/sys",
                    options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
            }
            mount.options.removeAll { $0.hasPrefix("gid=") || $0.hasPrefix("uid=") }
            return mount
        }
    }
}
