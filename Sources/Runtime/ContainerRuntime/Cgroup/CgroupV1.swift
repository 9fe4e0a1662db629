internal import CLinux
internal import Linux
internal import OCI

/// A group in each of the v1 hierarchies.
///
/// Kernel documentation: admin-guide/cgroup-v1/.
struct CgroupV1: CgroupDriver {
    let layout: CgroupLayout
    let path: String

    private func directory(of controller: String) -> String? {
        layout.mountPoint(of: controller).map { $0 + path }
    }

    func create() throws(SystemError) {
        for hierarchy in layout.hierarchies {
            var current = hierarchy.mountPoint
            let components = path.split(separator: "/")
            for (index, component) in components.enumerated() {
                let parent = current
                current += "/" + component
                do {
                    try makeDirectory(current)
                } catch {
                    guard error.errno == EEXIST else { throw error }
                    if index == components.count - 1, try !readProcesses(current + "/cgroup.procs").isEmpty {
                        throw SystemError("mkdir", errno: EBUSY, subject: "\(current), which has processes in it")
                    }
                }
                // A new cpuset is empty, and nothing can run in it. One that is there may be new all the same: another
                // container's start has made it a moment ago and not come further yet.
                if hierarchy.controllers.contains("cpuset") { try inheritCPUs(current, from: parent) }
            }
        }
    }

    private func inheritCPUs(_ group: String, from parent: String) throws(SystemError) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            guard try readText("\(group)/\(file)").allSatisfy(\.isWhitespace) else { continue }
            let value = try readText("\(parent)/\(file)")
            if !value.allSatisfy(\.isWhitespace) { try writeControl("\(group)/\(file)", value) }
        }
    }

    func restrictDevices(_ list: [DeviceAccess]) throws(SystemError) {
        guard let directory = directory(of: "devices") else { return }
        let allow = try open("\(directory)/devices.allow", O_WRONLY)
        let deny = try open("\(directory)/devices.deny", O_WRONLY)
        for rule in list {
            do { try writeAll(rule.allow ? allow.raw : deny.raw, rule.text) } catch {
                throw error.about("devices.\(rule.allow ? "allow" : "deny") \"\(rule.text)\"")
            }
        }
    }

    func membership(_ empty: Cgroup.Membership) throws(SystemError) -> Cgroup.Membership {
        var tasks: [SharedDescriptor] = []
        for hierarchy in layout.hierarchies {
            tasks.append(SharedDescriptor(try open(hierarchy.mountPoint + path + "/tasks", O_WRONLY)))
        }
        return Cgroup.Membership(layout: empty.layout, path: empty.path, birthplace: nil, tasks: tasks)
    }

    func processes() throws(SystemError) -> [pid_t] {
        guard let first = layout.hierarchies.first else { return [] }
        return try readProcesses(first.mountPoint + path + "/cgroup.procs")
    }

    func freeze(_ frozen: Bool) throws(SystemError) {
        guard let directory = directory(of: "freezer") else {
            throw SystemError("freezer", errno: ENOENT, subject: "no freezer hierarchy is mounted")
        }
        let file = directory + "/freezer.state", wanted = frozen ? "FROZEN" : "THAWED"
        // A process that forks while it freezes leaves the state at FREEZING: it is asked again.
        for attempt in 0..<2000 {
            try writeControl(file, wanted)
            if try readText(file).hasPrefix(wanted) { return }
            if attempt > 20 {
                var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
                nanosleep(&pause, nil)
            }
        }
        throw SystemError("freezer.state", errno: EBUSY, subject: path)
    }

    func isFrozen() -> Bool {
        guard let directory = directory(of: "freezer") else { return false }
        return (try? readText(directory + "/freezer.state"))?.hasPrefix("THAWED") == false
    }

    func kill() throws(SystemError) {
        // Processes may be forking: until none is left, each round finds those that came meanwhile.
        for _ in 0..<1000 {
            let members = try processes()
            if members.isEmpty { return }
            for pid in members { _ = CLinux.kill(pid, SIGKILL) }
            if directory(of: "freezer") != nil { try? freeze(false) }
            sched_yield()
        }
    }

    func outOfMemoryKills() -> UInt64 {
        guard let directory = directory(of: "memory"), let text = try? readText(directory + "/memory.oom_control")
        else { return 0 }
        return counter("oom_kill", in: text)
    }

    func delete() throws(SystemError) {
        for hierarchy in layout.hierarchies { try removeGroup(hierarchy.mountPoint + path) }
    }

    // MARK: Limits

    func apply(_ resources: RuntimeSpec.Resources) throws(SystemError) {
        try applyMemory(resources.memory)
        let cpu = resources.cpu
        try set("cpu", "cpu.shares", cpu.shares.map { "\($0)" })
        // The period first when it grows, since the quota is checked against it.
        try set("cpu", "cpu.cfs_period_us", cpu.period.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("cpu", "cpu.cfs_quota_us", cpu.quota.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("cpu", "cpu.cfs_burst_us", cpu.burst.map { "\($0)" })
        try set("cpu", "cpu.rt_period_us", cpu.realtimePeriod.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("cpu", "cpu.idle", cpu.idle.map { "\($0)" })
        try set("cpuset", "cpuset.cpus", cpu.cpus.flatMap { $0.isEmpty ? nil : $0 })
        try set("cpuset", "cpuset.mems", cpu.mems.flatMap { $0.isEmpty ? nil : $0 })
        try set("pids", "pids.max", resources.pidsLimit.map { $0 > 0 ? "\($0)" : "max" })
        let io = resources.blockIO
        try set("blkio", "blkio.weight", io.weight.flatMap { $0 == 0 ? nil : "\($0)" })
        for (file, throttles) in [
            ("read_bps", io.readBytes), ("write_bps", io.writeBytes), ("read_iops", io.readOperations),
            ("write_iops", io.writeOperations),
        ] {
            for throttle in throttles {
                try set(
                    "blkio", "blkio.throttle.\(file)_device", "\(throttle.major):\(throttle.minor) \(throttle.rate)")
            }
        }
        for page in resources.hugePageLimits {
            try set("hugetlb", "hugetlb.\(page.pageSize).limit_in_bytes", "\(page.limit)")
        }
        try set("net_cls", "net_cls.classid", resources.networkClass.map { "\($0)" })
        for priority in resources.networkPriorities {
            try set("net_prio", "net_prio.ifpriomap", "\(priority.name) \(priority.priority)")
        }
        if let unified = resources.unified.keys.min() {
            throw SystemError("cgroup", errno: ENOTSUP, subject: "unified resource \(unified) on a cgroup v1 host")
        }
    }

    private func applyMemory(_ memory: RuntimeSpec.Resources.Memory) throws(SystemError) {
        let limit = memory.limit.flatMap { $0 == 0 ? nil : $0 }
        let swap = memory.swap.flatMap { $0 == 0 ? nil : $0 }
        if let limit, let swap, let directory = directory(of: "memory") {
            // The kernel keeps "memory and swap" at or above "memory" at every moment, so a growing pair starts with
            // the first and a shrinking one with the second.
            let current = Int64((try? readText(directory + "/memory.memsw.limit_in_bytes"))?.trimmedLine ?? "") ?? .max
            if swap == -1 || (swap > current && limit != -1) {
                try set("memory", "memory.memsw.limit_in_bytes", "\(swap)")
                try set("memory", "memory.limit_in_bytes", "\(limit)")
            } else {
                try set("memory", "memory.limit_in_bytes", "\(limit)")
                try set("memory", "memory.memsw.limit_in_bytes", "\(swap)")
            }
        } else {
            try set("memory", "memory.limit_in_bytes", limit.map { "\($0)" })
            try set("memory", "memory.memsw.limit_in_bytes", swap.map { "\($0)" })
        }
        try set("memory", "memory.soft_limit_in_bytes", memory.reservation.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("memory", "memory.swappiness", memory.swappiness.map { "\($0)" })
        if memory.disableOOMKiller == true { try set("memory", "memory.oom_control", "1") }
    }

    /// - Throws: `ENOENT` naming the controller when the host does not have it: a limit is never dropped in silence.
    private func set(_ controller: String, _ file: String, _ value: String?) throws(SystemError) {
        guard let value else { return }
        guard let directory = directory(of: controller) else {
            throw SystemError("cgroup", errno: ENOENT, subject: "controller \(controller) for \(file)")
        }
        do { try writeControl("\(directory)/\(file)", value) } catch { throw error.about("\(value) to \(file)") }
    }
}

extension String {
    var trimmedLine: String { String(prefix { !$0.isNewline }) }
}

/// The number behind a name in a "name number" file; 0 when it is not there.
func counter(_ name: String, in text: String) -> UInt64 {
    for line in text.split(separator: "\n") {
        let fields = line.split(separator: " ")
        if fields.count == 2, fields[0] == name { return UInt64(fields[1]) ?? 0 }
    }
    return 0
}
