internal import CLinux
internal import Linux
internal import OCI

/// Limits as v2's files have them; v1's values are translated as config-linux.md and the other runtimes do.
///
/// Kernel documentation: admin-guide/cgroup-v2.rst.
extension CgroupV2 {
    func apply(_ resources: RuntimeSpec.Resources) throws(SystemError) {
        try refuseV1(resources)
        try applyMemory(resources.memory)
        try applyCPU(resources.cpu)
        if let pids = resources.pidsLimit { try set("pids.max", pids > 0 ? "\(pids)" : "max") }
        try applyIO(resources.blockIO)
        for page in resources.hugePageLimits {
            try set("hugetlb.\(page.pageSize).max", "\(page.limit)")
            // Reservations are counted of their own since Linux 5.7.
            let reserved = "hugetlb.\(page.pageSize).rsvd.max"
            if exists("\(directory)/\(reserved)") { try set(reserved, "\(page.limit)") }
        }
        for device in resources.rdma.keys.sorted() {
            if let limit = resources.rdma[device] { try set("rdma.max", limit.text(device)) }
        }
        try applyUnified(resources.unified)
    }

    /// What only v1 has is an error here: a limit is never dropped in silence.
    private func refuseV1(_ resources: RuntimeSpec.Resources) throws(SystemError) {
        let memory = resources.memory, cpu = resources.cpu
        let asked: [(String, Bool)] = [
            ("memory.swappiness", memory.swappiness != nil), ("memory.kernelTCP", (memory.kernelTCP ?? 0) > 0),
            ("memory.disableOOMKiller", memory.disableOOMKiller == true),
            ("memory.useHierarchy=false", memory.useHierarchy == false),
            ("cpu.realtimeRuntime", (cpu.realtimeRuntime ?? 0) != 0),
            ("cpu.realtimePeriod", (cpu.realtimePeriod ?? 0) != 0),
            ("blockIO.leafWeight", (resources.blockIO.leafWeight ?? 0) != 0),
            ("network.classID", (resources.networkClass ?? 0) != 0),
            ("network.priorities", !resources.networkPriorities.isEmpty),
        ]
        if let (name, _) = asked.first(where: { $0.1 }) {
            throw SystemError("cgroup", errno: ENOTSUP, subject: "resource \(name) on a cgroup v2 host")
        }
    }

    private func applyCPU(_ cpu: RuntimeSpec.Resources.CPU) throws(SystemError) {
        if let shares = cpu.shares, shares != 0 { try set("cpu.weight", "\(Self.weight(shares: shares))") }
        let quota = cpu.quota.flatMap { $0 == 0 ? nil : $0 }, period = cpu.period.flatMap { $0 == 0 ? nil : $0 }
        // A burst above the quota is refused at every step: one that sinks goes before the quota, one that rises after it.
        let burstNow = cpu.burst == nil ? 0 : UInt64(try readText(directory + "/cpu.max.burst").trimmedLine) ?? 0
        if let burst = cpu.burst, burst < burstNow { try set("cpu.max.burst", "\(burst)") }
        if quota != nil || period != nil {
            // The file has both: what is not given stays as it is.
            let now = try readText(directory + "/cpu.max").split(whereSeparator: \.isWhitespace).map(String.init)
            let limit = quota.map { $0 > 0 ? "\($0)" : "max" } ?? now.first ?? "max"
            try set("cpu.max", "\(limit) \(period.map { "\($0)" } ?? (now.count > 1 ? now[1] : "100000"))")
        }
        if let burst = cpu.burst, burst >= burstNow { try set("cpu.max.burst", "\(burst)") }
        if let idle = cpu.idle { try set("cpu.idle", "\(idle)") }
        if let cpus = cpu.cpus, !cpus.isEmpty { try set("cpuset.cpus", cpus) }
        if let mems = cpu.mems, !mems.isEmpty { try set("cpuset.mems", mems) }
    }

    private func applyMemory(_ memory: RuntimeSpec.Resources.Memory) throws(SystemError) {
        let limit = memory.limit.flatMap { $0 == 0 ? nil : $0 }
        var swap = memory.swap
        // No limit on memory is none on swap either.
        if limit == -1, swap == nil || swap == 0, exists(directory + "/memory.swap.max") { swap = -1 }
        if memory.checkBeforeUpdate == true { try refuseBelowUse(limit, swap) }
        if let limit { try set("memory.max", amount(limit)) }
        if let reservation = memory.reservation, reservation != 0 { try set("memory.low", amount(reservation)) }
        // Beside a limit 0 says nothing, as in Go's documents; alone it means no swap, which a host without has anyway.
        guard let swap, swap != 0 || (limit == nil && exists(directory + "/memory.swap.max")) else { return }
        // v1's value counts memory and swap together, v2's only the swap.
        if swap < 0 {
            try set("memory.swap.max", "max")
        } else if swap == 0 {
            try set("memory.swap.max", "0")
        } else {
            let now = limit == nil ? try readText(directory + "/memory.max") : ""
            guard let present = limit ?? Int64(now.trimmedLine), present > 0, swap >= present else {
                throw SystemError(
                    "cgroup", errno: EINVAL, subject: "swap limit \(swap) without a memory limit below it")
            }
            try set("memory.swap.max", "\(swap - present)")
        }
    }

    private func refuseBelowUse(_ limit: Int64?, _ swap: Int64?) throws(SystemError) {
        let used = Int64((try readText(directory + "/memory.current")).trimmedLine) ?? 0
        let swapped = Int64((try? readText(directory + "/memory.swap.current"))?.trimmedLine ?? "") ?? 0
        if let swap, swap > 0, swap < used + swapped {
            throw SystemError(
                "cgroup", errno: EBUSY,
                subject: "rejecting memory+swap limit \(swap), as \(used + swapped) are in use")
        }
        if let limit, limit > 0, limit < used {
            throw SystemError("cgroup", errno: EBUSY, subject: "rejecting memory limit \(limit), as \(used) are in use")
        }
    }

    private func applyIO(_ io: RuntimeSpec.Resources.BlockIO) throws(SystemError) {
        // The BFQ scheduler's file has v1's range, the other one its own.
        let hasBFQ = exists(directory + "/io.bfq.weight")
        func text(_ weight: UInt32) -> String {
            hasBFQ ? "\(weight)" : "\(Self.ioWeight(weight))"
        }
        let file = hasBFQ ? "io.bfq.weight" : "io.weight"
        if let weight = io.weight, weight != 0 { try set(file, hasBFQ ? text(weight) : "default \(text(weight))") }
        for device in io.weightDevices {
            guard (device.leafWeight ?? 0) == 0 else {
                throw SystemError("cgroup", errno: ENOTSUP, subject: "resource blockIO.leafWeight on a cgroup v2 host")
            }
            if let weight = device.weight, weight != 0 {
                try set(file, "\(device.major):\(device.minor) \(text(weight))")
            }
        }
        for (word, throttles) in [
            ("rbps", io.readBytes), ("wbps", io.writeBytes), ("riops", io.readOperations),
            ("wiops", io.writeOperations),
        ] {
            for throttle in throttles {
                // 0 takes a limit away, as it does on v1.
                let rate = throttle.rate == 0 ? "max" : "\(throttle.rate)"
                try set("io.max", "\(throttle.major):\(throttle.minor) \(word)=\(rate)")
            }
        }
    }

    private func applyUnified(_ files: [String: String]) throws(SystemError) {
        if files.isEmpty { return }
        let controllers = try readText(directory + "/cgroup.controllers").split(whereSeparator: \.isWhitespace)
        for (file, value) in files.sorted(by: { $0.key < $1.key }) {
            guard !file.utf8.contains(UInt8(ascii: "/")), let dot = file.firstIndex(of: ".") else {
                throw SystemError(
                    "cgroup", errno: EINVAL,
                    subject: "unified resources: the specified key has not the form CONTROLLER.VALUE `\(file)`")
            }
            let controller = file[..<dot]
            guard controller == "cgroup" || controllers.contains(controller) else {
                throw SystemError(
                    "cgroup", errno: ENOENT,
                    subject: "unified resources: the requested cgroup controller `\(controller)` is not available")
            }
            // Files with a line for each device take one line a write.
            for line in value.split(separator: "\n") { try set(file, String(line)) }
        }
    }

    /// v1's 2…262144 shares as v2's 1…10000 weight, so that 1024 becomes 100, the default of both.
    ///
    /// The curve is the one runc, crun and the kubelet agreed on in 2025; before, weights were a straight line that made
    /// 1024 a 39.
    static func weight(shares: UInt64) -> UInt64 {
        if shares <= 2 { return 1 }
        if shares >= 262_144 { return 10_000 }
        let exponent = skiff_log2(Double(shares))
        return UInt64(skiff_pow10((exponent * exponent + 125 * exponent) / 612 - 7.0 / 34).rounded(.up))
    }

    /// blkio's 10…1000 as io's 1…10000.
    static func ioWeight(_ weight: UInt32) -> UInt64 { 1 + (UInt64(max(weight, 10)) - 10) * 9999 / 990 }

    private func amount(_ value: Int64) -> String { value < 0 ? "max" : "\(value)" }

    private func set(_ file: String, _ value: String) throws(SystemError) {
        do { try writeControl("\(directory)/\(file)", value) } catch { throw error.about("\(value) to \(file)") }
    }
}
