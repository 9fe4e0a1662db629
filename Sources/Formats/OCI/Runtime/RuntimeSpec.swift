public import Failures
public import JSON

/// What a container is to be, as a runtime is told: the `config.json` of a bundle.
///
/// See the OCI runtime specification 1.3, config.md and config-linux.md. Read by hand from the tree, not by `Codable`,
/// because the shim and the runtime read one at every start. Members nobody here knows are passed over, as the
/// specification asks; a known member with a value of the wrong kind is an error that names the way to it.
public struct RuntimeSpec: Sendable, Hashable {
    /// The version of the specification the document was written for.
    public var version: String
    public var root: Root
    public var mounts: [Mount]
    public var process: Process?
    public var hostname: String?
    public var domainname: String?
    public var hooks: Hooks
    public var annotations: [String: String]
    public var linux: LinuxSettings

    /// The version that is written.
    public static let currentVersion = "1.3.0"

    public init(process: Process? = nil, root: Root = Root(path: "rootfs"), mounts: [Mount] = []) {
        version = Self.currentVersion
        self.root = root
        self.mounts = mounts
        self.process = process
        hooks = Hooks()
        annotations = [:]
        linux = LinuxSettings()
    }

    /// The root file system.
    public struct Root: Sendable, Hashable {
        /// Absolute, or from the bundle's directory.
        public var path: String
        public var readonly: Bool
        public init(path: String, readonly: Bool = false) {
            self.path = path
            self.readonly = readonly
        }
    }

    /// One mount, made in the order of the list.
    public struct Mount: Sendable, Hashable {
        public var destination: String
        /// The kernel's file system type; `bind` or nothing for a bind.
        public var type: String?
        public var source: String?
        public var options: [String]
        public var uidMappings: [IDMapping]
        public var gidMappings: [IDMapping]

        public init(destination: String, type: String? = nil, source: String? = nil, options: [String] = []) {
            self.destination = destination
            self.type = type
            self.source = source
            self.options = options
            uidMappings = []
            gidMappings = []
        }
    }

    /// A range of ids inside and where it lies outside.
    public struct IDMapping: Sendable, Hashable {
        public var container: UInt32
        public var host: UInt32
        public var size: UInt32
        public init(container: UInt32, host: UInt32, size: UInt32) {
            self.container = container
            self.host = host
            self.size = size
        }
    }

    /// A program run at a point of the container's life, with the state on its standard input.
    public struct Hook: Sendable, Hashable {
        public var path: String
        public var arguments: [String]
        public var environment: [String]
        /// Seconds.
        public var timeout: Int32?
        public init(path: String, arguments: [String] = [], environment: [String] = [], timeout: Int32? = nil) {
            self.path = path
            self.arguments = arguments.isEmpty ? [path] : arguments
            self.environment = environment
            self.timeout = timeout
        }
    }

    /// The programs of each point.
    public struct Hooks: Sendable, Hashable {
        public var prestart: [Hook] = []
        public var createRuntime: [Hook] = []
        public var createContainer: [Hook] = []
        public var startContainer: [Hook] = []
        public var poststart: [Hook] = []
        public var poststop: [Hook] = []
        public init() {}
        public var isEmpty: Bool { self == Hooks() }
        /// The points by name, in the order in which they come.
        public static let points = [
            "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
        ]
    }
}

// MARK: Reading

extension RuntimeSpec {
    public init(json: JSON) throws(Failure) {
        var top = try Members(json, of: "config.json")
        guard let version = try top.string("ociVersion") else { throw top.failure("ociVersion", "missing") }
        guard version.hasPrefix("1.") else {
            throw top.failure("ociVersion", "\(version) is not supported, only 1.x is")
        }
        self.version = version
        guard var root = try top.object("root") else { throw top.failure("root", "missing") }
        guard let path = try root.string("path"), !path.isEmpty else { throw root.failure("path", "missing") }
        self.root = Root(path: path, readonly: try root.bool("readonly") ?? false)
        mounts = []
        for var mount in try top.objects("mounts") { mounts.append(try Mount(&mount)) }
        if var process = try top.object("process") { self.process = try Process(&process) }
        hostname = try top.string("hostname")
        domainname = try top.string("domainname")
        hooks = Hooks()
        if var members = try top.object("hooks") { hooks = try Hooks(&members) }
        annotations = try top.stringMap("annotations")
        linux = LinuxSettings()
        if var members = try top.object("linux") { linux = try LinuxSettings(&members) }
    }
}

extension RuntimeSpec.Mount {
    init(_ members: inout Members) throws(Failure) {
        guard let destination = try members.string("destination") else {
            throw members.failure("destination", "missing")
        }
        self.init(
            destination: destination, type: try members.string("type"), source: try members.string("source"),
            options: try members.strings("options") ?? [])
        uidMappings = try members.idMappings("uidMappings")
        gidMappings = try members.idMappings("gidMappings")
    }
}

extension RuntimeSpec.Hooks {
    /// The hooks alone, as a runtime keeps them for later.
    public init(json: JSON) throws(Failure) {
        var members = try Members(json, of: "hooks")
        try self.init(&members)
    }

    init(_ members: inout Members) throws(Failure) {
        self.init()
        prestart = try members.hooks("prestart")
        createRuntime = try members.hooks("createRuntime")
        createContainer = try members.hooks("createContainer")
        startContainer = try members.hooks("startContainer")
        poststart = try members.hooks("poststart")
        poststop = try members.hooks("poststop")
    }
}

extension Members {
    mutating func idMappings(_ key: String) throws(Failure) -> [RuntimeSpec.IDMapping] {
        var mappings: [RuntimeSpec.IDMapping] = []
        for var entry in try objects(key) {
            guard let container = try entry.unsigned32("containerID"), let host = try entry.unsigned32("hostID"),
                let size = try entry.unsigned32("size")
            else { throw entry.failure("containerID", "containerID, hostID and size are all needed") }
            mappings.append(RuntimeSpec.IDMapping(container: container, host: host, size: size))
        }
        return mappings
    }

    fileprivate mutating func hooks(_ key: String) throws(Failure) -> [RuntimeSpec.Hook] {
        var hooks: [RuntimeSpec.Hook] = []
        for var entry in try objects(key) {
            guard let path = try entry.string("path"), path.hasPrefix("/") else {
                throw entry.failure("path", "an absolute path is needed")
            }
            let timeout = try entry.integer32("timeout")
            if let timeout, timeout <= 0 { throw entry.failure("timeout", "\(timeout) is not above zero") }
            hooks.append(
                RuntimeSpec.Hook(
                    path: path, arguments: try entry.strings("args") ?? [path],
                    environment: try entry.strings("env") ?? [], timeout: timeout))
        }
        return hooks
    }
}

// MARK: Writing

extension RuntimeSpec {
    /// The document; what is at its default is left out.
    public var json: JSON {
        var top = JSONObject()
        top["ociVersion"] = .string(version)
        var root: JSONObject = ["path": .string(self.root.path)]
        if self.root.readonly { root["readonly"] = true }
        top["root"] = .object(root)
        if let process { top["process"] = process.json }
        top.set("hostname", hostname)
        top.set("domainname", domainname)
        top.set("mounts", mounts.map(\.json))
        if !hooks.isEmpty { top["hooks"] = hooks.json }
        top.set("annotations", annotations)
        top["linux"] = linux.json
        return .object(top)
    }
}

extension RuntimeSpec.Mount {
    var json: JSON {
        var object: JSONObject = ["destination": .string(destination)]
        object.set("type", type)
        object.set("source", source)
        object.set("options", options)
        object.set("uidMappings", uidMappings.map(\.json))
        object.set("gidMappings", gidMappings.map(\.json))
        return .object(object)
    }
}

extension RuntimeSpec.IDMapping {
    var json: JSON {
        .object([
            "containerID": .integer(Int64(container)), "hostID": .integer(Int64(host)), "size": .integer(Int64(size)),
        ])
    }
}

extension RuntimeSpec.Hooks {
    /// The document's `hooks` member.
    public var json: JSON {
        var object = JSONObject()
        object.set("prestart", prestart.map(\.json))
        object.set("createRuntime", createRuntime.map(\.json))
        object.set("createContainer", createContainer.map(\.json))
        object.set("startContainer", startContainer.map(\.json))
        object.set("poststart", poststart.map(\.json))
        object.set("poststop", poststop.map(\.json))
        return .object(object)
    }
}

extension RuntimeSpec.Hook {
    var json: JSON {
        var object: JSONObject = ["path": .string(path)]
        object.set("args", arguments)
        object.set("env", environment)
        object.set("timeout", timeout)
        return .object(object)
    }
}

/// Members that are left out when they say nothing.
extension JSONObject {
    mutating func set(_ key: String, _ value: String?) { if let value { self[key] = .string(value) } }
    mutating func set(_ key: String, _ value: Bool?) { if let value { self[key] = .bool(value) } }
    mutating func set(_ key: String, _ value: (some BinaryInteger)?) {
        guard let value else { return }
        self[key] = Int64(exactly: value).map { .integer($0) } ?? .unsigned(UInt64(value))
    }
    mutating func set(_ key: String, _ value: [JSON]) { if !value.isEmpty { self[key] = .array(value) } }
    mutating func set(_ key: String, _ value: [String]) {
        if !value.isEmpty { self[key] = .array(value.map { .string($0) }) }
    }
    mutating func set(_ key: String, _ value: [UInt32]) {
        if !value.isEmpty { self[key] = .array(value.map { .integer(Int64($0)) }) }
    }
    mutating func set(_ key: String, _ value: [String: String]) {
        if value.isEmpty { return }
        var object = JSONObject()
        for (name, text) in value.sorted(by: { $0.key < $1.key }) { object[name] = .string(text) }
        self[key] = .object(object)
    }
}
