internal import CLinux
internal import Linux

/// Law 3: what labels, limits and parameters are written through must be the real thing.
enum Procfs {
    /// Whether an open directory is a procfs as a whole: a part of one that lies at `/proc` would lead writes elsewhere
    /// (CVE-2025-52881).
    ///
    /// The kernel's `PROC_ROOT_INO` is 1.
    static func isRoot(_ directory: Int32) -> Bool {
        isInside(directory) && (try? status(of: directory))?.st_ino == 1
    }

    /// Whether an open file is one of a procfs.
    static func isInside(_ file: Int32) -> Bool { (try? fileSystemType(of: file)) == Int(PROC_SUPER_MAGIC) }

    /// That of where this process is, proven to be one; the caller owns the number.
    static func openOwn() -> Int32? {
        guard let raw = try? open("/proc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW).release() else { return nil }
        if isRoot(raw) { return raw }
        closeDescriptor(raw)
        return nil
    }

    /// Refuses a mount that would put something else in the place of `/proc` or of a part of it (CVE-2019-16884,
    /// CVE-2023-28642): programs and the runtime itself trust what is there.
    ///
    /// - Parameters:
    ///   - tree: what is mounted; nil for what is never a procfs.
    ///   - target: what it is to cover.
    static func refuseReplacing(_ destination: String, target: Int32, by tree: Int32?) throws(SystemError) {
        if destination == "/proc" {
            if let tree, isRoot(tree) { return }
        } else {
            guard isInside(target), !replaceable.contains(destination) else { return }
        }
        throw SystemError("move_mount", errno: EPERM, subject: "what is not a procfs")
    }

    /// What only informs, and what file systems like lxcfs show a container its own numbers by; runc has the same list.
    private static let replaceable: Set<String> = [
        "/proc/cpuinfo", "/proc/diskstats", "/proc/loadavg", "/proc/meminfo", "/proc/slabinfo", "/proc/stat",
        "/proc/swaps", "/proc/sys/crypto/fips_enabled", "/proc/sys/kernel/ns_last_pid", "/proc/uptime",
    ]
}
