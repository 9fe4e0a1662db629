internal import CLinux
internal import Linux
internal import OCI

/// How a process is scheduled, what it takes the machine for and where its memory lies, checked before there is one.
struct PlannedAttributes: Sendable, Equatable {
    struct IOPriority: Sendable, Equatable {
        var schedulingClass: Int32
        var priority: Int32
    }

    struct MemoryPolicy: Sendable, Equatable {
        var mode: Int32
        var nodes: [UInt]
    }

    var scheduling: SchedulingAttributes?
    var ioPriority: IOPriority?
    var personality: UInt?
    var memoryPolicy: MemoryPolicy?

    init(_ process: RuntimeSpec.Process, _ linux: RuntimeSpec.LinuxSettings) throws(RuntimeFailure) {
        if let scheduler = process.scheduler { scheduling = try Self.scheduling(scheduler) }
        if let io = process.ioPriority { ioPriority = try Self.ioPriority(io) }
        if let asked = linux.personality { personality = try Self.personality(asked) }
        if let policy = linux.memoryPolicy { memoryPolicy = try Self.memoryPolicy(policy) }
    }

    /// Sets them for this process, while it still has the right to.
    func apply() throws(SystemError) {
        if let personality { try setPersonality(personality) }
        if let memoryPolicy { try setMemoryPolicy(memoryPolicy.mode, nodes: memoryPolicy.nodes) }
        if let scheduling { try setScheduling(scheduling) }
        if let ioPriority {
            try setIOPriority(schedulingClass: ioPriority.schedulingClass, priority: ioPriority.priority)
        }
    }

    // MARK: Decisions

    private static let policies: [String: UInt32] = [
        "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5,
        "SCHED_DEADLINE": 6,
    ]
    private static let schedulerFlags: [String: UInt64] = [
        "SCHED_FLAG_RESET_ON_FORK": 0x01, "SCHED_FLAG_RECLAIM": 0x02, "SCHED_FLAG_DL_OVERRUN": 0x04,
        "SCHED_FLAG_KEEP_POLICY": 0x08, "SCHED_FLAG_KEEP_PARAMS": 0x10, "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
        "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
    ]

    /// The ranges are the kernel's (sched_setattr(2)), checked here because the kernel says only "invalid argument".
    private static func scheduling(_ asked: RuntimeSpec.Scheduler) throws(RuntimeFailure) -> SchedulingAttributes {
        guard let policy = policies[asked.policy] else {
            throw RuntimeFailure(.specification, "process.scheduler.policy: unknown value \"\(asked.policy)\"")
        }
        var flags: UInt64 = 0
        for name in asked.flags {
            guard let flag = schedulerFlags[name] else {
                throw RuntimeFailure(.specification, "process.scheduler.flags: unknown value \"\(name)\"")
            }
            flags |= flag
        }
        guard (-20...19).contains(asked.nice) else {
            throw RuntimeFailure(.specification, "process.scheduler.nice: \(asked.nice) is not from -20 to 19")
        }
        let isRealtime = policy == 1 || policy == 2
        guard asked.priority == 0 || isRealtime else {
            throw RuntimeFailure(
                .specification, "process.scheduler.priority is for SCHED_FIFO and SCHED_RR, not \(asked.policy)")
        }
        guard !isRealtime || (1...99).contains(asked.priority) else {
            throw RuntimeFailure(
                .specification, "process.scheduler.priority: \(asked.priority) is not from 1 to 99")
        }
        let isDeadline = policy == 6
        guard isDeadline || (asked.runtime == 0 && asked.deadline == 0 && asked.period == 0) else {
            throw RuntimeFailure(
                .specification,
                "process.scheduler: runtime, deadline and period are for SCHED_DEADLINE, not \(asked.policy)")
        }
        return SchedulingAttributes(
            policy: policy, flags: flags, nice: asked.nice, priority: UInt32(asked.priority), runtime: asked.runtime,
            deadline: asked.deadline, period: asked.period)
    }

    private static func ioPriority(_ asked: RuntimeSpec.IOPriority) throws(RuntimeFailure) -> IOPriority {
        let classes: [String: Int32] = ["IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3]
        guard let number = classes[asked.schedulingClass] else {
            throw RuntimeFailure(
                .specification, "process.ioPriority.class: unknown value \"\(asked.schedulingClass)\"")
        }
        guard (0...7).contains(asked.priority) else {
            throw RuntimeFailure(.specification, "process.ioPriority.priority: \(asked.priority) is not from 0 to 7")
        }
        return IOPriority(schedulingClass: number, priority: asked.priority)
    }

    private static func personality(_ asked: RuntimeSpec.Personality) throws(RuntimeFailure) -> UInt {
        if let flag = asked.flags.first {
            throw RuntimeFailure(.specification, "linux.personality.flags: \"\(flag)\": the specification knows none")
        }
        switch asked.domain {
        case "LINUX": return 0
        case "LINUX32": return 0x0008
        case let other: throw RuntimeFailure(.specification, "linux.personality.domain: unknown value \"\(other)\"")
        }
    }

    static let memoryModes: [String: Int32] = [
        "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
        "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
    ]
    static let memoryFlags: [String: Int32] = [
        "MPOL_F_STATIC_NODES": 1 << 15, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_NUMA_BALANCING": 1 << 13,
    ]

    private static func memoryPolicy(_ asked: RuntimeSpec.MemoryPolicy) throws(RuntimeFailure) -> MemoryPolicy {
        guard var mode = memoryModes[asked.mode] else {
            throw RuntimeFailure(.specification, "linux.memoryPolicy.mode: unknown value \"\(asked.mode)\"")
        }
        for name in asked.flags {
            guard let flag = memoryFlags[name] else {
                throw RuntimeFailure(.specification, "linux.memoryPolicy.flags: unknown value \"\(name)\"")
            }
            mode |= flag
        }
        let numbers = try NumberList(asked.nodes, of: "linux.memoryPolicy.nodes", below: 1024).numbers
        var nodes: [UInt] = []
        for number in numbers {
            while nodes.count <= number / 64 { nodes.append(0) }
            nodes[number / 64] |= 1 << UInt(number % 64)
        }
        return MemoryPolicy(mode: mode, nodes: nodes)
    }
}

/// Numbers as the kernel writes lists of processors and memory nodes: `0-3, 7`.
struct NumberList: Equatable {
    let numbers: [Int]

    /// - Parameters:
    ///   - member: what the list belongs to, for the message.
    ///   - limit: the first number that is too high; a list is never longer (CVE-2018-20699).
    init(_ text: String, of member: String, below limit: Int) throws(RuntimeFailure) {
        var numbers: [Int] = []
        let bytes = Array(text.utf8).filter { $0 != UInt8(ascii: " ") }
        for part in bytes.split(separator: UInt8(ascii: ",")) {
            let ends = part.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
                .map { Int(String(decoding: $0, as: UTF8.self)) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
                first >= 0, first <= last, last < limit
            else {
                throw RuntimeFailure(
                    .specification, "\(member): \"\(text)\" is not a list of numbers from 0 to \(limit - 1)")
            }
            numbers += first...last
        }
        self.numbers = numbers
    }
}
