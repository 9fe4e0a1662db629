public import Failures
public import JSON

extension ImageConfig {
    /// How containers of the image start unless they are told otherwise: the config's `config` member.
    ///
    /// Nil and empty differ where Docker lets them differ: an `Entrypoint` of `[]` is one that was cleared.
    public struct Config: Sendable, Hashable {
        public var user: String
        /// "80/tcp", in the order of the document.
        public var exposedPorts: [String]
        /// "NAME=value", in order.
        public var env: [String]
        public var entrypoint: [String]?
        public var cmd: [String]?
        /// Mount points, in the order of the document.
        public var volumes: [String]
        public var workingDir: String
        public var labels: [String: String]
        public var stopSignal: String?
        public var healthcheck: Healthcheck?
        public var shell: [String]?
        public var onBuild: [String]
        /// The command is one string that Windows must not quote again; kept for round trips.
        public var argsEscaped: Bool
        /// Members this type does not name.
        public var unknown: JSONObject

        public init() {
            user = ""
            exposedPorts = []
            env = []
            volumes = []
            workingDir = ""
            labels = [:]
            onBuild = []
            argsEscaped = false
            unknown = [:]
        }

        public init(json: JSON) throws(Failure) { try self.init(members: Members(json, of: "image config")) }

        init(members: Members) throws(Failure) {
            var members = members
            user = try members.string("User") ?? ""
            exposedPorts = try members.keys("ExposedPorts")
            env = try members.strings("Env") ?? []
            entrypoint = try members.strings("Entrypoint")
            cmd = try members.strings("Cmd")
            volumes = try members.keys("Volumes")
            workingDir = try members.string("WorkingDir") ?? ""
            labels = try members.stringMap("Labels")
            stopSignal = try members.string("StopSignal").flatMap { $0.isEmpty ? nil : $0 }
            if let value = try members.object("Healthcheck") { healthcheck = try Healthcheck(members: value) }
            shell = try members.strings("Shell")
            onBuild = try members.strings("OnBuild") ?? []
            argsEscaped = try members.bool("ArgsEscaped") ?? false
            unknown = members.rest
        }

        /// The `config` member; what is empty is left out.
        public var json: JSON {
            var object = JSONObject()
            if !user.isEmpty { object["User"] = .string(user) }
            if !exposedPorts.isEmpty { object["ExposedPorts"] = Self.set(exposedPorts) }
            if !env.isEmpty { object["Env"] = JSON(env) }
            object["Entrypoint"] = entrypoint.map { JSON($0) }
            object["Cmd"] = cmd.map { JSON($0) }
            object["Healthcheck"] = healthcheck?.json
            if argsEscaped { object["ArgsEscaped"] = true }
            if !volumes.isEmpty { object["Volumes"] = Self.set(volumes) }
            if !workingDir.isEmpty { object["WorkingDir"] = .string(workingDir) }
            if !onBuild.isEmpty { object["OnBuild"] = JSON(onBuild) }
            if !labels.isEmpty { object["Labels"] = JSON(labels) }
            object["StopSignal"] = stopSignal.map { .string($0) }
            object["Shell"] = shell.map { JSON($0) }
            return .object(object.merging(unknown))
        }

        /// Go's `map[string]struct{}`.
        private static func set(_ keys: [String]) -> JSON {
            var object = JSONObject()
            for key in keys { object[key] = .object([:]) }
            return .object(object)
        }
    }

    /// How a container tells whether it is well.
    ///
    /// Durations are in nanoseconds; zero means Docker's default.
    public struct Healthcheck: Sendable, Hashable, Codable {
        /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`; empty inherits.
        public var test: [String]
        public var interval: Int64
        public var timeout: Int64
        public var startPeriod: Int64
        public var startInterval: Int64
        public var retries: Int

        public init(
            test: [String] = [], interval: Int64 = 0, timeout: Int64 = 0, startPeriod: Int64 = 0,
            startInterval: Int64 = 0, retries: Int = 0
        ) {
            self.test = test
            self.interval = interval
            self.timeout = timeout
            self.startPeriod = startPeriod
            self.startInterval = startInterval
            self.retries = retries
        }

        public init(json: JSON) throws(Failure) { try self.init(members: Members(json, of: "healthcheck")) }

        init(members: Members) throws(Failure) {
            var members = members
            test = try members.strings("Test") ?? []
            interval = try members.integer("Interval") ?? 0
            timeout = try members.integer("Timeout") ?? 0
            startPeriod = try members.integer("StartPeriod") ?? 0
            startInterval = try members.integer("StartInterval") ?? 0
            retries = Int(try members.integer("Retries") ?? 0)
        }

        public var json: JSON {
            var object = JSONObject()
            if !test.isEmpty { object["Test"] = JSON(test) }
            let numbers = [
                ("Interval", interval), ("Timeout", timeout), ("StartPeriod", startPeriod),
                ("StartInterval", startInterval), ("Retries", Int64(retries)),
            ]
            for (key, value) in numbers where value != 0 { object[key] = .integer(value) }
            return .object(object)
        }

        public init(from decoder: any Decoder) throws { try self.init(json: JSON(from: decoder)) }
        public func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }
    }
}

extension ImageConfig.Config: Codable {
    public init(from decoder: any Decoder) throws { try self.init(json: JSON(from: decoder)) }
    public func encode(to encoder: any Encoder) throws { try json.encode(to: encoder) }
}
