internal import Failures
internal import JSON
internal import Linux

/// What this machine has of what containers may be limited to.
struct MachineLimits: Sendable {
    var processors: NumberList
    var memoryNodes: NumberList
    /// Whether the kernel divides disk time by weight.
    var hasBlockWeight: Bool

    /// As the machine was when the daemon started.
    static let current = MachineLimits(
        processors: list("/sys/devices/system/cpu/online"), memoryNodes: list("/sys/devices/system/node/online"),
        hasBlockWeight: exists("/sys/fs/cgroup/blkio/blkio.weight") || exists("/sys/fs/cgroup/cgroup.controllers"))

    private static func list(_ path: String) -> NumberList {
        let line = (try? readText(path, limit: 4096))?.split(separator: "\n").first
        return line.flatMap { NumberList(String($0)) } ?? NumberList(numbers: [0])
    }

    /// - Throws: `invalid`, in Docker's words, for more than there is.
    func check(_ host: HostSettings) throws(Failure) {
        let count = Int64(processors.numbers.count)
        if let nanoCPUs = host.nanoCPUs, nanoCPUs > count * 1_000_000_000 {
            throw Failure(
                .invalid, "range of CPUs is from 0.01 to \(count).00, as there are only \(count) CPUs available")
        }
        try check(host.cpusetCPUs, "CPUs", "cpus", available: processors)
        try check(host.cpusetMems, "memory nodes", "mems", available: memoryNodes)
        if let weight = host.blkioWeight, !(10...1000).contains(weight) {
            throw Failure(.invalid, "range of blkio weight is from 10 to 1000")
        }
    }

    private func check(_ text: String, _ things: String, _ kind: String, available: NumberList) throws(Failure) {
        if text.isEmpty { return }
        guard let wanted = NumberList(text) else {
            throw Failure(.invalid, "invalid value \(text) for cpuset \(kind)")
        }
        guard wanted.numbers.isSubset(of: available.numbers) else {
            throw Failure(
                .invalid, "requested \(things) are not available - requested \(text), available: \(available)")
        }
    }

    /// Takes out what the kernel cannot do and Docker does without too.
    ///
    /// - Returns: what to tell whoever asked for it.
    func discard(from host: inout JSONObject) -> [String] {
        guard !hasBlockWeight, host["BlkioWeight"]?.intValue ?? 0 != 0 else { return [] }
        host["BlkioWeight"] = 0
        return ["Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."]
    }
}

/// Numbers as the kernel lists processors and memory nodes: `0-3,5`.
struct NumberList: Sendable, Hashable, CustomStringConvertible {
    let numbers: Set<Int>

    init(numbers: Set<Int>) { self.numbers = numbers }

    /// Nil for what is no list, and for numbers that no machine has.
    init?(_ text: String) {
        var numbers: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], (0...last).contains(first),
                last < 8192
            else { return nil }
            numbers.formUnion(first...last)
        }
        self.numbers = numbers
    }

    var description: String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers.sorted() {
            if let last = ranges.last, last.upperBound == number - 1 {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
