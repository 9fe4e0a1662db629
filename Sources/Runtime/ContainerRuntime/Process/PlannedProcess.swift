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
    var filter: [UInt8]?
    var filterFlags: UInt32

    init(_ process: RuntimeSpec.Process, filter: [UInt8]?, filterFlags: UInt32 = 0) throws(RuntimeFailure) {
        guard let name = process.arguments.first, !name.isEmpty else {
            throw RuntimeFailure(.specification, "process.args: no command given")
        }
        for (what, texts) in [("args", process.arguments), ("env", process.environment)] {
            if let bad = texts.first(where: { $0.utf8.contains(0) }) {
                throw RuntimeFailure(.specification, "process.\(what): \"\(bad)\" holds a zero byte")
            }
        }
        for (member, value) in [("apparmorProfile", process.apparmorProfile), ("selinuxLabel", process.selinuxLabel)] {
            if let value, !value.isEmpty, value != "unconfined" {
                throw RuntimeFailure(
                    .specification, "process.\(member): not supported by this kernel or runtime (\(value))")
            }
        }
        if process.scheduler != nil || process.ioPriority != nil {
            throw RuntimeFailure(.specification, "process.scheduler and process.ioPriority are not supported yet")
        }
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
            guard let resource = Self.resources[limit.type] else {
                throw RuntimeFailure(.specification, "process.rlimits: unknown type \"\(limit.type)\"")
            }
            limits.append((resource, limit.soft, limit.hard))
        }
        oomScoreAdjustment = process.oomScoreAdjustment
        noNewPrivileges = process.noNewPrivileges
        self.filter = filter
        self.filterFlags = filterFlags
    }

    /// Each variable once, with its last value in its first place: most programs would take the first.
    private static func unique(_ environment: [String]) -> [String] {
        var places: [Substring: Int] = [:]
        var result: [String] = []
        for entry in environment {
            let name = entry.prefix { $0 != "=" }
            if let place = places[name] {
                result[place] = entry
            } else {
                places[name] = result.count
                result.append(entry)
            }
        }
        return result
    }

    /// The value of a variable of the process's environment; the last one counts.
    func variable(_ name: String) -> String? {
        environment.last { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.utf8.count + 1)) }
    }

    /// Whether the environment says where home is; an empty word does not.
    var hasHome: Bool { variable("HOME")?.isEmpty == false }

    /// Numbers of `setrlimit(2)` on this architecture.
    private static let resources: [String: Int32] = [
        "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5,
        "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10,
        "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
    ]
}
