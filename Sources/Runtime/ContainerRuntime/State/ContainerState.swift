public import CLinux
public import JSON
internal import Linux

/// What is known of a container between two runs of the command line: `<root>/<id>/state.json`.
///
/// ```
/// <root>/                 0700
///   <id>/                 0700, made exclusively: the name is taken when it is there
///     state.json          replaced as a whole, so that a reader sees the old or the new one
///     exec.fifo           the FIFO the process waits at; removed when it was started
///   .seccomp/             compiled filters
/// ```
public struct ContainerState: Sendable {
    public enum Status: String, Sendable {
        case created, running, paused, stopped
    }

    public var id: String
    public var bundle: String
    public var pid: pid_t
    /// When the process began, in the kernel's own ticks since boot: with it a reused number is told apart.
    public var startTime: UInt64
    public var cgroup: String
    public var rootfs: String
    /// RFC 3339.
    public var created: String
    public var annotations: [String: String]
    /// Where the process's settings for later ones are: capabilities, user, environment.
    public var config: JSON

    public init(id: String, bundle: String, cgroup: String, rootfs: String, config: JSON, annotations: [String: String])
    {
        self.id = id
        self.bundle = bundle
        self.cgroup = cgroup
        self.rootfs = rootfs
        self.config = config
        self.annotations = annotations
        pid = 0
        startTime = 0
        created = WallTime.now().text
    }
}

/// The directory of all containers' states.
public struct StateDirectory: Sendable {
    public let root: String

    public init(root: String) { self.root = root }

    private func directory(_ id: String) -> String { "\(root)/\(id)" }
    public func fifo(_ id: String) -> String { directory(id) + "/exec.fifo" }
    /// Where compiled filters are kept.
    public var filters: String { root + "/.seccomp" }

    /// Names are file names: letters, digits, `_`, `+`, `-`, `.`, and not beginning with a dot.
    public static func validate(_ id: String) throws(RuntimeFailure) {
        let odd = id.utf8.first { byte in
            !byte.isASCIIAlphanumeric
                && ![UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains(byte)
        }
        guard odd == nil, !id.isEmpty, !id.hasPrefix("."), id.utf8.count <= 1024 else {
            let what = odd.map { "invalid character `\(Character(UnicodeScalar($0)))` in the ID: " } ?? ""
            throw RuntimeFailure(
                .specification,
                "invalid container id \"\(id)\": \(what)1 to 1024 letters, digits, _, +, - and . are allowed, and no . first"
            )
        }
    }

    /// Takes the name.
    public func reserve(_ id: String) throws(RuntimeFailure) {
        try Self.validate(id)
        do throws(SystemError) {
            try makeDirectories(root, mode: 0o700)
            try makeDirectory(directory(id), mode: 0o700)
        } catch {
            if error.errno == EEXIST {
                throw RuntimeFailure(.specification, "container with id \(id) already exists", errno: EEXIST)
            }
            throw RuntimeFailure(.specification, error)
        }
    }

    public func write(_ state: ContainerState) throws(RuntimeFailure) {
        try step(.specification) { () throws(SystemError) in
            try replaceFile(directory(state.id) + "/state.json", state.json.serialized(), mode: 0o600)
        }
    }

    public func read(_ id: String) throws(RuntimeFailure) -> ContainerState {
        try Self.validate(id)
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(directory(id) + "/state.json") } catch {
            if error.errno == ENOENT {
                throw RuntimeFailure(.specification, "container \(id) does not exist", errno: ENOENT)
            }
            throw RuntimeFailure(.specification, error)
        }
        // Another's name in it would send what is done here to that one.
        guard let json = try? JSON.parse(bytes), let state = ContainerState(json: json), state.id == id else {
            throw RuntimeFailure(.specification, "container \(id): state.json is damaged; delete --force removes it")
        }
        return state
    }

    public func remove(_ id: String) throws(RuntimeFailure) {
        try Self.validate(id)
        try step(.specification) { () throws(SystemError) in
            for name in ["exec.fifo", "state.json", "state.json.new"] {
                do throws(SystemError) { try unlink(directory(id) + "/" + name) } catch  where error.errno == ENOENT {}
            }
            do throws(SystemError) { try unlink(directory(id), directory: true) } catch  where error.errno == ENOENT {}
        }
    }

    /// Every container's name.
    public func ids() throws(RuntimeFailure) -> [String] {
        try step(.specification) { () throws(SystemError) in
            guard let directory = try? open(root, O_RDONLY | O_DIRECTORY) else { return [] }
            return try readDirectory(directory.raw).map(\.name.text).filter { !$0.hasPrefix(".") }.sorted()
        }
    }

    /// How the container is now.
    public func status(of state: ContainerState) -> ContainerState.Status {
        guard processStartTime(state.pid) == state.startTime, state.startTime != 0 else { return .stopped }
        return exists(fifo(state.id)) ? .created : .running
    }
}

/// When a process began, nil when there is none or only its remains (state Z or X).
///
/// File: `/proc/<pid>/stat`, field 22.
public func processStartTime(_ pid: pid_t) -> UInt64? {
    guard pid > 0, let text = try? readText("/proc/\(pid)/stat", limit: 4096),
        let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return UInt64(fields[19])
}

extension ContainerState {
    var json: JSON {
        var annotations = JSONObject()
        for (key, value) in self.annotations.sorted(by: { $0.key < $1.key }) { annotations[key] = .string(value) }
        return .object([
            "id": .string(id), "bundle": .string(bundle), "pid": .integer(Int64(pid)),
            "startTime": .string("\(startTime)"), "cgroup": .string(cgroup), "rootfs": .string(rootfs),
            "created": .string(created), "annotations": .object(annotations), "config": config,
        ])
    }

    init?(json: JSON) {
        guard let id = json["id"]?.stringValue, let bundle = json["bundle"]?.stringValue,
            let pid = json["pid"]?.intValue.flatMap({ pid_t(exactly: $0) }),
            let startTime = json["startTime"]?.stringValue.flatMap({ UInt64($0) }),
            let cgroup = json["cgroup"]?.stringValue, let rootfs = json["rootfs"]?.stringValue,
            let created = json["created"]?.stringValue, let config = json["config"]
        else { return nil }
        self.init(id: id, bundle: bundle, cgroup: cgroup, rootfs: rootfs, config: config, annotations: [:])
        self.pid = pid
        self.startTime = startTime
        self.created = created
        for (key, value) in json["annotations"]?.objectValue ?? [:] { annotations[key] = value.stringValue }
    }
}
