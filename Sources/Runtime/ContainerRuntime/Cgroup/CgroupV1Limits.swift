internal import CLinux
internal import Linux
internal import OCI

/// Limits as v1's files have them.
///
/// Kernel documentation: admin-guide/cgroup-v1/. A value of 0 means "not set" wherever Go's documents cannot say nothing.
extension CgroupV1 {
    func apply(_ resources: RuntimeSpec.Resources) throws(SystemError) {
        try applyMemory(resources.memory)
        try applyCPU(resources.cpu)
        try set("pids", "pids.max", resources.pidsLimit.map { $0 > 0 ? "\($0)" : "max" })
        try applyBlockIO(resources.blockIO)
        for page in resources.hugePageLimits {
            try set("hugetlb", "hugetlb.\(page.pageSize).limit_in_bytes", "\(page.limit)")
            // Reservations are counted of their own since Linux 5.7.
            try setIfThere("hugetlb", "hugetlb.\(page.pageSize).rsvd.limit_in_bytes", "\(page.limit)")
        }
        try set("net_cls", "net_cls.classid", resources.networkClass.map { "\($0)" })
        for priority in resources.networkPriorities {
            try set("net_prio", "net_prio.ifpriomap", "\(priority.name) \(priority.priority)")
        }
        for device in resources.rdma.keys.sorted() {
            if let limit = resources.rdma[device] { try set("rdma", "rdma.max", limit.text(device)) }
        }
        if let unified = resources.unified.keys.min() {
            throw SystemError(
                "cgroup", errno: ENOTSUP,
                subject: "invalid configuration: unified resource \(unified) on a cgroup v1 host")
        }
    }

    private func applyCPU(_ cpu: RuntimeSpec.Resources.CPU) throws(SystemError) {
        if let shares = cpu.shares, shares != 0 {
            guard (2...262_144).contains(shares) else {
                throw SystemError("cgroup", errno: EINVAL, subject: "cpu.shares \(shares), which is not in 2…262144")
            }
            try set("cpu", "cpu.shares", "\(shares)")
        }
        // The kernel checks the two against each other, and against the parent's, at every moment: which has to come
        // first depends on where they come from.
        let burst = cpu.burst.map { "\($0)" }
        func setBandwidth() throws(SystemError) {
            try setPair(
                ("cpu.cfs_period_us", cpu.period.flatMap { $0 == 0 ? nil : "\($0)" }),
                ("cpu.cfs_quota_us", cpu.quota.flatMap { $0 == 0 ? nil : "\($0)" }))
        }
        // A quota below the present burst is refused as well as a burst above the present quota.
        do throws(SystemError) { try setBandwidth() } catch {
            guard error.errno == EINVAL, burst != nil else { throw error }
            try set("cpu", "cpu.cfs_burst_us", burst)
            try setBandwidth()
        }
        try set("cpu", "cpu.cfs_burst_us", burst)
        try setPair(
            ("cpu.rt_period_us", cpu.realtimePeriod.flatMap { $0 == 0 ? nil : "\($0)" }),
            ("cpu.rt_runtime_us", cpu.realtimeRuntime.flatMap { $0 == 0 ? nil : "\($0)" }))
        try set("cpu", "cpu.idle", cpu.idle.map { "\($0)" })
        try set("cpuset", "cpuset.cpus", cpu.cpus.flatMap { $0.isEmpty ? nil : $0 })
        try set("cpuset", "cpuset.mems", cpu.mems.flatMap { $0.isEmpty ? nil : $0 })
    }

    /// Sets the first and the second; where the first is refused because of the second's present value, the other way.
    private func setPair(
        _ first: (file: String, value: String?), _ second: (file: String, value: String?)
    ) throws(SystemError) {
        do { try set("cpu", first.file, first.value) } catch {
            guard error.errno == EINVAL, second.value != nil else { throw error }
            try set("cpu", second.file, second.value)
            return try set("cpu", first.file, first.value)
        }
        try set("cpu", second.file, second.value)
    }

    private func applyMemory(_ memory: RuntimeSpec.Resources.Memory) throws(SystemError) {
        if memory.checkBeforeUpdate == true, let limit = memory.limit, let directory = directory(of: "memory") {
            let used = Int64(try readText(directory + "/memory.usage_in_bytes").trimmedLine) ?? 0
            if limit > 0, limit < used {
                throw SystemError(
                    "cgroup", errno: EBUSY, subject: "rejecting memory limit \(limit), as \(used) are in use")
            }
        }
        let limit = memory.limit.flatMap { $0 == 0 ? nil : $0 }
        var swap = memory.swap.flatMap { $0 == 0 ? nil : $0 }
        let sum = "memory.memsw.limit_in_bytes"
        // No limit on memory is none on the sum either, where the kernel counts one.
        if limit == -1, swap == nil, isThere("memory", sum) { swap = -1 }
        if let limit, let swap, let directory = directory(of: "memory") {
            // The kernel keeps "memory and swap" at or above "memory" at every moment, so a growing pair starts with
            // the first and a shrinking one with the second.
            let current = Int64((try? readText("\(directory)/\(sum)"))?.trimmedLine ?? "") ?? .max
            if swap == -1 || (swap > current && limit != -1) {
                try set("memory", sum, "\(swap)")
                try set("memory", "memory.limit_in_bytes", "\(limit)")
            } else {
                try set("memory", "memory.limit_in_bytes", "\(limit)")
                try set("memory", sum, "\(swap)")
            }
        } else {
            try set("memory", "memory.limit_in_bytes", limit.map { "\($0)" })
            try set("memory", sum, swap.map { "\($0)" })
        }
        try set("memory", "memory.soft_limit_in_bytes", memory.reservation.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("memory", "memory.kmem.tcp.limit_in_bytes", memory.kernelTCP.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("memory", "memory.swappiness", memory.swappiness.map { "\($0)" })
        if let disable = memory.disableOOMKiller, disable { try set("memory", "memory.oom_control", "1") }
        if let hierarchical = memory.useHierarchy, !hierarchical { try set("memory", "memory.use_hierarchy", "0") }
    }

    private func applyBlockIO(_ io: RuntimeSpec.Resources.BlockIO) throws(SystemError) {
        if io == RuntimeSpec.Resources.BlockIO() { return }
        // Since Linux 5.0 it is the BFQ scheduler's files that have weights.
        let prefix = isThere("blkio", "blkio.weight") ? "blkio." : "blkio.bfq."
        try set("blkio", prefix + "weight", io.weight.flatMap { $0 == 0 ? nil : "\($0)" })
        try set("blkio", "blkio.leaf_weight", io.leafWeight.flatMap { $0 == 0 ? nil : "\($0)" })
        for device in io.weightDevices {
            let number = "\(device.major):\(device.minor)"
            try set("blkio", prefix + "weight_device", device.weight.flatMap { $0 == 0 ? nil : "\(number) \($0)" })
            try set(
                "blkio", "blkio.leaf_weight_device", device.leafWeight.flatMap { $0 == 0 ? nil : "\(number) \($0)" })
        }
        for (file, throttles) in [
            ("read_bps", io.readBytes), ("write_bps", io.writeBytes), ("read_iops", io.readOperations),
            ("write_iops", io.writeOperations),
        ] {
            for throttle in throttles {
                try set(
                    "blkio", "blkio.throttle.\(file)_device", "\(throttle.major):\(throttle.minor) \(throttle.rate)")
            }
        }
    }

    private func isThere(_ controller: String, _ file: String) -> Bool {
        directory(of: controller).map { exists("\($0)/\(file)") } ?? false
    }

    private func setIfThere(_ controller: String, _ file: String, _ value: String) throws(SystemError) {
        if isThere(controller, file) { try set(controller, file, value) }
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

extension RuntimeSpec.Resources.RDMALimit {
    /// The line of `rdma.max`, the same on v1 and v2.
    func text(_ device: String) -> String {
        var words = [device]
        if let handles { words.append("hca_handle=\(handles)") }
        if let objects { words.append("hca_object=\(objects)") }
        return words.joined(separator: " ")
    }
}
