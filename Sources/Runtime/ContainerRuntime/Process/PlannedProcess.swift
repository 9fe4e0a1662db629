internal import CLinux
internal import Linux
internal import OCI

/// A process with everything looked up and checked that can be before there is a container.
struct PlannedProcess: Sendable {
    var arguments: [String]
    var environment: [String]
    var directory: String
    var user: RuntimeSpec.User
    var bounding: CapabilitySet
    var effective: CapabilitySet
    var permitted: CapabilitySet
    var inheritable: CapabilitySet
    var ambient: CapabilitySet
    var limits: [(resource: Int32, soft: UInt64, hard: UInt64)]
    var oomScoreAdjustment: Int32?
    var noNewPrivileges: Bool
    /// Whether the supplementary groups stay those of the caller.
    var keepsGroups = false
    var filter: [UInt8]?
    var installation: SeccompInstallation
    var labels: SecurityLabels
    var attributes: PlannedAttributes

    /// - Parameter linux: of the container's document, what concerns its processes.
    init(_ process: RuntimeSpec.Process, _ linux: RuntimeSpec.LinuxSettings, filter: [UInt8]?) throws(RuntimeFailure) {
        guard let name = process.arguments.first, !name.isEmpty else {
            throw RuntimeFailure(.specification, "process.args: no command given")
        }
        try Self.check(process.arguments, "args")
        try Self.check(process.environment, "env")
        try Self.check(process.user.uid, "uid")
        try Self.check(process.user.gid, "gid")
        for id in process.user.additionalGids { try Self.check(id, "additionalGids") }
        labels = try SecurityLabels(process)
        attributes = try PlannedAttributes(process, linux)
        installation = try SeccompInstallation(filter == nil ? nil : linux.seccomp)
        arguments = process.arguments
        environment = Self.unique(process.environment)
        directory = process.directory
        user = process.user
        let sets = process.capabilities ?? RuntimeSpec.Capabilities()
        bounding = CapabilitySet(names: sets.bounding)
        effective = CapabilitySet(names: sets.effective)
        permitted = CapabilitySet(names: sets.permitted)
        inheritable = CapabilitySet(names: sets.inheritable)
        // The kernel lets be ambient only what is permitted and inheritable; what is not is left out, as runc does.
        ambient = CapabilitySet(names: sets.ambient).intersection(permitted).intersection(inheritable)
        limits = []
        for limit in process.rlimits {
            guard let resource = Self.limit(limit.type) else {
                throw RuntimeFailure(.specification, "process.rlimits: unknown type \"\(limit.type)\"")
            }
            guard limit.soft <= limit.hard else {
                throw RuntimeFailure(
                    .specification, "process.rlimits: \(limit.type): soft \(limit.soft) is above hard \(limit.hard)")
            }
            limits.append((resource, limit.soft, limit.hard))
        }
        oomScoreAdjustment = process.oomScoreAdjustment
        if let score = oomScoreAdjustment, !(-1000...1000).contains(score) {
            throw RuntimeFailure(.specification, "process.oomScoreAdj: \(score) is not from -1000 to 1000")
        }
        noNewPrivileges = process.noNewPrivileges
        self.filter = filter
    }

    private static func check(_ texts: [String], _ member: StaticString) throws(RuntimeFailure) {
        guard let bad = texts.first(where: { $0.utf8.contains(0) }) else { return }
        throw RuntimeFailure(.specification, "process.\(member): \"\(bad)\" holds a zero byte")
    }

    private static func check(_ id: UInt32, _ member: StaticString) throws(RuntimeFailure) {
        guard id == .max else { return }
        throw RuntimeFailure(
            .specification,
            "process.user.\(member): 4294967295 is not an id: the kernel means \"as it is\" by it, which is root")
    }

    /// Sets how soon the kernel ends this process for want of memory; before it is undumpable, and with the caller's procfs.
    ///
    /// Zero is a value as well: the caller's own may be another.
    func setOutOfMemoryScore() throws(SystemError) {
        guard let score = oomScoreAdjustment else { return }
        let file = try open("/proc/self/oom_score_adj", O_RDWR)
        let now = String(decoding: try readAll(file.raw, limit: 64), as: UTF8.self)
        if Int32(now.trimmedLine) == score { return }
        do { try writeAll(file.raw, "\(score)") } catch { throw error.about("oomScoreAdj \(score)") }
    }

    /// Each variable once, with its last value in its first place: most programs would take the first.
    private static func unique(_ environment: [String]) -> [String] {
        // A few are compared sooner than a table is made.
        guard environment.count <= 64 else { return uniqueOfMany(environment) }
        var result: [String] = []
        for entry in environment {
            let name = name(of: entry)
            if let place = result.firstIndex(where: { Self.name(of: $0).elementsEqual(name) }) {
                result[place] = entry
            } else {
                result.append(entry)
            }
        }
        return result
    }

    private static func uniqueOfMany(_ environment: [String]) -> [String] {
        var places: [[UInt8]: Int] = [:]
        var result: [String] = []
        for entry in environment {
            let name = Array(name(of: entry))
            if let place = places[name] {
                result[place] = entry
            } else {
                places[name] = result.count
                result.append(entry)
            }
        }
        return result
    }

    private static func name(of entry: String) -> Substring.UTF8View {
        entry.utf8.prefix { $0 != UInt8(ascii: "=") }
    }

    /// The value of a variable of the process's environment; the last one counts.
    func variable(_ name: String) -> String? {
        environment.last { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.utf8.count + 1)) }
    }

    /// Whether the environment says where home is; an empty word does not.
    var hasHome: Bool { variable("HOME")?.isEmpty == false }

    /// The number of a limit by its whole name.
    static func limit(_ name: String) -> Int32? {
        resourceLimitNames.firstIndex { "RLIMIT_" + $0 == name }.map { Int32($0) }
    }
}
