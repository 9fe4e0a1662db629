public import CLinux

/// A set of capabilities as the kernel keeps it: one bit each.
public struct CapabilitySet: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public func contains(number: Int32) -> Bool { rawValue & (1 << UInt64(number)) != 0 }

    /// The highest capability number this kernel knows.
    ///
    /// C function: `prctl(PR_CAPBSET_READ)`.
    public static var last: Int32 {
        var number = Int32(CAP_LAST_CAP)
        while number < 63, skiff_prctl(PR_CAPBSET_READ, UInt(number + 1), 0, 0, 0) >= 0 { number += 1 }
        while number > 0, skiff_prctl(PR_CAPBSET_READ, UInt(number), 0, 0, 0) < 0 { number -= 1 }
        return number
    }
}

/// Takes every capability that is not in `keep` out of the bounding set, for good.
///
/// C function: `prctl(PR_CAPBSET_DROP)`.
public func limitBoundingCapabilities(to keep: CapabilitySet) throws(SystemError) {
    for number in 0...63 where !keep.contains(number: Int32(number)) {
        let result = skiff_prctl(PR_CAPBSET_DROP, UInt(number), 0, 0, 0)
        if result < 0 {
            let number = skiff_errno()
            if number == EINVAL { return }  // past the last one this kernel knows
            throw SystemError("prctl(PR_CAPBSET_DROP)", errno: number)
        }
    }
}

/// Sets the three sets of this thread.
///
/// C function: `capset`.
public func setCapabilities(
    effective: CapabilitySet, permitted: CapabilitySet, inheritable: CapabilitySet
) throws(SystemError) {
    var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
    func half(_ shift: UInt64) -> __user_cap_data_struct {
        __user_cap_data_struct(
            effective: UInt32(truncatingIfNeeded: effective.rawValue >> shift),
            permitted: UInt32(truncatingIfNeeded: permitted.rawValue >> shift),
            inheritable: UInt32(truncatingIfNeeded: inheritable.rawValue >> shift))
    }
    // Two, and no list: its type would be made at run time.
    var data = (half(0), half(32))
    try check("capset") {
        withUnsafeBytes(of: &data) {
            skiff_capset(&header, $0.assumingMemoryBound(to: __user_cap_data_struct.self).baseAddress)
        }
    }
}

/// The permitted set of this thread.
///
/// C function: `capget`.
public func permittedCapabilities() throws(SystemError) -> CapabilitySet {
    var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
    var data = (__user_cap_data_struct(), __user_cap_data_struct())
    try check("capget") {
        withUnsafeMutableBytes(of: &data) {
            skiff_capget(&header, $0.assumingMemoryBound(to: __user_cap_data_struct.self).baseAddress)
        }
    }
    return CapabilitySet(rawValue: UInt64(data.0.permitted) | UInt64(data.1.permitted) << 32)
}

/// Makes the ambient set exactly this.
///
/// C function: `prctl(PR_CAP_AMBIENT)`.
public func setAmbientCapabilities(_ set: CapabilitySet) throws(SystemError) {
    try check("prctl(PR_CAP_AMBIENT_CLEAR_ALL)") {
        skiff_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
    }
    for number in 0...63 where set.contains(number: Int32(number)) {
        try check("prctl(PR_CAP_AMBIENT_RAISE)") {
            skiff_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), UInt(number), 0, 0)
        }
    }
}

/// Whether the permitted set survives the change from root to another user.
///
/// C function: `prctl(PR_SET_KEEPCAPS)`.
public func keepCapabilities(_ keep: Bool) throws(SystemError) {
    try check("prctl(PR_SET_KEEPCAPS)") { skiff_prctl(PR_SET_KEEPCAPS, keep ? 1 : 0, 0, 0, 0) }
}

/// No program this process runs gains rights from set-id bits or file capabilities.
///
/// C: `prctl(PR_SET_NO_NEW_PRIVS)`.
public func forbidNewPrivileges() throws(SystemError) {
    try check("prctl(PR_SET_NO_NEW_PRIVS)") { skiff_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }
}

/// The signal this process gets when its parent ends; 0 for none.
///
/// C function: `prctl(PR_SET_PDEATHSIG)`.
public func setParentDeathSignal(_ signal: Int32) throws(SystemError) {
    try check("prctl(PR_SET_PDEATHSIG)") { skiff_prctl(PR_SET_PDEATHSIG, UInt(signal), 0, 0, 0) }
}

/// The name in `comm`, 15 bytes.
///
/// C function: `prctl(PR_SET_NAME)`.
public func setProcessName(_ name: String) throws(SystemError) {
    try check("prctl(PR_SET_NAME)") { name.withCString { skiff_prctl(PR_SET_NAME, UInt(bitPattern: $0), 0, 0, 0) } }
}

/// Becomes a user and groups, all ids of each.
///
/// C functions: `setgroups`, `setresgid`, `setresuid`.
///
/// - Parameter groups: nil leaves them as they are.
/// - Throws: `EINVAL` for 4294967295, by which the kernel's calls mean "as it is": whoever asked for it would stay root.
public func become(uid: uid_t, gid: gid_t, groups: [gid_t]?) throws(SystemError) {
    guard uid != .max, gid != .max else { throw SystemError("setresuid", errno: EINVAL, subject: "\(uid):\(gid)") }
    if let groups { try check("setgroups") { setgroups(groups.count, groups) } }
    try check("setresgid", "\(gid)") { setresgid(gid, gid, gid) }
    try check("setresuid", "\(uid)") { setresuid(uid, uid, uid) }
}

/// The same, in a user namespace that may forbid that groups are changed.
///
/// There they stay as they are, and asking for some is an error: who maps only itself can drop none. See
/// user_namespaces(7), "The /proc/pid/setgroups file".
///
/// - Parameter groups: nil leaves them as they are.
public func becomeAsAllowed(uid: uid_t, gid: gid_t, groups: [gid_t]?) throws(SystemError) {
    do throws(SystemError) { try become(uid: uid, gid: gid, groups: groups) } catch {
        // With the right to change them it is the namespace that forbids it. The file is not asked: a container's /proc may
        // say anything.
        guard error.call == "setgroups", error.errno == EPERM,
            try permittedCapabilities().contains(number: Int32(CAP_SETGID))
        else { throw error }
        guard let groups, groups.allSatisfy({ $0 == gid }) else {
            throw error.about("additional groups, which this user namespace does not allow")
        }
        try become(uid: uid, gid: gid, groups: nil)
    }
}

/// A session keyring of its own, so that keys of the host's session are out of reach.
///
/// C: `keyctl(KEYCTL_JOIN_SESSION_KEYRING)`.
public func joinNewSessionKeyring(_ name: String) throws(SystemError) {
    try check("keyctl(JOIN_SESSION_KEYRING)") { name.withCString { skiff_keyctl(1, UInt(bitPattern: $0), 0, 0, 0) } }
}

/// The limits of `setrlimit(2)`, without `RLIMIT_`, each at the place of its number.
public let resourceLimitNames = [
    "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
    "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
]

/// Sets a limit of this process.
///
/// C function: `setrlimit`.
public func setResourceLimit(_ resource: Int32, soft: UInt64, hard: UInt64) throws(SystemError) {
    var limit = rlimit(rlim_cur: rlim_t(soft), rlim_max: rlim_t(hard))
    let index = Int(resource)
    let name = resourceLimitNames.indices.contains(index) ? "RLIMIT_" + resourceLimitNames[index] : "\(resource)"
    try check("setrlimit", "\(name) to \(soft):\(hard)") { setrlimit(__rlimit_resource_t(UInt32(resource)), &limit) }
}

/// A new session without a terminal.
///
/// C function: `setsid`.
public func startSession() throws(SystemError) { try check("setsid") { setsid() } }

/// Puts a descriptor under a number, which stays open across `exec`.
///
/// C function: `dup2`.
public func install(_ raw: Int32, as number: Int32) throws(SystemError) {
    if raw == number {
        try check("fcntl(F_SETFD)", "\(raw)") { skiff_fcntl(raw, F_SETFD, 0) }
    } else {
        try check("dup2", "\(raw) to \(number)") { dup2(raw, number) }
    }
}

/// Marks every descriptor from `first` on to be closed by `exec`.
///
/// C function: `close_range(CLOSE_RANGE_CLOEXEC)`.
public func closeOnExec(from first: Int32) throws(SystemError) {
    try check("close_range") { close_range(UInt32(first), UInt32.max, Int32(CLOSE_RANGE_CLOEXEC)) }
}

/// All signals at their defaults and none blocked, as a program expects at its start.
public func resetSignals() throws(SystemError) {
    var none = sigset_t()
    sigemptyset(&none)
    for number in 1..<Int32(32) where number != SIGKILL && number != SIGSTOP { _ = signal(number, nil) }
    try check("sigprocmask") { sigprocmask(SIG_SETMASK, &none, nil) }
}

/// Makes a terminal the controlling one of this session.
///
/// C function: `ioctl(TIOCSCTTY)`.
public func takeTerminal(_ terminal: Int32) throws(SystemError) {
    try check("ioctl(TIOCSCTTY)") { skiff_ioctl_number(terminal, UInt(TIOCSCTTY), 0) }
}

/// Installs a compiled system call filter for this thread and what it runs.
///
/// C function: `seccomp(SECCOMP_SET_MODE_FILTER)`.
///
/// - Parameters:
///   - program: an array of `struct sock_filter`, 8 bytes each.
///   - flags: ``SeccompFlags``.
/// - Returns: with ``SeccompFlags/newListener`` the descriptor calls are told by, the caller's to own.
@discardableResult
public func installFilter(_ program: [UInt8], flags: SeccompFlags = []) throws(SystemError) -> Int32 {
    guard !program.isEmpty, program.count % 8 == 0, program.count / 8 <= 4096 else {
        throw SystemError("seccomp", errno: EINVAL, subject: "a filter of \(program.count) bytes")
    }
    return try check("seccomp") {
        program.withUnsafeBytes { bytes in
            var filter = sock_fprog(
                len: UInt16(bytes.count / 8),
                filter: UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: sock_filter.self)))
            return skiff_seccomp(UInt32(SECCOMP_SET_MODE_FILTER), flags.rawValue, &filter)
        }
    }
}

/// How a filter is installed; see `seccomp(2)`.
public struct SeccompFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// All threads of the process.
    public static let allThreads = SeccompFlags(rawValue: 1 << 0)
    /// What is refused is logged.
    public static let log = SeccompFlags(rawValue: 1 << 1)
    /// Without the mitigation of speculative store bypass.
    public static let allowSpeculation = SeccompFlags(rawValue: 1 << 2)
    /// Calls whose action is to notify are told to whoever holds the descriptor that is returned.
    public static let newListener = SeccompFlags(rawValue: 1 << 3)
    /// A call that was told can be interrupted by deadly signals only.
    public static let waitKillable = SeccompFlags(rawValue: 1 << 5)
}
