public import Linux
public import OCI

extension CapabilitySet {
    /// The names of capabilities(7), at the place of their number.
    public static let names: [String] = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// The capability's number; nil for a name nobody knows.
    ///
    /// Searched, since a table would be built at every start of a program that asks for a few dozen.
    fileprivate static func number(of name: String) -> Int? {
        let length = name.utf8.count
        return names.firstIndex { $0.utf8.count == length && $0 == name }
    }

    /// The set of these names; names nobody knows are left out, and told by ``RuntimeSpec/Capabilities/warnings``.
    public init(names: [String]) {
        var bits: UInt64 = 0
        for name in names {
            if let number = Self.number(of: name) { bits |= 1 << UInt64(number) }
        }
        self.init(rawValue: bits)
    }
}

extension RuntimeSpec.Process {
    /// Whether it, or what it runs, may have the right to trace others.
    public var mayTrace: Bool { capabilities?.bounding.contains("CAP_SYS_PTRACE") ?? false }
}

extension RuntimeSpec.Capabilities {
    /// What of the sets cannot be had, in words for a log.
    ///
    /// config.md, "Linux Process": what the runtime cannot grant is worth a warning, not a refusal.
    public var warnings: [String] {
        var unknown: [String] = []
        for set in [bounding, effective, permitted, inheritable, ambient] {
            for name in set where CapabilitySet.number(of: name) == nil && !unknown.contains(name) {
                unknown.append(name)
            }
        }
        var lines: [String] = []
        if !unknown.isEmpty { lines.append("unknown capabilities are left out: \(unknown.joined(separator: ", "))") }
        for name in ambient where CapabilitySet.number(of: name) != nil {
            let missing = [("permitted", permitted), ("inheritable", inheritable)].first { !$0.1.contains(name) }
            if let missing { lines.append("can't raise ambient capability \(name): it is not \(missing.0)") }
        }
        return lines
    }
}
