internal import DBus
internal import OCI

/// A property of a unit, as the manager's calls take it.
struct UnitProperty: Sendable, Hashable {
    var name: String
    var value: DBusValue

    init(_ name: String, _ value: DBusValue) {
        self.name = name
        self.value = value
    }

    /// `(sv)`.
    var pair: DBusValue { .structure([.string(name), .variant(value)]) }

    static func list(_ properties: [UnitProperty]) -> DBusValue {
        .array(of: .structure([.string, .variant]), properties.map(\.pair))
    }
}

/// What a group's files say now of values that belong to a pair; nil where they say nothing or "no limit".
struct PresentLimits: Sendable, Hashable {
    var memory: Int64?
    var quota: Int64?
    var period: UInt64?
}

/// A container's scope and its limits as properties of a unit.
///
/// The manager writes a unit's limits anew whenever it sees fit, at `daemon-reload` for one: what it is not told it takes away.
/// See systemd.resource-control(5) and org.freedesktop.systemd1(5).
struct UnitProperties {
    let isV1: Bool
    /// The manager's; properties that came later than 230 are left out where it is older.
    let version: Int

    /// What makes the scope a container's.
    func scope(_ name: ScopeName, id: String, pid: UInt32) -> [UnitProperty] {
        [
            UnitProperty("Description", .string("container \(id)")), UnitProperty("Slice", .string(name.slice)),
            // The group below is the runtime's and the container's: the manager leaves it alone.
            UnitProperty("Delegate", .boolean(true)), UnitProperty("PIDs", .array(of: .uint32, [.uint32(pid)])),
            // A shutdown ends containers by the services that started them, in their order.
            UnitProperty("DefaultDependencies", .boolean(false)),
            UnitProperty("MemoryAccounting", .boolean(true)), UnitProperty("CPUAccounting", .boolean(true)),
            UnitProperty(isV1 ? "BlockIOAccounting" : "IOAccounting", .boolean(true)),
            UnitProperty("TasksAccounting", .boolean(true)),
        ]
            // Otherwise one that has failed stays, with its name taken.
            + (version >= 236 ? [UnitProperty("CollectMode", .string("inactive-or-failed"))] : [])
    }

    /// The limits a unit can have; the rest is in the group's files alone.
    ///
    /// - Parameter present: what the group has now, for a document that names one of a pair.
    func limits(
        _ resources: RuntimeSpec.Resources, present: PresentLimits = PresentLimits()
    ) throws(RuntimeFailure) -> [UnitProperty] {
        var list: [UnitProperty] = []
        let memory = resources.memory, cpu = resources.cpu
        let limit = memory.limit.flatMap { $0 == 0 ? nil : $0 }
        if let limit { list.append(UnitProperty(isV1 ? "MemoryLimit" : "MemoryMax", Self.amount(limit))) }
        if !isV1 {
            if let low = memory.reservation, low != 0 { list.append(UnitProperty("MemoryLow", Self.amount(low))) }
            if let swap = swap(memory, limit, present.memory) { list.append(UnitProperty("MemorySwapMax", swap)) }
        }
        if let shares = cpu.shares, shares != 0 {
            list.append(
                isV1
                    ? UnitProperty("CPUShares", .uint64(shares))
                    : UnitProperty("CPUWeight", .uint64(CgroupV2.weight(shares: shares))))
        }
        if !isV1, cpu.idle == 1, version >= 252 { list.append(UnitProperty("CPUWeight", .uint64(0))) }
        list += quota(cpu.quota, cpu.period, present)
        list += try processors(cpu.cpus, cpu.mems)
        if let pids = resources.pidsLimit {
            list.append(UnitProperty("TasksMax", pids > 0 ? .uint64(UInt64(pids)) : Self.none))
        }
        if let weight = resources.blockIO.weight, weight != 0 {
            list.append(
                isV1
                    ? UnitProperty("BlockIOWeight", .uint64(UInt64(weight)))
                    : UnitProperty("IOWeight", .uint64(CgroupV2.ioWeight(weight))))
        }
        return try list + unified(resources.unified)
    }

    private func swap(_ memory: RuntimeSpec.Resources.Memory, _ limit: Int64?, _ now: Int64?) -> DBusValue? {
        var swap = memory.swap
        if limit == -1, swap == nil || swap == 0 { swap = -1 }
        guard let swap, swap != 0 || limit == nil else { return nil }
        if swap <= 0 { return swap < 0 ? Self.none : .uint64(0) }
        // A pair that makes no sense is refused where the files are written.
        guard let present = limit ?? now, present > 0, swap >= present else { return nil }
        return .uint64(UInt64(swap - present))
    }

    /// Microseconds of each second, which the manager keeps as whole hundredths: a part of one is rounded up.
    private func quota(_ quota: Int64?, _ period: UInt64?, _ present: PresentLimits) -> [UnitProperty] {
        let given = period ?? 0
        guard (quota ?? 0) != 0 || given != 0 else { return [] }
        let quota = quota.flatMap { $0 == 0 ? nil : $0 } ?? present.quota ?? -1
        let period = given != 0 ? given : present.period ?? 100_000
        var list: [UnitProperty] = []
        if given != 0, version >= 242 { list.append(UnitProperty("CPUQuotaPeriodUSec", .uint64(given))) }
        var perSecond = UInt64.max
        if quota > 0 {
            let (product, overflow) = UInt64(quota).multipliedReportingOverflow(by: 1_000_000)
            if !overflow {
                let exact = product / period
                perSecond = (exact / 10_000 + (exact % 10_000 == 0 ? 0 : 1)) * 10_000
            }
        }
        return list + [UnitProperty("CPUQuotaPerSecUSec", .uint64(perSecond))]
    }

    private func processors(_ cpus: String?, _ mems: String?) throws(RuntimeFailure) -> [UnitProperty] {
        guard version >= 244 else { return [] }
        var list: [UnitProperty] = []
        for (name, member, text) in [("AllowedCPUs", "cpu.cpus", cpus), ("AllowedMemoryNodes", "cpu.mems", mems)] {
            guard let text, !text.isEmpty else { continue }
            list.append(UnitProperty(name, .bytes(try Self.bits(text, "linux.resources.\(member)"))))
        }
        return list
    }

    /// The set of a list's numbers, number 0 the lowest bit of the first byte.
    static func bits(_ text: String, _ member: String) throws(RuntimeFailure) -> [UInt8] {
        let numbers = try NumberList(text, of: member, below: 8192).numbers
        var bytes = [UInt8](repeating: 0, count: (numbers.max() ?? 0) / 8 + 1)
        for number in numbers { bytes[number / 8] |= 1 << UInt8(number % 8) }
        return bytes
    }

    /// The files of `unified` that are properties as well.
    private func unified(_ files: [String: String]) throws(RuntimeFailure) -> [UnitProperty] {
        var list: [UnitProperty] = []
        for (file, text) in files.sorted(by: { $0.key < $1.key }) {
            let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = words.first else { continue }
            // What is no number is refused by the file itself, with a line that names it.
            let amount = first == "max" ? Self.none : UInt64(first).map { .uint64($0) }
            switch file {
            case "cpu.max":
                list += quota(
                    first == "max" ? -1 : Int64(first), words.count > 1 ? UInt64(words[1]) : nil, PresentLimits())
            case "cpuset.cpus": list += try processors(text, nil)
            case "cpuset.mems": list += try processors(nil, text)
            case "io.weight":
                if let weight = UInt64(words.last ?? ""), words.count == 1 || first == "default" {
                    list.append(UnitProperty("IOWeight", .uint64(weight)))
                }
            default:
                if let name = Self.amounts[file], let amount { list.append(UnitProperty(name, amount)) }
            }
        }
        return list
    }

    private static let amounts = [
        "cpu.weight": "CPUWeight", "memory.min": "MemoryMin", "memory.low": "MemoryLow", "memory.high": "MemoryHigh",
        "memory.max": "MemoryMax", "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax",
    ]

    private static var none: DBusValue { .uint64(.max) }

    private static func amount(_ value: Int64) -> DBusValue { value < 0 ? none : .uint64(UInt64(value)) }

    /// Properties that annotations ask for: `org.systemd.property.TimeoutStopUSec: "uint64 5000000"`.
    ///
    /// A name that ends in `Sec` has its value in seconds, and the property is the one in microseconds. Annotations come
    /// from whoever may start a container, and engines pass them on: those that name other processes and units, rights or
    /// limits are refused (CVE-2024-3154).
    static func annotated(_ annotations: [String: String]) throws(RuntimeFailure) -> [UnitProperty] {
        let prefix = "org.systemd.property."
        var list: [UnitProperty] = []
        for (key, text) in annotations.sorted(by: { $0.key < $1.key }) where key.hasPrefix(prefix) {
            var name = String(key.dropFirst(prefix.count))
            guard name.utf8.count >= 3, name.utf8.allSatisfy({ $0.isASCIIAlphanumeric }) else {
                throw RuntimeFailure(.specification, "annotation \(key): \"\(name)\" is not the name of a property")
            }
            do {
                var value = try VariantText.value(text)
                if name.hasSuffix("Sec"), name.dropLast(3).last?.isLowercase == true {
                    value = try microseconds(value)
                    name = name.dropLast(3) + "USec"
                }
                guard ofAnnotations.contains(name) else {
                    throw DBusFault("annotations may set \(ofAnnotations.sorted().joined(separator: ", ")) only")
                }
                list.append(UnitProperty(name, value))
            } catch {
                throw RuntimeFailure(.specification, "annotation \(key): `\(text)`: \(error)")
            }
        }
        return list
    }

    /// What concerns only when and how the unit itself begins and ends.
    private static let ofAnnotations: Set<String> = [
        "After", "Before", "CollectMode", "DefaultDependencies", "Description", "FinalKillSignal", "KillMode",
        "KillSignal", "RuntimeMaxUSec", "SendSIGHUP", "SendSIGKILL", "TimeoutStartUSec", "TimeoutStopUSec",
    ]

    private static func microseconds(_ value: DBusValue) throws(DBusFault) -> DBusValue {
        let seconds: Double? =
            switch value {
            case .byte(let number): Double(number)
            case .int16(let number): Double(number)
            case .uint16(let number): Double(number)
            case .int32(let number): Double(number)
            case .uint32(let number): Double(number)
            case .int64(let number): Double(number)
            case .uint64(let number): Double(number)
            case .double(let number): number
            default: nil
            }
        guard let seconds, let count = UInt64(exactly: (seconds * 1_000_000).rounded(.down)) else {
            throw DBusFault("a number of seconds is needed")
        }
        return .uint64(count)
    }
}
