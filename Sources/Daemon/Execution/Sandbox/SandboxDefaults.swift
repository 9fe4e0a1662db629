internal import OCI

/// What every container gets without being asked, as Docker has it (moby `oci/defaults.go`).
enum SandboxDefaults {
    /// The mounts of every container, in the order in which they are made.
    static func mounts(_ settings: SandboxSettings) -> [RuntimeSpec.Mount] {
        let shm =
            settings.namespaces.ipc == .host
            ? RuntimeSpec.Mount(
                destination: "/dev/shm", type: "bind", source: "/dev/shm", options: ["rbind", "rprivate"])
            : RuntimeSpec.Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=\(settings.sharedMemorySize)"])
        let mqueue =
            settings.namespaces.ipc == .host
            ? RuntimeSpec.Mount(
                destination: "/dev/mqueue", type: "bind", source: "/dev/mqueue", options: ["rbind", "rprivate"])
            : RuntimeSpec.Mount(
                destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"])
        let readOnly = settings.privileged ? [] : ["ro"]
        return [
            RuntimeSpec.Mount(
                destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
            RuntimeSpec.Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            RuntimeSpec.Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            RuntimeSpec.Mount(
                destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev"] + readOnly),
            RuntimeSpec.Mount(
                destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
                options: ["nosuid", "noexec", "nodev", "relatime"] + readOnly),
            mqueue, shm,
        ]
    }

    /// Files of the host's kernel that tell or do too much.
    static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
    ]

    static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    /// Nothing, then what a container's own `/dev` is made of; nodes may be made of anything, and used of these only.
    static let deviceRules: [RuntimeSpec.Resources.DeviceRule] = {
        typealias Rule = RuntimeSpec.Resources.DeviceRule
        var rules = [Rule(allow: false)]
        rules.append(Rule(allow: true, type: "c", access: "m"))
        rules.append(Rule(allow: true, type: "b", access: "m"))
        // null, zero, full, random, urandom, tty, console, ptmx
        for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] as [(Int64, Int64)] {
            rules.append(Rule(allow: true, type: "c", major: major, minor: minor))
        }
        rules.append(Rule(allow: true, type: "c", major: 136))
        return rules
    }()

    /// Safe in a network namespace of one's own: ports below 1024 and ping need no capability there.
    static let networkSysctls = [
        "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647",
    ]
}
