internal import CLinux
internal import Linux
internal import OCI

/// A group in the unified hierarchy.
///
/// Kernel documentation: admin-guide/cgroup-v2.rst.
struct CgroupV2: CgroupDriver {
    let root: String
    let path: String

    private var directory: String { root + path }

    func create() throws(SystemError) {
        var current = root
        let components = path.split(separator: "/")
        for (index, component) in components.enumerated() {
            try delegateControllers(in: current)
            current += "/" + component
            do { try makeDirectory(current) } catch {
                guard error.errno == EEXIST else { throw error }
                if index == components.count - 1, try !readProcesses(current + "/cgroup.procs").isEmpty {
                    throw SystemError("mkdir", errno: EBUSY, subject: "\(current), which has processes in it")
                }
            }
        }
    }

    /// Hands every controller of a group on to its children.
    ///
    /// One that cannot be (a process in the group itself) is seen when a limit needs it.
    private func delegateControllers(in group: String) throws(SystemError) {
        let there = Set(try readText(group + "/cgroup.controllers").split(whereSeparator: \.isWhitespace))
        let passed = Set(try readText(group + "/cgroup.subtree_control").split(whereSeparator: \.isWhitespace))
        for controller in there.subtracting(passed) {
            try? writeControl(group + "/cgroup.subtree_control", "+\(controller)")
        }
    }

    func restrictDevices(_ list: [DeviceAccess]) throws(SystemError) {
        if list == [DeviceAccess(allow: true, type: "a", access: "rwm")] { return }
        try DeviceProgram(list).attach(to: directory)
    }

    func membership(_ empty: Cgroup.Membership) throws(SystemError) -> Cgroup.Membership {
        let birthplace = SharedDescriptor(try open(directory, O_RDONLY | O_DIRECTORY))
        return Cgroup.Membership(layout: empty.layout, path: empty.path, birthplace: birthplace, tasks: [])
    }

    func processes() throws(SystemError) -> [pid_t] { try readProcesses(directory + "/cgroup.procs") }

    func freeze(_ frozen: Bool) throws(SystemError) {
        try writeControl(directory + "/cgroup.freeze", frozen ? "1" : "0")
        for _ in 0..<2000 {
            if counter("frozen", in: try readText(directory + "/cgroup.events")) == (frozen ? 1 : 0) { return }
            var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
            nanosleep(&pause, nil)
        }
        throw SystemError("cgroup.freeze", errno: EBUSY, subject: path)
    }

    func isFrozen() -> Bool {
        guard let text = try? readText(directory + "/cgroup.events") else { return false }
        return counter("frozen", in: text) == 1
    }

    func kill() throws(SystemError) {
        do { try writeControl(directory + "/cgroup.kill", "1") } catch {
            // cgroup.kill came with Linux 5.14.
            guard error.errno == ENOENT else { throw error }
            for _ in 0..<1000 {
                let members = try processes()
                if members.isEmpty { return }
                for pid in members { _ = CLinux.kill(pid, SIGKILL) }
                sched_yield()
            }
        }
    }

    func outOfMemoryKills() -> UInt64 {
        guard let text = try? readText(directory + "/memory.events") else { return 0 }
        return counter("oom_kill", in: text)
    }

    func delete() throws(SystemError) { try removeGroup(directory) }

    // MARK: Limits

    func apply(_ resources: RuntimeSpec.Resources) throws(SystemError) {
        let memory = resources.memory, cpu = resources.cpu
        if let limit = memory.limit, limit != 0 { try set("memory.max", amount(limit)) }
        if let reservation = memory.reservation, reservation != 0 { try set("memory.low", amount(reservation)) }
        if let swap = memory.swap, swap != 0 {
            // v1's value counts memory and swap together, v2's only the swap.
            if swap == -1 {
                try set("memory.swap.max", "max")
            } else if let limit = memory.limit, limit > 0, swap >= limit {
                try set("memory.swap.max", "\(swap - limit)")
            } else {
                throw SystemError(
                    "cgroup", errno: EINVAL, subject: "swap limit \(swap) without a memory limit below it")
            }
        }
        if let shares = cpu.shares, shares != 0 { try set("cpu.weight", "\(Self.weight(shares: shares))") }
        if cpu.quota != nil || cpu.period != nil {
            let quota = cpu.quota.flatMap { $0 > 0 ? "\($0)" : nil } ?? "max"
            try set("cpu.max", "\(quota) \(cpu.period.flatMap { $0 == 0 ? nil : $0 } ?? 100_000)")
        }
        if let burst = cpu.burst { try set("cpu.max.burst", "\(burst)") }
        if let idle = cpu.idle { try set("cpu.idle", "\(idle)") }
        if let cpus = cpu.cpus, !cpus.isEmpty { try set("cpuset.cpus", cpus) }
        if let mems = cpu.mems, !mems.isEmpty { try set("cpuset.mems", mems) }
        if let pids = resources.pidsLimit { try set("pids.max", pids > 0 ? "\(pids)" : "max") }
        try applyIO(resources.blockIO)
        for page in resources.hugePageLimits { try set("hugetlb.\(page.pageSize).max", "\(page.limit)") }
        for (file, value) in resources.unified.sorted(by: { $0.key < $1.key }) {
            guard !file.utf8.contains(UInt8(ascii: "/")), file.utf8.contains(UInt8(ascii: ".")) else {
                throw SystemError("cgroup", errno: EINVAL, subject: "unified resource \"\(file)\" is not a file name")
            }
            try set(file, value)
        }
    }

    private func applyIO(_ io: RuntimeSpec.Resources.BlockIO) throws(SystemError) {
        if let weight = io.weight, weight != 0 {
            // blkio's 10…1000 to io's 1…10000.
            try set("io.weight", "default \(1 + (UInt64(max(weight, 10)) - 10) * 9999 / 990)")
        }
        for (word, throttles) in [
            ("rbps", io.readBytes), ("wbps", io.writeBytes), ("riops", io.readOperations),
            ("wiops", io.writeOperations),
        ] {
            for throttle in throttles {
                try set("io.max", "\(throttle.major):\(throttle.minor) \(word)=\(throttle.rate)")
            }
        }
    }

    /// The kernel's own mapping of v1's 2…262144 to v2's 1…10000.
    static func weight(shares: UInt64) -> UInt64 {
        let bounded = min(max(shares, 2), 262_144)
        return 1 + (bounded - 2) * 9999 / 262_142
    }

    private func amount(_ value: Int64) -> String { value < 0 ? "max" : "\(value)" }

    private func set(_ file: String, _ value: String) throws(SystemError) {
        do { try writeControl("\(directory)/\(file)", value) } catch { throw error.about("\(value) to \(file)") }
    }
}
