public import Failures
public import JSON

extension RuntimeSpec {
    /// The part of the document that is Linux's own.
    ///
    /// See config-linux.md.
    public struct LinuxSettings: Sendable, Hashable {
        public var namespaces: [Namespace] = []
        public var uidMappings: [IDMapping] = []
        public var gidMappings: [IDMapping] = []
        /// By clock: `monotonic`, `boottime`.
        public var timeOffsets: [String: TimeOffset] = [:]
        public var devices: [Device] = []
        public var cgroupsPath: String?
        public var resources = Resources()
        public var sysctl: [String: String] = [:]
        public var seccomp: Seccomp?
        /// `shared`, `slave`, `private`, `unbindable`, or nothing.
        public var rootfsPropagation: String?
        public var maskedPaths: [String] = []
        public var readonlyPaths: [String] = []
        public var mountLabel: String?
        public var personality: Personality?
        /// Host network interfaces that become the container's, and the name they get there; empty keeps the name.
        public var networkDevices: [String: String] = [:]
        public var memoryPolicy: MemoryPolicy?
        public var intelRDT: IntelRDT?
        public init() {}
    }

    /// A namespace to make, or to join by path.
    public struct Namespace: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable, CaseIterable {
            case pid, network, mount, ipc, uts, user, cgroup, time

            // What the compiler writes looks it up in a list, whose type each process would have to make.
            public init?(rawValue: String) {
                switch rawValue {
                case "pid": self = .pid
                case "network": self = .network
                case "mount": self = .mount
                case "ipc": self = .ipc
                case "uts": self = .uts
                case "user": self = .user
                case "cgroup": self = .cgroup
                case "time": self = .time
                default: return nil
                }
            }
        }
        public var kind: Kind
        /// The one to join; nil makes a new one.
        public var path: String?
        public init(_ kind: Kind, path: String? = nil) {
            self.kind = kind
            self.path = path
        }
    }

    public struct TimeOffset: Sendable, Hashable {
        public var seconds: Int64
        public var nanoseconds: UInt32
        public init(seconds: Int64, nanoseconds: UInt32 = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    /// A device node to make.
    public struct Device: Sendable, Hashable {
        /// `c`, `u`, `b` or `p`.
        public var type: String
        public var path: String
        public var major: Int64
        public var minor: Int64
        public var mode: UInt32?
        public var uid: UInt32?
        public var gid: UInt32?
        public init(type: String, path: String, major: Int64, minor: Int64, mode: UInt32? = nil) {
            self.type = type
            self.path = path
            self.major = major
            self.minor = minor
            self.mode = mode
        }
    }

    public struct Personality: Sendable, Hashable {
        /// `LINUX` or `LINUX32`.
        public var domain: String
        public var flags: [String]
        public init(domain: String, flags: [String] = []) {
            self.domain = domain
            self.flags = flags
        }
    }

    /// From which memory nodes the processes get their memory; see `set_mempolicy(2)`.
    public struct MemoryPolicy: Sendable, Hashable {
        /// `MPOL_BIND` and the like.
        public var mode: String
        /// A list: `0-3,7`.
        public var nodes: String
        /// `MPOL_F_STATIC_NODES` and the like.
        public var flags: [String]
        public init(mode: String, nodes: String = "", flags: [String] = []) {
            self.mode = mode
            self.nodes = nodes
            self.flags = flags
        }
    }

    /// Shares of cache and memory bandwidth; see resctrl of the kernel's documentation.
    public struct IntelRDT: Sendable, Hashable {
        /// The class of service; nil is one for this container alone.
        public var classID: String?
        /// Lines of the `schemata` file, in order.
        public var schemata: [String] = []
        public var l3CacheSchema: String?
        public var memoryBandwidthSchema: String?
        public var monitors = false
        public init() {}
    }

    /// A system call filter; see `seccomp(2)` and libseccomp.
    public struct Seccomp: Sendable, Hashable {
        public var defaultAction: String
        public var defaultErrno: UInt32?
        public var architectures: [String] = []
        /// `SECCOMP_FILTER_FLAG_…`; nil leaves the choice to the runtime, and none is a choice.
        public var flags: [String]?
        public var listenerPath: String?
        public var listenerMetadata: String?
        public var rules: [Rule] = []
        public init(defaultAction: String) { self.defaultAction = defaultAction }

        public struct Rule: Sendable, Hashable {
            public var names: [String]
            public var action: String
            public var errno: UInt32?
            public var arguments: [Argument]
            public init(names: [String], action: String, errno: UInt32? = nil, arguments: [Argument] = []) {
                self.names = names
                self.action = action
                self.errno = errno
                self.arguments = arguments
            }
        }

        public struct Argument: Sendable, Hashable {
            public var index: UInt32
            public var value: UInt64
            public var second: UInt64
            /// `SCMP_CMP_EQ` and its like.
            public var comparison: String
            public init(index: UInt32, value: UInt64, second: UInt64 = 0, comparison: String) {
                self.index = index
                self.value = value
                self.second = second
                self.comparison = comparison
            }
        }
    }
}

extension RuntimeSpec.LinuxSettings {
    /// The namespace of a kind, if the document names one.
    public func namespace(_ kind: RuntimeSpec.Namespace.Kind) -> RuntimeSpec.Namespace? {
        namespaces.first { $0.kind == kind }
    }
}

// MARK: Reading

extension RuntimeSpec.LinuxSettings {
    init(_ members: inout Members) throws(Failure) {
        self.init()
        for var entry in try members.objects("namespaces") {
            let type = try entry.string("type") ?? ""
            guard let kind = RuntimeSpec.Namespace.Kind(rawValue: type) else {
                throw entry.failure("type", "unknown namespace \"\(type)\"")
            }
            if namespace(kind) != nil { throw entry.failure("type", "namespace \(type) is there twice") }
            let path = try entry.string("path") ?? ""
            if !path.isEmpty && !path.hasPrefix("/") { throw entry.failure("path", "an absolute path is needed") }
            namespaces.append(RuntimeSpec.Namespace(kind, path: path.isEmpty ? nil : path))
        }
        uidMappings = try members.idMappings("uidMappings")
        gidMappings = try members.idMappings("gidMappings")
        if var offsets = try members.object("timeOffsets") {
            for clock in offsets.rest.keys {
                guard clock == "monotonic" || clock == "boottime" else {
                    throw offsets.failure(clock, "unknown clock; monotonic and boottime can be set")
                }
                guard var entry = try offsets.object(clock) else { continue }
                let nanoseconds = try entry.unsigned32("nanosecs") ?? 0
                if nanoseconds >= 1_000_000_000 {
                    throw entry.failure("nanosecs", "\(nanoseconds) is a second or more")
                }
                timeOffsets[clock] = RuntimeSpec.TimeOffset(
                    seconds: try entry.integer("secs") ?? 0, nanoseconds: nanoseconds)
            }
        }
        for var entry in try members.objects("devices") { devices.append(try RuntimeSpec.Device(&entry)) }
        cgroupsPath = try members.string("cgroupsPath")
        if var entry = try members.object("resources") { resources = try RuntimeSpec.Resources(&entry) }
        sysctl = try members.stringMap("sysctl")
        if var entry = try members.object("seccomp") { seccomp = try RuntimeSpec.Seccomp(&entry) }
        rootfsPropagation = try members.string("rootfsPropagation")
        maskedPaths = try members.strings("maskedPaths") ?? []
        readonlyPaths = try members.strings("readonlyPaths") ?? []
        mountLabel = try members.string("mountLabel")
        if var entry = try members.object("personality") {
            personality = RuntimeSpec.Personality(
                domain: try entry.string("domain") ?? "", flags: try entry.strings("flags") ?? [])
        }
        if var devices = try members.object("netDevices") {
            for name in devices.rest.keys {
                guard var entry = try devices.object(name) else { continue }
                networkDevices[name] = try entry.string("name") ?? ""
            }
        }
        if var entry = try members.object("memoryPolicy") {
            memoryPolicy = RuntimeSpec.MemoryPolicy(
                mode: try entry.string("mode") ?? "", nodes: try entry.string("nodes") ?? "",
                flags: try entry.strings("flags") ?? [])
        }
        if var entry = try members.object("intelRdt") {
            var settings = RuntimeSpec.IntelRDT()
            settings.classID = try entry.string("closID")
            settings.schemata = try entry.strings("schemata") ?? []
            settings.l3CacheSchema = try entry.string("l3CacheSchema")
            settings.memoryBandwidthSchema = try entry.string("memBwSchema")
            settings.monitors = try entry.bool("enableMonitoring") ?? false
            intelRDT = settings
        }
    }
}

extension RuntimeSpec.Device {
    init(_ entry: inout Members) throws(Failure) {
        guard let type = try entry.string("type"), ["c", "u", "b", "p"].contains(type) else {
            throw entry.failure("type", "c, u, b or p is needed")
        }
        guard let path = try entry.string("path"), path.hasPrefix("/") else {
            throw entry.failure("path", "an absolute path is needed")
        }
        self.init(
            type: type, path: path, major: try entry.integer("major") ?? 0, minor: try entry.integer("minor") ?? 0,
            mode: try entry.unsigned32("fileMode"))
        uid = try entry.unsigned32("uid")
        gid = try entry.unsigned32("gid")
    }
}

extension RuntimeSpec.Seccomp {
    /// The filter of a document by itself.
    public init(json: JSON) throws(Failure) {
        var members = try Members(json, of: "config.json: linux.seccomp")
        try self.init(&members)
    }

    init(_ members: inout Members) throws(Failure) {
        guard let action = try members.string("defaultAction") else {
            throw members.failure("defaultAction", "missing")
        }
        self.init(defaultAction: action)
        defaultErrno = try members.unsigned32("defaultErrnoRet")
        architectures = try members.strings("architectures") ?? []
        flags = try members.strings("flags")
        listenerPath = try members.string("listenerPath")
        listenerMetadata = try members.string("listenerMetadata")
        for var entry in try members.objects("syscalls") {
            guard let names = try entry.strings("names"), !names.isEmpty, let action = try entry.string("action")
            else { throw entry.failure("names", "names and action are needed") }
            let errno = try entry.unsigned32("errnoRet")
            var arguments: [Argument] = []
            for var argument in try entry.objects("args") {
                guard let index = try argument.unsigned32("index"), index < 6,
                    let value = try argument.unsigned("value"), let comparison = try argument.string("op")
                else { throw argument.failure("index", "index 0 to 5, value and op are needed") }
                arguments.append(
                    Argument(
                        index: index, value: value, second: try argument.unsigned("valueTwo") ?? 0,
                        comparison: comparison))
            }
            rules.append(Rule(names: names, action: action, errno: errno, arguments: arguments))
        }
    }
}

// MARK: Writing

extension RuntimeSpec.LinuxSettings {
    public var json: JSON {
        var object = JSONObject()
        object.set(
            "namespaces",
            namespaces.map { namespace in
                var entry: JSONObject = ["type": .string(namespace.kind.rawValue)]
                entry.set("path", namespace.path)
                return .object(entry)
            })
        object.set("uidMappings", uidMappings.map(\.json))
        object.set("gidMappings", gidMappings.map(\.json))
        if !timeOffsets.isEmpty {
            var offsets = JSONObject()
            for (clock, offset) in timeOffsets {
                offsets[clock] = .object([
                    "secs": .integer(offset.seconds), "nanosecs": .integer(Int64(offset.nanoseconds)),
                ])
            }
            object["timeOffsets"] = .object(offsets)
        }
        object.set("devices", devices.map(\.json))
        object.set("cgroupsPath", cgroupsPath)
        let resources = self.resources.json
        if resources != .object([:]) { object["resources"] = resources }
        object.set("sysctl", sysctl)
        if let seccomp { object["seccomp"] = seccomp.json }
        object.set("rootfsPropagation", rootfsPropagation)
        object.set("maskedPaths", maskedPaths)
        object.set("readonlyPaths", readonlyPaths)
        object.set("mountLabel", mountLabel)
        if let personality {
            var entry: JSONObject = ["domain": .string(personality.domain)]
            entry.set("flags", personality.flags)
            object["personality"] = .object(entry)
        }
        if !networkDevices.isEmpty {
            var devices = JSONObject()
            for (name, inside) in networkDevices.sorted(by: { $0.key < $1.key }) {
                devices[name] = .object(inside.isEmpty ? [:] : ["name": .string(inside)])
            }
            object["netDevices"] = .object(devices)
        }
        if let memoryPolicy {
            var entry: JSONObject = ["mode": .string(memoryPolicy.mode), "nodes": .string(memoryPolicy.nodes)]
            entry.set("flags", memoryPolicy.flags)
            object["memoryPolicy"] = .object(entry)
        }
        if let intelRDT {
            var entry = JSONObject()
            entry.set("closID", intelRDT.classID)
            entry.set("schemata", intelRDT.schemata)
            entry.set("l3CacheSchema", intelRDT.l3CacheSchema)
            entry.set("memBwSchema", intelRDT.memoryBandwidthSchema)
            if intelRDT.monitors { entry["enableMonitoring"] = true }
            object["intelRdt"] = .object(entry)
        }
        return .object(object)
    }
}

extension RuntimeSpec.Device {
    public var json: JSON {
        var object: JSONObject = ["type": .string(type), "path": .string(path)]
        if type != "p" {
            object.set("major", major)
            object.set("minor", minor)
        }
        object.set("fileMode", mode)
        object.set("uid", uid)
        object.set("gid", gid)
        return .object(object)
    }
}

extension RuntimeSpec.Seccomp {
    public var json: JSON {
        var object: JSONObject = ["defaultAction": .string(defaultAction)]
        object.set("defaultErrnoRet", defaultErrno)
        object.set("architectures", architectures)
        // None at all is said too: without the member the runtime would choose.
        if let flags { object["flags"] = .array(flags.map { .string($0) }) }
        object.set("listenerPath", listenerPath)
        object.set("listenerMetadata", listenerMetadata)
        object.set(
            "syscalls",
            rules.map { rule in
                var entry = JSONObject()
                entry.set("names", rule.names)
                entry["action"] = .string(rule.action)
                entry.set("errnoRet", rule.errno)
                entry.set(
                    "args",
                    rule.arguments.map { argument in
                        var member = JSONObject()
                        member.set("index", argument.index)
                        member.set("value", argument.value)
                        if argument.second != 0 { member.set("valueTwo", argument.second) }
                        member["op"] = .string(argument.comparison)
                        return .object(member)
                    })
                return .object(entry)
            })
        return .object(object)
    }
}
