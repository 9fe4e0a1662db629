internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `update ID`: changes limits while the container runs; what is not named stays.
struct UpdateVerb: Verb {
    static let name = "update"
    static let summary = "change a container's limits"
    static let flags = Flags(
        """
        --resources -r FILE         resources as in config.json; - reads standard input
        --blkio-weight N            relative weight of block I/O, 10 to 1000
        --cpu-period µs             the period a CPU quota is counted over
        --cpu-quota µs              CPU time in each period; -1 for no limit
        --cpu-burst µs              CPU time that may be saved up for later periods
        --cpu-share N               relative weight of CPU time
        --cpu-rt-period µs          the period realtime is counted over
        --cpu-rt-runtime µs         realtime in each period
        --cpu-idle 0|1              run only when nothing else wants to
        --cpuset-cpus LIST          processors that may be used, as 0-3,7
        --cpuset-mems LIST          memory nodes that may be used
        --kernel-memory BYTES       obsolete, and ignored by kernels since 5.16
        --kernel-memory-tcp BYTES   memory of TCP buffers
        --memory BYTES              memory, with k, m, g as units; -1 for no limit
        --memory-reservation BYTES  memory to be left with when there is little
        --memory-swap BYTES         memory and swap together; -1 for no limit
        --pids-limit N              processes and threads; -1 for no limit
        --l3-cache-schema SCHEMA    shares of cache, as L3:0=ff;1=f
        --mem-bw-schema SCHEMA      shares of memory bandwidth, as MB:0=20;1=70
        """)

    private let id: String
    private let resources: RuntimeSpec.Resources
    private let l3Cache: String?
    private let memoryBandwidth: String?

    init(_ arguments: Arguments) throws {
        id = try arguments.only("container id")
        l3Cache = arguments.last("l3-cache-schema")
        memoryBandwidth = arguments.last("mem-bw-schema")
        if let file = arguments.last("resources") {
            resources = try RuntimeSpec.Resources(json: readDocument(file))
            return
        }
        func natural(_ option: String) throws(Arguments.Misuse) -> UInt64? {
            try arguments.number(option, in: 0...UInt64.max)
        }
        func integer(_ option: String) throws(Arguments.Misuse) -> Int64? {
            try arguments.number(option, in: Int64.min...Int64.max)
        }
        func bytes(_ option: String) throws(Arguments.Misuse) -> Int64? {
            guard let text = arguments.last(option) else { return nil }
            guard let value = Self.bytes(text) else {
                throw Arguments.Misuse(description: "flag --\(option) takes bytes as 512m or -1, not \"\(text)\"")
            }
            return value
        }
        var resources = RuntimeSpec.Resources()
        resources.memory.limit = try bytes("memory")
        resources.memory.reservation = try bytes("memory-reservation")
        resources.memory.swap = try bytes("memory-swap")
        resources.memory.kernel = try bytes("kernel-memory")
        resources.memory.kernelTCP = try bytes("kernel-memory-tcp")
        resources.cpu.period = try natural("cpu-period")
        resources.cpu.quota = try integer("cpu-quota")
        resources.cpu.burst = try natural("cpu-burst")
        resources.cpu.shares = try natural("cpu-share")
        resources.cpu.realtimePeriod = try natural("cpu-rt-period")
        resources.cpu.realtimeRuntime = try integer("cpu-rt-runtime")
        resources.cpu.idle = try integer("cpu-idle")
        resources.cpu.cpus = arguments.last("cpuset-cpus")
        resources.cpu.mems = arguments.last("cpuset-mems")
        resources.pidsLimit = try integer("pids-limit")
        resources.blockIO.weight = try arguments.number("blkio-weight", in: 10...1000)
        self.resources = resources
    }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        guard context.states.status(of: state) != .stopped else {
            throw RuntimeFailure(.specification, "cannot update container \(id): it has stopped")
        }
        let cgroup = try group(of: state, to: "update")
        if l3Cache != nil || memoryBandwidth != nil {
            guard let resctrl = cgroup.resctrl else {
                throw RuntimeFailure(
                    .specification, "cannot update container \(id): it was made without linux.intelRdt")
            }
            try resctrl.update(l3Cache: l3Cache, memoryBandwidth: memoryBandwidth)
        }
        try cgroup.update(resources)
    }

    /// A number with a unit of 1024s: `512m`, `1.5g`, `64KiB`; -1 is no limit.
    static func bytes(_ text: String) -> Int64? {
        if text == "-1" { return -1 }
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number >= 0 else { return nil }
        var unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        if unit.hasSuffix("b") { unit.removeLast() }
        if unit.hasSuffix("i") { unit.removeLast() }
        guard let power = ["", "k", "m", "g", "t", "p"].firstIndex(of: unit) else { return nil }
        return Int64(exactly: (number * Double(1 << (10 * Int64(power)))).rounded(.down))
    }
}
