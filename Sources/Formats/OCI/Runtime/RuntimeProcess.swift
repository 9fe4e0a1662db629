public import Failures
public import JSON

extension RuntimeSpec {
    /// A process in a container: its first one, or one that enters later.
    ///
    /// See config.md, "Process".
    public struct Process: Sendable, Hashable {
        public var terminal: Bool
        /// Rows and columns of the terminal at its start.
        public var consoleSize: ConsoleSize?
        public var user: User
        public var arguments: [String]
        public var environment: [String]
        /// The working directory, absolute.
        public var directory: String
        public var capabilities: Capabilities?
        public var rlimits: [ResourceLimit]
        public var noNewPrivileges: Bool
        public var apparmorProfile: String?
        public var selinuxLabel: String?
        public var oomScoreAdjustment: Int32?
        public var scheduler: Scheduler?
        public var ioPriority: IOPriority?
        /// The CPUs of a process that enters: before and after it joined the cgroup.
        public var execCPUAffinity: CPUAffinity?

        public init(arguments: [String], environment: [String] = [], directory: String = "/") {
            terminal = false
            user = User()
            self.arguments = arguments
            self.environment = environment
            self.directory = directory
            rlimits = []
            noNewPrivileges = false
        }
    }

    public struct ConsoleSize: Sendable, Hashable {
        public var rows: UInt16
        public var columns: UInt16
        public init(rows: UInt16, columns: UInt16) {
            self.rows = rows
            self.columns = columns
        }
    }

    /// Who a process is.
    public struct User: Sendable, Hashable {
        public var uid: UInt32 = 0
        public var gid: UInt32 = 0
        public var umask: UInt32?
        public var additionalGids: [UInt32] = []
        /// Docker's `user[:group]`, looked up in the container's own `/etc/passwd` and `/etc/group` once the process is
        /// inside; it overrides the numbers.
        ///
        /// The specification has the member for Windows only: on Linux it is Skiff's own.
        public var name: String?
        /// Further groups by name or number, looked up in the same way; Skiff's own.
        public var additionalGroups: [String] = []
        public init() {}
    }

    /// The five capability sets, as `CAP_…` names.
    public struct Capabilities: Sendable, Hashable {
        public var bounding: [String] = []
        public var effective: [String] = []
        public var inheritable: [String] = []
        public var permitted: [String] = []
        public var ambient: [String] = []
        public init() {}
    }

    public struct ResourceLimit: Sendable, Hashable {
        /// `RLIMIT_NOFILE` and the like.
        public var type: String
        public var soft: UInt64
        public var hard: UInt64
        public init(type: String, soft: UInt64, hard: UInt64) {
            self.type = type
            self.soft = soft
            self.hard = hard
        }
    }

    /// See `sched_setattr(2)`.
    public struct Scheduler: Sendable, Hashable {
        public var policy: String
        public var nice: Int32 = 0
        public var priority: Int32 = 0
        public var flags: [String] = []
        public var runtime: UInt64 = 0
        public var deadline: UInt64 = 0
        public var period: UInt64 = 0
        public init(policy: String) { self.policy = policy }
    }

    /// See `ioprio_set(2)`.
    public struct IOPriority: Sendable, Hashable {
        public var schedulingClass: String
        public var priority: Int32
        public init(schedulingClass: String, priority: Int32 = 0) {
            self.schedulingClass = schedulingClass
            self.priority = priority
        }
    }

    public struct CPUAffinity: Sendable, Hashable {
        public var initial: String?
        public var final: String?
        public init(initial: String? = nil, final: String? = nil) {
            self.initial = initial
            self.final = final
        }
    }
}

// MARK: Reading

extension RuntimeSpec.Process {
    /// A process of its own document, as `exec --process` takes it.
    public init(json: JSON) throws(Failure) {
        var members = try Members(json, of: "process.json")
        try self.init(&members)
    }

    init(_ members: inout Members) throws(Failure) {
        self.init(
            arguments: try members.strings("args") ?? [], environment: try members.strings("env") ?? [],
            directory: try members.string("cwd") ?? "")
        if !directory.hasPrefix("/") { throw members.failure("cwd", "an absolute path is needed") }
        terminal = try members.bool("terminal") ?? false
        if var size = try members.object("consoleSize") {
            guard let rows = try size.unsigned32("height").flatMap({ UInt16(exactly: $0) }),
                let columns = try size.unsigned32("width").flatMap({ UInt16(exactly: $0) })
            else { throw size.failure("height", "height and width from 0 to 65535 are needed") }
            consoleSize = RuntimeSpec.ConsoleSize(rows: rows, columns: columns)
        }
        if var user = try members.object("user") {
            self.user.uid = try user.unsigned32("uid") ?? 0
            self.user.gid = try user.unsigned32("gid") ?? 0
            self.user.umask = try user.unsigned32("umask")
            self.user.additionalGids = try user.unsigned32s("additionalGids") ?? []
            self.user.name = try user.string("username")
            self.user.additionalGroups = try user.strings("additionalGroups") ?? []
        }
        if var sets = try members.object("capabilities") {
            var capabilities = RuntimeSpec.Capabilities()
            capabilities.bounding = try sets.strings("bounding") ?? []
            capabilities.effective = try sets.strings("effective") ?? []
            capabilities.inheritable = try sets.strings("inheritable") ?? []
            capabilities.permitted = try sets.strings("permitted") ?? []
            capabilities.ambient = try sets.strings("ambient") ?? []
            self.capabilities = capabilities
        }
        for var entry in try members.objects("rlimits") {
            guard let type = try entry.string("type"), let soft = try entry.unsigned("soft"),
                let hard = try entry.unsigned("hard")
            else { throw entry.failure("type", "type, soft and hard are all needed") }
            if rlimits.contains(where: { $0.type == type }) { throw entry.failure("type", "\(type) is there twice") }
            rlimits.append(RuntimeSpec.ResourceLimit(type: type, soft: soft, hard: hard))
        }
        noNewPrivileges = try members.bool("noNewPrivileges") ?? false
        apparmorProfile = try members.string("apparmorProfile")
        selinuxLabel = try members.string("selinuxLabel")
        oomScoreAdjustment = try members.integer32("oomScoreAdj")
        if var entry = try members.object("scheduler") {
            var scheduler = RuntimeSpec.Scheduler(policy: try entry.string("policy") ?? "")
            scheduler.nice = try entry.integer32("nice") ?? 0
            scheduler.priority = try entry.integer32("priority") ?? 0
            scheduler.flags = try entry.strings("flags") ?? []
            scheduler.runtime = try entry.unsigned("runtime") ?? 0
            scheduler.deadline = try entry.unsigned("deadline") ?? 0
            scheduler.period = try entry.unsigned("period") ?? 0
            self.scheduler = scheduler
        }
        if var entry = try members.object("ioPriority") {
            ioPriority = RuntimeSpec.IOPriority(
                schedulingClass: try entry.string("class") ?? "", priority: try entry.integer32("priority") ?? 0)
        }
        if var entry = try members.object("execCPUAffinity") {
            execCPUAffinity = RuntimeSpec.CPUAffinity(
                initial: try entry.string("initial"), final: try entry.string("final"))
        }
    }
}

// MARK: Writing

extension RuntimeSpec.Process {
    /// The document's `process` member.
    public var json: JSON {
        var object = JSONObject()
        if terminal { object["terminal"] = true }
        if let consoleSize {
            object["consoleSize"] = .object([
                "height": .integer(Int64(consoleSize.rows)), "width": .integer(Int64(consoleSize.columns)),
            ])
        }
        object["user"] = user.json
        object.set("args", arguments)
        object.set("env", environment)
        object["cwd"] = .string(directory)
        if let capabilities { object["capabilities"] = capabilities.json }
        object.set(
            "rlimits",
            rlimits.map { limit in
                var entry: JSONObject = ["type": .string(limit.type)]
                entry.set("hard", limit.hard)
                entry.set("soft", limit.soft)
                return .object(entry)
            })
        if noNewPrivileges { object["noNewPrivileges"] = true }
        object.set("apparmorProfile", apparmorProfile)
        object.set("selinuxLabel", selinuxLabel)
        object.set("oomScoreAdj", oomScoreAdjustment)
        if let scheduler { object["scheduler"] = scheduler.json }
        if let ioPriority {
            object["ioPriority"] = .object([
                "class": .string(ioPriority.schedulingClass), "priority": .integer(Int64(ioPriority.priority)),
            ])
        }
        if let execCPUAffinity {
            var entry = JSONObject()
            entry.set("initial", execCPUAffinity.initial)
            entry.set("final", execCPUAffinity.final)
            object["execCPUAffinity"] = .object(entry)
        }
        return .object(object)
    }
}

extension RuntimeSpec.User {
    var json: JSON {
        var object: JSONObject = ["uid": .integer(Int64(uid)), "gid": .integer(Int64(gid))]
        object.set("umask", umask)
        object.set("additionalGids", additionalGids)
        object.set("username", name)
        object.set("additionalGroups", additionalGroups)
        return .object(object)
    }
}

extension RuntimeSpec.Capabilities {
    var json: JSON {
        var object = JSONObject()
        object.set("bounding", bounding)
        object.set("effective", effective)
        object.set("inheritable", inheritable)
        object.set("permitted", permitted)
        object.set("ambient", ambient)
        return .object(object)
    }
}

extension RuntimeSpec.Scheduler {
    var json: JSON {
        var object: JSONObject = ["policy": .string(policy)]
        if nice != 0 { object.set("nice", nice) }
        if priority != 0 { object.set("priority", priority) }
        object.set("flags", flags)
        if runtime != 0 { object.set("runtime", runtime) }
        if deadline != 0 { object.set("deadline", deadline) }
        if period != 0 { object.set("period", period) }
        return .object(object)
    }
}
