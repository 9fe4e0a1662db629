internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `pause ID` and `resume ID`.
struct FreezeVerb {
    private let id: String
    private let frozen: Bool

    init(_ words: [String], frozen: Bool) throws {
        id = try Arguments(words).only("container id")
        self.frozen = frozen
    }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        let status = StateVerb.currentStatus(state, context)
        guard frozen ? (status == .running || status == .created) : status == .paused else {
            throw RuntimeFailure(
                .specification, "cannot \(frozen ? "pause" : "resume") container \(id): it is \(status.rawValue)")
        }
        try group(of: state).freeze(frozen)
    }
}

/// `update --resources FILE ID`, or the single limits runc has flags for.
struct UpdateVerb {
    private let id: String
    private let resources: RuntimeSpec.Resources

    init(_ words: [String]) throws {
        let arguments = try Arguments(
            words,
            options: [
                "resources", "memory", "memory-reservation", "memory-swap", "cpu-period", "cpu-quota", "cpu-burst",
                "cpu-share", "cpuset-cpus", "cpuset-mems", "pids-limit", "blkio-weight", "cpu-idle",
            ], short: ["r": "resources"])
        id = try arguments.only("container id")
        if let file = arguments.last("resources") {
            let bytes = file == "-" ? try readAll(0) : try readFile(file)
            resources = try RuntimeSpec.Resources(json: JSON.parse(bytes))
            return
        }
        func number(_ option: String) throws -> Int64? {
            guard let text = arguments.last(option) else { return nil }
            guard let value = Int64(text) else {
                throw Arguments.Misuse(description: "flag --\(option) takes a number, not \"\(text)\"")
            }
            return value
        }
        func natural(_ option: String) throws -> UInt64? { try number(option).map { UInt64(max(0, $0)) } }
        var resources = RuntimeSpec.Resources()
        resources.memory.limit = try number("memory")
        resources.memory.reservation = try number("memory-reservation")
        resources.memory.swap = try number("memory-swap")
        resources.cpu.period = try natural("cpu-period")
        resources.cpu.quota = try number("cpu-quota")
        resources.cpu.burst = try natural("cpu-burst")
        resources.cpu.shares = try natural("cpu-share")
        resources.cpu.idle = try number("cpu-idle")
        resources.cpu.cpus = arguments.last("cpuset-cpus")
        resources.cpu.mems = arguments.last("cpuset-mems")
        resources.pidsLimit = try number("pids-limit")
        resources.blockIO.weight = try natural("blkio-weight").map { UInt32(clamping: $0) }
        self.resources = resources
    }

    func run(_ context: RuntimeContext) throws {
        try group(of: context.states.read(id)).update(resources)
    }
}
