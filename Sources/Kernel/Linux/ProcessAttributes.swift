internal import CLinux

/// How the kernel schedules a process; see `sched_setattr(2)`.
public struct SchedulingAttributes: Sendable, Hashable {
    /// `SCHED_…`.
    public var policy: UInt32
    /// `SCHED_FLAG_…`.
    public var flags: UInt64
    public var nice: Int32
    public var priority: UInt32
    /// Nanoseconds, for deadlines.
    public var runtime: UInt64
    public var deadline: UInt64
    public var period: UInt64

    public init(
        policy: UInt32, flags: UInt64 = 0, nice: Int32 = 0, priority: UInt32 = 0, runtime: UInt64 = 0,
        deadline: UInt64 = 0, period: UInt64 = 0
    ) {
        self.policy = policy
        self.flags = flags
        self.nice = nice
        self.priority = priority
        self.runtime = runtime
        self.deadline = deadline
        self.period = period
    }
}

/// Sets how this process is scheduled.
///
/// C function: `sched_setattr`.
public func setScheduling(_ attributes: SchedulingAttributes) throws(SystemError) {
    var value = skiff_sched_attr()
    // What the first version of the structure has: everything but the clamps of utilisation.
    value.size = 48
    value.policy = attributes.policy
    value.flags = attributes.flags
    value.nice = attributes.nice
    value.priority = attributes.priority
    value.runtime = attributes.runtime
    value.deadline = attributes.deadline
    value.period = attributes.period
    try check("sched_setattr") { skiff_sched_setattr(0, &value) }
}

/// Sets the I/O class and priority of this process.
///
/// C function: `ioprio_set(IOPRIO_WHO_PROCESS)`.
///
/// - Parameters:
///   - schedulingClass: 1 real-time, 2 best effort, 3 idle.
///   - priority: 0 (first) to 7.
public func setIOPriority(schedulingClass: Int32, priority: Int32) throws(SystemError) {
    try check("ioprio_set") { skiff_ioprio_set(1, 0, schedulingClass << 13 | priority) }
}

/// Sets which kernel personality this process has.
///
/// C function: `personality`.
public func setPersonality(_ persona: UInt) throws(SystemError) { try check("personality") { personality(persona) } }

/// Sets from which memory nodes this process and its children get memory.
///
/// C function: `set_mempolicy`.
///
/// - Parameters:
///   - mode: `MPOL_…` with its flags.
///   - nodes: a bit for each node, 64 in a word; empty for modes without nodes.
public func setMemoryPolicy(_ mode: Int32, nodes: [UInt]) throws(SystemError) {
    try check("set_mempolicy") {
        // The kernel reads one bit less than it is told.
        nodes.isEmpty ? skiff_set_mempolicy(mode, nil, 0) : skiff_set_mempolicy(mode, nodes, UInt(nodes.count * 64 + 1))
    }
}

/// A set of processors, one bit each.
public struct ProcessorSet: Sendable, Hashable {
    var words: [UInt]

    /// - Parameter numbers: below 8192, as many as the kernel can be built for.
    public init(_ numbers: some Sequence<Int>) {
        words = []
        for number in numbers where (0..<8192).contains(number) {
            while words.count <= number / 64 { words.append(0) }
            words[number / 64] |= 1 << UInt(number % 64)
        }
    }

    private init(words: [UInt]) { self.words = words }

    /// Lets this process, and those it makes from now on, run on all the machine and its cpuset have.
    ///
    /// C function: `sched_setaffinity`, with as many as the kernel can be built for.
    public static func unconfine() throws(SystemError) {
        try check("sched_setaffinity") { skiff_sched_unset_affinity() }
    }

    /// Lets a process that was just made begin on another processor than its maker's, which goes on; then it may run
    /// anywhere, as by ``unconfine()``, which it can call itself meanwhile.
    ///
    /// The kernel leaves it where it was made as often as not, and there it waits until its maker does. Only a processor it
    /// might run on before is taken: those the host keeps for something else have nobody who would take it away again. Where
    /// there is no other, nothing changes.
    ///
    /// C functions: `sched_getcpu`, `sched_getaffinity`, `sched_setaffinity`.
    public static func keepApart(_ pid: Int32) { skiff_sched_keep_apart(pid) }

    /// Those this process may run on.
    ///
    /// C function: `sched_getaffinity`.
    public static func current() throws(SystemError) -> ProcessorSet {
        var words = [UInt](repeating: 0, count: 128)
        try check("sched_getaffinity") { skiff_sched_getaffinity(0, words.count * 8, &words) }
        return ProcessorSet(words: words)
    }

    /// Confines this process, and those it makes from now on, to the set.
    ///
    /// C function: `sched_setaffinity`.
    public func confine() throws(SystemError) {
        try check("sched_setaffinity") { skiff_sched_setaffinity(0, words.count * 8, words) }
    }
}
