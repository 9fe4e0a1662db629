public import Failures
public import JSON

extension RuntimeSpec {
    /// What a container's cgroup may use; nil leaves a limit as it is.
    ///
    /// See config-linux.md, "Control groups".
    public struct Resources: Sendable, Hashable {
        public var devices: [DeviceRule] = []
        public var memory = Memory()
        public var cpu = CPU()
        /// Processes and threads; 0 or less is no limit.
        public var pidsLimit: Int64?
        public var blockIO = BlockIO()
        public var hugePageLimits: [HugePageLimit] = []
        public var networkClass: UInt32?
        public var networkPriorities: [NetworkPriority] = []
        public var rdma: [String: RDMALimit] = [:]
        /// cgroup v2 files and what to write into them.
        public var unified: [String: String] = [:]
        public init() {}

        /// A rule of the device list; nil numbers mean all.
        ///
        /// Rules hold in order, the last that matches wins.
        public struct DeviceRule: Sendable, Hashable {
            public var allow: Bool
            /// `a`, `b` or `c`.
            public var type: String
            public var major: Int64?
            public var minor: Int64?
            /// Of `r`, `w`, `m`.
            public var access: String
            public init(
                allow: Bool, type: String = "a", major: Int64? = nil, minor: Int64? = nil, access: String = "rwm"
            ) {
                self.allow = allow
                self.type = type
                self.major = major
                self.minor = minor
                self.access = access
            }
        }

        /// Bytes; -1 is no limit.
        public struct Memory: Sendable, Hashable {
            public var limit: Int64?
            public var reservation: Int64?
            /// Memory and swap together.
            public var swap: Int64?
            public var kernel: Int64?
            public var kernelTCP: Int64?
            public var swappiness: UInt64?
            public var disableOOMKiller: Bool?
            public var useHierarchy: Bool?
            public var checkBeforeUpdate: Bool?
            public init() {}
        }

        /// Times in microseconds.
        public struct CPU: Sendable, Hashable {
            public var shares: UInt64?
            public var quota: Int64?
            public var burst: UInt64?
            public var period: UInt64?
            public var realtimeRuntime: Int64?
            public var realtimePeriod: UInt64?
            public var cpus: String?
            public var mems: String?
            public var idle: Int64?
            public init() {}
        }

        public struct BlockIO: Sendable, Hashable {
            public var weight: UInt32?
            public var leafWeight: UInt32?
            public var weightDevices: [WeightDevice] = []
            public var readBytes: [Throttle] = []
            public var writeBytes: [Throttle] = []
            public var readOperations: [Throttle] = []
            public var writeOperations: [Throttle] = []
            public init() {}
        }

        public struct WeightDevice: Sendable, Hashable {
            public var major: Int64
            public var minor: Int64
            public var weight: UInt32?
            public var leafWeight: UInt32?
            public init(major: Int64, minor: Int64, weight: UInt32? = nil, leafWeight: UInt32? = nil) {
                self.major = major
                self.minor = minor
                self.weight = weight
                self.leafWeight = leafWeight
            }
        }

        /// A rate per second on one device.
        public struct Throttle: Sendable, Hashable {
            public var major: Int64
            public var minor: Int64
            public var rate: UInt64
            public init(major: Int64, minor: Int64, rate: UInt64) {
                self.major = major
                self.minor = minor
                self.rate = rate
            }
        }

        public struct HugePageLimit: Sendable, Hashable {
            /// `2MB`, `1GB`.
            public var pageSize: String
            public var limit: UInt64
            public init(pageSize: String, limit: UInt64) {
                self.pageSize = pageSize
                self.limit = limit
            }
        }

        public struct NetworkPriority: Sendable, Hashable {
            public var name: String
            public var priority: UInt32
            public init(name: String, priority: UInt32) {
                self.name = name
                self.priority = priority
            }
        }

        public struct RDMALimit: Sendable, Hashable {
            public var handles: UInt32?
            public var objects: UInt32?
            public init(handles: UInt32? = nil, objects: UInt32? = nil) {
                self.handles = handles
                self.objects = objects
            }
        }
    }
}

// MARK: Reading

extension RuntimeSpec.Resources {
    /// A document of its own, as `update --resources` takes it.
    public init(json: JSON) throws(Failure) {
        var members = try Members(json, of: "resources")
        try self.init(&members)
    }

    init(_ members: inout Members) throws(Failure) {
        self.init()
        for var entry in try members.objects("devices") {
            let type = try entry.string("type") ?? "a"
            guard ["a", "b", "c"].contains(type) else { throw entry.failure("type", "a, b or c is needed") }
            var rule = DeviceRule(allow: try entry.bool("allow") ?? false, type: type)
            // A negative number is Go's way to say "all".
            rule.major = try entry.integer("major").flatMap { $0 < 0 ? nil : $0 }
            rule.minor = try entry.integer("minor").flatMap { $0 < 0 ? nil : $0 }
            // Other letters mean nothing to the kernel; runc passes over them, and documents have them.
            rule.access = (try entry.string("access") ?? "rwm").filter { "rwm".contains($0) }
            if rule.access.isEmpty { throw entry.failure("access", "letters out of rwm are needed") }
            devices.append(rule)
        }
        if var entry = try members.object("memory") { memory = try Memory(&entry) }
        if var entry = try members.object("cpu") { cpu = try CPU(&entry) }
        if var entry = try members.object("pids") { pidsLimit = try entry.integer("limit") }
        if var entry = try members.object("blockIO") { blockIO = try BlockIO(&entry) }
        for var entry in try members.objects("hugepageLimits") {
            guard let size = try entry.string("pageSize"), let limit = try entry.unsigned("limit") else {
                throw entry.failure("pageSize", "pageSize and limit are needed")
            }
            hugePageLimits.append(HugePageLimit(pageSize: size, limit: limit))
        }
        if var entry = try members.object("network") {
            networkClass = try entry.unsigned32("classID")
            for var item in try entry.objects("priorities") {
                networkPriorities.append(
                    NetworkPriority(
                        name: try item.string("name") ?? "", priority: try item.unsigned32("priority") ?? 0))
            }
        }
        if var entry = try members.object("rdma") {
            for name in entry.rest.keys {
                guard var item = try entry.object(name) else { continue }
                rdma[name] = RDMALimit(
                    handles: try item.unsigned32("hcaHandles"), objects: try item.unsigned32("hcaObjects"))
            }
        }
        unified = try members.stringMap("unified")
    }
}

extension RuntimeSpec.Resources.Memory {
    init(_ entry: inout Members) throws(Failure) {
        limit = try entry.integer("limit")
        reservation = try entry.integer("reservation")
        swap = try entry.integer("swap")
        kernel = try entry.integer("kernel")
        kernelTCP = try entry.integer("kernelTCP")
        swappiness = try entry.unsigned("swappiness")
        disableOOMKiller = try entry.bool("disableOOMKiller")
        useHierarchy = try entry.bool("useHierarchy")
        checkBeforeUpdate = try entry.bool("checkBeforeUpdate")
    }
}

extension RuntimeSpec.Resources.CPU {
    init(_ entry: inout Members) throws(Failure) {
        shares = try entry.unsigned("shares")
        quota = try entry.integer("quota")
        burst = try entry.unsigned("burst")
        period = try entry.unsigned("period")
        realtimeRuntime = try entry.integer("realtimeRuntime")
        realtimePeriod = try entry.unsigned("realtimePeriod")
        cpus = try entry.string("cpus")
        mems = try entry.string("mems")
        idle = try entry.integer("idle")
    }
}

extension RuntimeSpec.Resources.BlockIO {
    init(_ entry: inout Members) throws(Failure) {
        weight = try entry.unsigned32("weight")
        leafWeight = try entry.unsigned32("leafWeight")
        for var item in try entry.objects("weightDevice") {
            weightDevices.append(
                RuntimeSpec.Resources.WeightDevice(
                    major: try item.integer("major") ?? 0, minor: try item.integer("minor") ?? 0,
                    weight: try item.unsigned32("weight"), leafWeight: try item.unsigned32("leafWeight")))
        }
        readBytes = try entry.throttles("throttleReadBpsDevice")
        writeBytes = try entry.throttles("throttleWriteBpsDevice")
        readOperations = try entry.throttles("throttleReadIOPSDevice")
        writeOperations = try entry.throttles("throttleWriteIOPSDevice")
    }
}

extension Members {
    fileprivate mutating func throttles(_ key: String) throws(Failure) -> [RuntimeSpec.Resources.Throttle] {
        var throttles: [RuntimeSpec.Resources.Throttle] = []
        for var item in try objects(key) {
            throttles.append(
                RuntimeSpec.Resources.Throttle(
                    major: try item.integer("major") ?? 0, minor: try item.integer("minor") ?? 0,
                    rate: try item.unsigned("rate") ?? 0))
        }
        return throttles
    }
}

// MARK: Writing

extension RuntimeSpec.Resources {
    /// The document's `linux.resources` member.
    public var json: JSON {
        var object = JSONObject()
        object.set(
            "devices",
            devices.map { rule in
                var entry: JSONObject = ["allow": .bool(rule.allow)]
                if rule.type != "a" { entry["type"] = .string(rule.type) }
                entry.set("major", rule.major)
                entry.set("minor", rule.minor)
                entry["access"] = .string(rule.access)
                return .object(entry)
            })
        let memory = memory.json, cpu = cpu.json, blockIO = blockIO.json
        if !memory.isEmpty { object["memory"] = .object(memory) }
        if !cpu.isEmpty { object["cpu"] = .object(cpu) }
        if let pidsLimit { object["pids"] = .object(["limit": .integer(pidsLimit)]) }
        if !blockIO.isEmpty { object["blockIO"] = .object(blockIO) }
        object.set(
            "hugepageLimits",
            hugePageLimits.map { entry in
                var item: JSONObject = ["pageSize": .string(entry.pageSize)]
                item.set("limit", entry.limit)
                return .object(item)
            })
        var network = JSONObject()
        network.set("classID", networkClass)
        network.set(
            "priorities",
            networkPriorities.map { entry in
                .object(["name": .string(entry.name), "priority": .integer(Int64(entry.priority))])
            })
        if !network.isEmpty { object["network"] = .object(network) }
        if !rdma.isEmpty {
            var entries = JSONObject()
            for (name, limit) in rdma {
                var item = JSONObject()
                item.set("hcaHandles", limit.handles)
                item.set("hcaObjects", limit.objects)
                entries[name] = .object(item)
            }
            object["rdma"] = .object(entries)
        }
        object.set("unified", unified)
        return .object(object)
    }
}

extension RuntimeSpec.Resources.Memory {
    fileprivate var json: JSONObject {
        var object = JSONObject()
        object.set("limit", limit)
        object.set("reservation", reservation)
        object.set("swap", swap)
        object.set("kernel", kernel)
        object.set("kernelTCP", kernelTCP)
        object.set("swappiness", swappiness)
        object.set("disableOOMKiller", disableOOMKiller)
        object.set("useHierarchy", useHierarchy)
        object.set("checkBeforeUpdate", checkBeforeUpdate)
        return object
    }
}

extension RuntimeSpec.Resources.CPU {
    fileprivate var json: JSONObject {
        var object = JSONObject()
        object.set("shares", shares)
        object.set("quota", quota)
        object.set("burst", burst)
        object.set("period", period)
        object.set("realtimeRuntime", realtimeRuntime)
        object.set("realtimePeriod", realtimePeriod)
        object.set("cpus", cpus)
        object.set("mems", mems)
        object.set("idle", idle)
        return object
    }
}

extension RuntimeSpec.Resources.BlockIO {
    fileprivate var json: JSONObject {
        var object = JSONObject()
        object.set("weight", weight)
        object.set("leafWeight", leafWeight)
        object.set(
            "weightDevice",
            weightDevices.map { device in
                var item: JSONObject = ["major": .integer(device.major), "minor": .integer(device.minor)]
                item.set("weight", device.weight)
                item.set("leafWeight", device.leafWeight)
                return .object(item)
            })
        func set(_ key: String, _ throttles: [RuntimeSpec.Resources.Throttle]) {
            object.set(
                key,
                throttles.map { throttle in
                    var item: JSONObject = ["major": .integer(throttle.major), "minor": .integer(throttle.minor)]
                    item.set("rate", throttle.rate)
                    return .object(item)
                })
        }
        set("throttleReadBpsDevice", readBytes)
        set("throttleWriteBpsDevice", writeBytes)
        set("throttleReadIOPSDevice", readOperations)
        set("throttleWriteIOPSDevice", writeOperations)
        return object
    }
}
