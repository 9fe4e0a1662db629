internal import Failures

/// The names of Linux's capabilities, in the kernel's order (`linux/capability.h`).
enum CapabilityNames {
    static let all: [String] = """
        CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
        NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
        SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
        MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
        """.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { "CAP_\($0)" }

    /// What Docker gives every container.
    static let standard: [String] = """
        CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
        AUDIT_WRITE
        """.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { "CAP_\($0)" }

    /// The set that `--cap-add`, `--cap-drop` and `--privileged` leave, as moby's `TweakCapabilities` decides it.
    ///
    /// - Parameter available: what this host can give at all; `ALL` and `privileged` mean that.
    /// - Throws: `invalid` for a name nobody knows.
    static func effective(
        adding: [String], dropping: [String], privileged: Bool, available: Set<String>
    ) throws(Failure) -> [String] {
        let adds = try normalised(adding)
        let drops = try normalised(dropping)
        let everything = all.filter(available.contains)
        if privileged { return everything }
        if adds.contains("ALL") { return everything.filter { !drops.contains($0) } }
        if drops.contains("ALL") { return all.filter { adds.contains($0) } }
        return all.filter { (standard.contains($0) && !drops.contains($0)) || adds.contains($0) }
    }

    private static func normalised(_ names: [String]) throws(Failure) -> Set<String> {
        var result: Set<String> = []
        for name in names {
            let upper = name.uppercased()
            let full = upper == "ALL" || upper.hasPrefix("CAP_") ? upper : "CAP_\(upper)"
            guard full == "ALL" || full == "CAP_ALL" || all.contains(full) else {
                throw Failure(.invalid, "unknown capability: \"\(full)\"")
            }
            result.insert(full == "CAP_ALL" ? "ALL" : full)
        }
        return result
    }
}
