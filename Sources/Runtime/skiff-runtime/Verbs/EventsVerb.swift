internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux

/// `events ID`: prints what the container uses, again and again, and when it runs out of memory, until it ends.
struct EventsVerb: Verb {
    static let name = "events"
    static let summary = "print what a container uses, and when it runs out of memory"
    static let flags = Flags(
        """
        --interval TIME  between two lines, as 5s, 100ms or 1m (5s)
        --stats          print one line and end
        """)

    private let id: String
    private let once: Bool
    /// Milliseconds.
    private let interval: Int32

    init(_ arguments: Arguments) throws {
        id = try arguments.only("container id")
        once = arguments.has("stats")
        let text = arguments.last("interval") ?? "5s"
        guard let interval = Self.milliseconds(text), interval > 0 else {
            throw Arguments.Misuse(description: "flag --interval takes a time as 5s or 100ms, not \"\(text)\"")
        }
        self.interval = interval
    }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        guard context.states.status(of: state) != .stopped else {
            throw RuntimeFailure(.specification, "container with id \(id) is not running")
        }
        let cgroup = try group(of: state, to: "count what is used by")
        if once { return try report(cgroup) }
        let process = try PidFD(state.pid)
        let watcher = try? MemoryWatcher(cgroup)
        var kills = cgroup.outOfMemoryKills() ?? 0
        var next = Clock.monotonicMilliseconds() + Int64(interval)
        while true {
            let rest = max(0, next - Clock.monotonicMilliseconds())
            let events = try poll(
                [(process.raw, Int16(POLLIN)), (watcher?.raw ?? -1, Int16(POLLIN))], timeout: Int32(rest))
            if events[1] != 0, let watcher {
                watcher.drain()
                let now = cgroup.outOfMemoryKills() ?? 0
                if now > kills { try line("oom") }
                kills = max(kills, now)
            }
            if events[0] != 0 { return }
            if Clock.monotonicMilliseconds() >= next {
                try report(cgroup)
                next += Int64(interval)
            }
        }
    }

    private func report(_ cgroup: Cgroup) throws { try line("stats", cgroup.statistics().json) }

    private func line(_ type: String, _ data: JSON? = nil) throws {
        var event: JSONObject = ["type": .string(type), "id": .string(id)]
        event["data"] = data
        try writeAll(1, JSON.object(event).text + "\n")
    }

    /// Go's way to write a time, without fractions: `1m30s`, `100ms`.
    static func milliseconds(_ text: String) -> Int32? {
        var total: Int64 = 0
        var rest = text[...]
        if rest.isEmpty { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int64(digits), number <= 1 << 32 else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !$0.isNumber }
            rest = rest.dropFirst(unit.count)
            switch unit {
            case "ms": total += number
            case "s": total += number * 1000
            case "m": total += number * 60_000
            case "h": total += number * 3_600_000
            default: return nil
            }
        }
        return Int32(exactly: total)
    }
}

// The names are those of runc's events, which others read.
extension CgroupStatistics {
    fileprivate var json: JSON {
        let usage: JSON = .object([
            "total": JSON(cpu.total), "percpu": .array(cpu.perProcessor.map { JSON($0) }),
            "percpu_kernel": .array(cpu.perProcessorKernel.map { JSON($0) }),
            "percpu_user": .array(cpu.perProcessorUser.map { JSON($0) }), "kernel": JSON(cpu.kernel),
            "user": JSON(cpu.user),
        ])
        var processor: JSONObject = [
            "usage": usage,
            "throttling": .object([
                "periods": JSON(cpu.periods), "throttledPeriods": JSON(cpu.throttledPeriods),
                "throttledTime": JSON(cpu.throttledTime),
            ]),
        ]
        processor["psi"] = cpu.pressure?.json
        var set: JSONObject = [
            "cpus": .array(cpuset.processors.map { JSON($0) }), "mems": .array(cpuset.nodes.map { JSON($0) }),
        ]
        for (name, value) in cpuset.settings.sorted(by: { $0.key < $1.key }) { set[name] = .integer(value) }
        var pages = JSONObject()
        for (size, amount) in hugePages.sorted(by: { $0.key < $1.key }) {
            pages[size] = .object([
                "usage": JSON(amount.usage), "max": JSON(amount.maximum), "failcnt": JSON(amount.failures),
            ])
        }
        return .object([
            "cpu": .object(processor), "cpuset": .object(set), "memory": memory.json,
            "pids": .object(["current": JSON(processes.current), "limit": JSON(processes.limit)]),
            "blkio": blockIO.json, "hugetlb": .object(pages), "intel_rdt": .object([:]), "network_interfaces": .null,
        ])
    }
}

extension CgroupStatistics.Memory {
    fileprivate var json: JSON {
        var raw = JSONObject()
        for (name, value) in counters.sorted(by: { $0.key < $1.key }) { raw[name] = JSON(value) }
        var object: JSONObject = [
            "cache": JSON(cache), "usage": usage.json, "swap": swap.json, "kernel": kernel.json,
            "kernelTCP": kernelTCP.json, "raw": .object(raw),
        ]
        object["psi"] = pressure?.json
        return .object(object)
    }
}

extension CgroupStatistics.Amount {
    fileprivate var json: JSON {
        .object([
            "limit": JSON(limit), "usage": JSON(usage), "max": JSON(maximum), "failcnt": JSON(failures),
        ])
    }
}

extension CgroupStatistics.BlockIO {
    fileprivate var json: JSON {
        var object = JSONObject()
        for (name, key) in [("serviceBytes", "ioServiceBytesRecursive"), ("serviced", "ioServicedRecursive")] {
            guard let entries = entries[name], !entries.isEmpty else { continue }
            object[key] = .array(
                entries.map { entry in
                    .object([
                        "major": JSON(entry.major), "minor": JSON(entry.minor), "op": .string(entry.operation),
                        "value": JSON(entry.value),
                    ])
                })
        }
        object["psi"] = pressure?.json
        return .object(object)
    }
}

extension CgroupStatistics.Pressure {
    fileprivate var json: JSON { .object(["some": some.json, "full": full.json]) }
}

extension CgroupStatistics.Pressure.Stall {
    fileprivate var json: JSON {
        .object([
            "avg10": .double(average10), "avg60": .double(average60), "avg300": .double(average300),
            "total": JSON(total),
        ])
    }
}
