internal import CLinux
internal import Linux

/// What a group has used and may use, in the kernel's own units; what the host does not count is 0 or empty.
public struct CgroupStatistics: Sendable, Hashable {
    public var cpu = CPU()
    public var cpuset = CPUSet()
    public var memory = Memory()
    public var processes = Processes()
    public var blockIO = BlockIO()
    /// By page size, `2MB`.
    public var hugePages: [String: Amount] = [:]

    public init() {}

    /// Times in nanoseconds.
    public struct CPU: Sendable, Hashable {
        public var total: UInt64 = 0
        public var user: UInt64 = 0
        public var kernel: UInt64 = 0
        /// v1: by processor.
        public var perProcessor: [UInt64] = []
        public var perProcessorUser: [UInt64] = []
        public var perProcessorKernel: [UInt64] = []
        public var periods: UInt64 = 0
        public var throttledPeriods: UInt64 = 0
        public var throttledTime: UInt64 = 0
        public var pressure: Pressure?
    }

    public struct CPUSet: Sendable, Hashable {
        public var processors: [UInt16] = []
        public var nodes: [UInt16] = []
        /// v1: `cpu_exclusive` and the like, each without its `cpuset.`.
        public var settings: [String: Int64] = [:]
    }

    public struct Amount: Sendable, Hashable {
        public var usage: UInt64 = 0
        public var maximum: UInt64 = 0
        public var failures: UInt64 = 0
        /// `UInt64.max` where there is none.
        public var limit: UInt64 = 0
    }

    /// Bytes.
    public struct Memory: Sendable, Hashable {
        public var cache: UInt64 = 0
        public var usage = Amount()
        public var swap = Amount()
        public var kernel = Amount()
        public var kernelTCP = Amount()
        /// Every counter of `memory.stat`.
        public var counters: [String: UInt64] = [:]
        public var pressure: Pressure?
    }

    public struct Processes: Sendable, Hashable {
        public var current: UInt64 = 0
        /// 0 where there is no limit.
        public var limit: UInt64 = 0
    }

    public struct BlockIO: Sendable, Hashable {
        /// By the name v1 gives them: `serviceBytes`, `serviced`.
        public var entries: [String: [Entry]] = [:]
        public var pressure: Pressure?

        public struct Entry: Sendable, Hashable {
            public var major: UInt64
            public var minor: UInt64
            /// `Read`, `Write` and others of the kernel's words.
            public var operation: String
            public var value: UInt64
        }
    }

    /// How long tasks waited: kernel documentation, accounting/psi.rst.
    public struct Pressure: Sendable, Hashable {
        public var some = Stall()
        public var full = Stall()

        /// Percent over 10, 60 and 300 seconds, and microseconds in all.
        public struct Stall: Sendable, Hashable {
            public var average10 = 0.0
            public var average60 = 0.0
            public var average300 = 0.0
            public var total: UInt64 = 0
        }

        /// - Parameter text: a file of lines `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
        init(text: String) {
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                var stall = Stall()
                for word in words.dropFirst() {
                    let parts = word.split(separator: "=")
                    guard parts.count == 2 else { continue }
                    switch parts[0] {
                    case "avg10": stall.average10 = Double(parts[1]) ?? 0
                    case "avg60": stall.average60 = Double(parts[1]) ?? 0
                    case "avg300": stall.average300 = Double(parts[1]) ?? 0
                    case "total": stall.total = UInt64(parts[1]) ?? 0
                    default: break
                    }
                }
                if words.first == "some" { some = stall }
                if words.first == "full" { full = stall }
            }
        }
    }
}

/// A directory of control files, read without complaint: a file that is not there says nothing.
struct ControlFiles {
    let directory: String

    func text(_ file: String) -> String? { try? readText("\(directory)/\(file)") }

    /// A number, `max` being the largest.
    func number(_ file: String) -> UInt64 {
        guard let line = text(file)?.trimmedLine else { return 0 }
        return line == "max" || line == "-1" ? .max : UInt64(line) ?? 0
    }

    func numbers(_ file: String) -> [UInt64] {
        (text(file) ?? "").split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
    }

    /// Lines "name number".
    func counters(_ file: String) -> [String: UInt64] {
        var counters: [String: UInt64] = [:]
        for line in (text(file) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let value = UInt64(words[1]) { counters[String(words[0])] = value }
        }
        return counters
    }

    /// A list as `0-3,7`; a hostile length is cut off.
    func list(_ file: String) -> [UInt16] {
        var all: [UInt16] = []
        for part in (text(file)?.trimmedLine ?? "").split(separator: ",") {
            let ends = part.split(separator: "-").compactMap { UInt16($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { continue }
            all += first...last
        }
        return all
    }

    func amount(_ prefix: String, _ suffix: String = "_in_bytes") -> CgroupStatistics.Amount {
        CgroupStatistics.Amount(
            usage: number("\(prefix)usage\(suffix)"), maximum: number("\(prefix)max_usage\(suffix)"),
            failures: number("\(prefix)failcnt"), limit: number("\(prefix)limit\(suffix)"))
    }

    func pressure(_ file: String) -> CgroupStatistics.Pressure? {
        text(file).map { CgroupStatistics.Pressure(text: $0) }
    }

    /// The page sizes that have limits here: the middle of `hugetlb.2MB.…`.
    func hugePageSizes() -> [String] {
        guard let opened = try? open(directory, O_RDONLY | O_DIRECTORY), let entries = try? readDirectory(opened.raw)
        else { return [] }
        let sizes = entries.map(\.name.text).compactMap { name -> String? in
            let parts = name.split(separator: ".")
            return parts.count > 2 && parts[0] == "hugetlb" ? String(parts[1]) : nil
        }
        return Set(sizes).sorted()
    }
}

extension CgroupV1 {
    func statistics() -> CgroupStatistics {
        var statistics = CgroupStatistics()
        func files(_ controller: String) -> ControlFiles? {
            directory(of: controller).map { ControlFiles(directory: $0) }
        }
        if let cpu = files("cpuacct") {
            statistics.cpu.total = cpu.number("cpuacct.usage")
            statistics.cpu.user = cpu.number("cpuacct.usage_user")
            statistics.cpu.kernel = cpu.number("cpuacct.usage_sys")
            statistics.cpu.perProcessor = cpu.numbers("cpuacct.usage_percpu")
            statistics.cpu.perProcessorUser = cpu.numbers("cpuacct.usage_percpu_user")
            statistics.cpu.perProcessorKernel = cpu.numbers("cpuacct.usage_percpu_sys")
        }
        if let counters = files("cpu")?.counters("cpu.stat") {
            statistics.cpu.periods = counters["nr_periods"] ?? 0
            statistics.cpu.throttledPeriods = counters["nr_throttled"] ?? 0
            statistics.cpu.throttledTime = counters["throttled_time"] ?? 0
        }
        if let cpuset = files("cpuset") {
            statistics.cpuset.processors = cpuset.list("cpuset.cpus")
            statistics.cpuset.nodes = cpuset.list("cpuset.mems")
            for name in [
                "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
            ] {
                let line = cpuset.text("cpuset.\(name)")?.trimmedLine
                statistics.cpuset.settings[name] = line.flatMap { Int64($0) } ?? 0
            }
        }
        if let memory = files("memory") {
            statistics.memory.counters = memory.counters("memory.stat")
            statistics.memory.cache = statistics.memory.counters["cache"] ?? 0
            statistics.memory.usage = memory.amount("memory.")
            statistics.memory.swap = memory.amount("memory.memsw.")
            statistics.memory.kernel = memory.amount("memory.kmem.")
            statistics.memory.kernelTCP = memory.amount("memory.kmem.tcp.")
        }
        if let pids = files("pids") {
            statistics.processes.current = pids.number("pids.current")
            let limit = pids.number("pids.max")
            statistics.processes.limit = limit == .max ? 0 : limit
        }
        if let blkio = files("blkio") {
            for (name, file) in [("serviceBytes", "io_service_bytes"), ("serviced", "io_serviced")] {
                // The recursive counts are the schedulers'; where none counts, the throttler does.
                let entries = Self.entries(blkio.text("blkio.bfq.\(file)_recursive") ?? "")
                statistics.blockIO.entries[name] =
                    entries.isEmpty ? Self.entries(blkio.text("blkio.throttle.\(file)_recursive") ?? "") : entries
            }
        }
        if let hugetlb = files("hugetlb") {
            for size in hugetlb.hugePageSizes() {
                statistics.hugePages[size] = hugetlb.amount("hugetlb.\(size).")
            }
        }
        return statistics
    }

    /// Lines "8:0 Read 4096"; the sums below them are left out.
    private static func entries(_ text: String) -> [CgroupStatistics.BlockIO.Entry] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split { $0 == " " || $0 == ":" }
            guard words.count == 4, let major = UInt64(words[0]), let minor = UInt64(words[1]),
                let value = UInt64(words[3])
            else { return nil }
            return .init(major: major, minor: minor, operation: String(words[2]), value: value)
        }
    }
}

extension CgroupV2 {
    func statistics() -> CgroupStatistics {
        var statistics = CgroupStatistics()
        let files = ControlFiles(directory: directory)
        // Microseconds here, nanoseconds there.
        let cpu = files.counters("cpu.stat")
        statistics.cpu.total = (cpu["usage_usec"] ?? 0) * 1000
        statistics.cpu.user = (cpu["user_usec"] ?? 0) * 1000
        statistics.cpu.kernel = (cpu["system_usec"] ?? 0) * 1000
        statistics.cpu.periods = cpu["nr_periods"] ?? 0
        statistics.cpu.throttledPeriods = cpu["nr_throttled"] ?? 0
        statistics.cpu.throttledTime = (cpu["throttled_usec"] ?? 0) * 1000
        statistics.cpu.pressure = files.pressure("cpu.pressure")
        statistics.cpuset.processors = files.list("cpuset.cpus")
        statistics.cpuset.nodes = files.list("cpuset.mems")
        statistics.memory.counters = files.counters("memory.stat")
        statistics.memory.cache = statistics.memory.counters["file"] ?? 0
        statistics.memory.usage = .init(
            usage: files.number("memory.current"), maximum: files.number("memory.peak"),
            failures: counter("max", in: files.text("memory.events") ?? ""), limit: files.number("memory.max"))
        // v1's figure counts memory and swap together.
        let swap = files.number("memory.swap.current"), swapLimit = files.number("memory.swap.max")
        statistics.memory.swap.usage = swap &+ statistics.memory.usage.usage
        let (sum, tooMuch) = swapLimit.addingReportingOverflow(statistics.memory.usage.limit)
        statistics.memory.swap.limit = tooMuch || swapLimit == .max ? .max : sum
        statistics.memory.pressure = files.pressure("memory.pressure")
        statistics.processes.current = files.number("pids.current")
        let limit = files.number("pids.max")
        statistics.processes.limit = limit == .max ? 0 : limit
        for line in (files.text("io.stat") ?? "").split(separator: "\n") { add(line, to: &statistics.blockIO) }
        statistics.blockIO.pressure = files.pressure("io.pressure")
        for size in files.hugePageSizes() {
            statistics.hugePages[size] = .init(
                usage: files.number("hugetlb.\(size).current"), maximum: 0,
                failures: counter("max", in: files.text("hugetlb.\(size).events") ?? ""),
                limit: files.number("hugetlb.\(size).max"))
        }
        return statistics
    }

    /// A line "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6".
    private func add(_ line: Substring, to io: inout CgroupStatistics.BlockIO) {
        let words = line.split(separator: " ")
        let number = (words.first ?? "").split(separator: ":").compactMap { UInt64($0) }
        guard number.count == 2 else { return }
        let kinds = [
            "rbytes": ("serviceBytes", "Read"), "wbytes": ("serviceBytes", "Write"),
            "dbytes": ("serviceBytes", "Discard"), "rios": ("serviced", "Read"), "wios": ("serviced", "Write"),
            "dios": ("serviced", "Discard"),
        ]
        for word in words.dropFirst() {
            let parts = word.split(separator: "=")
            guard parts.count == 2, let kind = kinds[String(parts[0])], let value = UInt64(parts[1]) else { continue }
            io.entries[kind.0, default: []].append(
                .init(major: number[0], minor: number[1], operation: kind.1, value: value))
        }
    }
}
