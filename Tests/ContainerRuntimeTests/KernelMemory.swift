import Linux

/// What the kernel holds, of the kinds of which a container has at least one: what is kept of each container shows.
struct KernelMemory {
    /// Mounts, namespaces, groups and processes, as the kernel's allocator names them.
    static let kinds: Set<String> = [
        "mnt_cache", "net_namespace", "pid_namespace", "user_namespace", "uts_namespace", "mem_cgroup", "task_struct",
        "signal_cache", "files_cache",
    ]

    /// How many objects of each kind are in use.
    ///
    /// A kernel that keeps a kind together with others of its size does not count it. File: `/proc/slabinfo`.
    var objects: [String: Int] = [:]
    /// Groups that were removed and that something still holds.
    ///
    /// File: `cgroup.stat`.
    var dyingGroups = 0
    /// What cannot be reclaimed of all kernel objects, in KiB.
    ///
    /// File: `/proc/meminfo`.
    var unreclaimable = 0

    /// Whether it can be counted here.
    static let isCounted = exists("/proc/slabinfo")

    /// Counts.
    ///
    /// A processor's own stock of free objects is counted as in use: it is given back first, where the allocator can be asked
    /// for that. File: `/sys/kernel/slab/<kind>/shrink`.
    init(unified: String) throws {
        for kind in Self.kinds { try? writeControl("/sys/kernel/slab/\(kind)/shrink", "1") }
        for line in try readText("/proc/slabinfo").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 1, Self.kinds.contains(String(fields[0])), let count = Int(fields[1]) else { continue }
            objects[String(fields[0])] = count
        }
        if !unified.isEmpty { dyingGroups = try Self.field("nr_dying_descendants", in: unified + "/cgroup.stat") }
        unreclaimable = try Self.field("SUnreclaim:", in: "/proc/meminfo")
    }

    private static func field(_ name: String, in file: String) throws -> Int {
        let line = try readText(file).split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    /// What there is more of than before.
    func growth(since before: KernelMemory) -> [String: Int] {
        var growth = objects.merging(before.objects) { $0 - $1 }
        growth["dying groups"] = dyingGroups - before.dyingGroups
        return growth.filter { $0.value > 0 }
    }
}
