public import CLinux
internal import JSON
public import Linux
public import OCI

/// What is known of a container between two runs of the command line: `<root>/<id>/state.json`.
///
/// ```
/// <root>/                 0700
///   <id>/                 0700, made exclusively: the name is taken when it is there
///     state.json          replaced as a whole, so that a reader sees the old or the new one
///     config.json         the document as it was given, written before the state and never changed
///     exec.fifo           the FIFO the process waits at; removed when it was started
///     notify/             bound in where a service manager started the container: the socket it is told by
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
    /// The host's cgroup v1 hierarchies as they were found, ``CgroupLayout/record``: the table of mounts has a line for each of
    /// every container.
    public var hierarchies = ""
    /// The unit the cgroup belongs to, where systemd made it.
    public var scope: SystemdScope?
    /// The group of cache and memory bandwidth it is in.
    public var resctrl: ResctrlGroup? {
        get { heldResctrl.group }
        set { heldResctrl = HeldResctrl(newValue) }
    }
    private var heldResctrl = HeldResctrl.none
    public var rootfs: String
    /// RFC 3339.
    public var created: String
    public var annotations: [String: String]
    /// Whether the container has a pid namespace of its own, whose processes all end with the first.
    public var ownsProcesses: Bool
    /// What is still to be run for it: at its start and after its end.
    public var hooks: RuntimeSpec.Hooks
    /// What its standard streams were at its start, as ``StreamNames`` has them; empty with a terminal.
    public var streams: [String] = []

    public init(id: String, bundle: String, cgroup: String, rootfs: String, spec: RuntimeSpec) {
        self.id = id
        self.bundle = bundle
        self.cgroup = cgroup
        self.rootfs = rootfs
        annotations = spec.annotations
        ownsProcesses = spec.linux.namespace(.pid).map { $0.path == nil } ?? false
        hooks = RuntimeSpec.Hooks()
        hooks.poststart = spec.hooks.poststart
        hooks.poststop = spec.hooks.poststop
        pid = 0
        startTime = 0
        created = WallTime.now().text
    }
}

/// The directory of all containers' states.
public struct StateDirectory: Sendable {
    public let root: String

    public init(root: String) { self.root = root }

    /// A container's own directory.
    public func directory(_ id: String) -> String { "\(root)/\(id)" }

    /// Refuses a folder in which somebody else may write: what is in it says which processes are killed and which hooks
    /// are run.
    private func trust() throws(RuntimeFailure) {
        guard let entry = try? Linux.status(root), let found = try? Linux.status(root, follow: true) else { return }
        let caller = effectiveUser()
        // Whoever owns a link there says where it leads from one moment to the next.
        if entry.kind == mode_t(S_IFLNK), entry.st_uid != caller, entry.st_uid != 0 {
            throw RuntimeFailure(
                .specification,
                "the state folder \(root) is a link of user \(entry.st_uid)'s: name another with --root",
                errno: EPERM)
        }
        if found.st_uid != caller {
            throw RuntimeFailure(
                .specification,
                "the state folder \(root) belongs to user \(found.st_uid) and this is user \(caller): run this as that "
                    + "user, or name another folder with --root", errno: EPERM)
        }
        if found.permissions & 0o002 != 0 {
            throw RuntimeFailure(
                .specification, "everybody may write in the state folder \(root): name another with --root",
                errno: EPERM)
        }
    }
    public func fifo(_ id: String) -> String { directory(id) + "/exec.fifo" }
    /// The folder of ``ContainerReadiness``.
    public func notifications(_ id: String) -> String { directory(id) + "/notify" }
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
        do throws(SystemError) { try makeDirectories(root, mode: 0o700) } catch {
            throw RuntimeFailure(.specification, error.about("the state folder \(root)"))
        }
        try trust()
        do throws(SystemError) { try makeDirectory(directory(id), mode: 0o700) } catch {
            if error.errno == EEXIST {
                throw RuntimeFailure(.specification, "container with id \(id) already exists", errno: EEXIST)
            }
            throw RuntimeFailure(.specification, error)
        }
    }

    public func write(_ state: ContainerState) throws(RuntimeFailure) {
        var replacement = try prepare(state)
        try step(.specification) { () throws(SystemError) in try replacement.commit() }
    }

    /// The state written beside its place, where nobody sees it until it is committed.
    public func prepare(_ state: ContainerState) throws(RuntimeFailure) -> FileReplacement {
        try step(.specification) { () throws(SystemError) in
            try FileReplacement(directory(state.id) + "/state.json", state.json.serialized(), mode: 0o600)
        }
    }

    /// Keeps the document: later processes take their settings from it, not from a bundle that may have changed.
    public func write(config: [UInt8], of id: String) throws(RuntimeFailure) {
        try step(.specification) { () throws(SystemError) in
            try writeFile(directory(id) + "/config.json", config, mode: 0o600)
        }
    }

    /// The document a container was made by.
    public func spec(of id: String) throws(RuntimeFailure) -> RuntimeSpec {
        let bytes = try config(of: id)
        guard let json = try? JSON.parse(bytes), let spec = try? RuntimeSpec(json: json) else { throw Self.damaged(id) }
        return spec
    }

    /// Of the same, what holds for a process that enters, with the filter as text.
    public func document(forEntering id: String) throws(RuntimeFailure) -> RuntimeDocument {
        let bytes = try config(of: id)
        guard let document = try? RuntimeDocument(bytes, isForEntry: true) else { throw Self.damaged(id) }
        return document
    }

    private func config(of id: String) throws(RuntimeFailure) -> [UInt8] {
        try Self.validate(id)
        try trust()
        return try step(.specification) { () throws(SystemError) in try readFile(directory(id) + "/config.json") }
    }

    private static func damaged(_ id: String) -> RuntimeFailure {
        RuntimeFailure(.specification, "container \(id): config.json is damaged; delete --force removes it")
    }

    public func read(_ id: String) throws(RuntimeFailure) -> ContainerState {
        try Self.validate(id)
        try trust()
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
        try trust()
        try step(.specification) { () throws(SystemError) in
            let directory = directory(id)
            func remove(_ name: String, directory isDirectory: Bool = false) throws(SystemError) {
                let path = directory + name, outcome = tryUnlink(path, directory: isDirectory)
                if outcome == 0 || outcome == ENOENT { return }
                throw SystemError(isDirectory ? "rmdir" : "unlink", errno: outcome, subject: path)
            }
            // The state last: until it is gone this can be asked for again.
            for name in ["/notify/notify", "/exec.fifo", "/config.json", "/state.json.new"] { try remove(name) }
            try remove("/notify", directory: true)
            try remove("/state.json")
            try remove("", directory: true)
        }
    }

    /// Every container's name.
    public func ids() throws(RuntimeFailure) -> [String] {
        try trust()
        return try step(.specification) { () throws(SystemError) in
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
    guard pid > 0, let bytes = try? readFile("/proc/" + decimal(pid) + "/stat", limit: 4096),
        let end = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    // Behind the name, which may hold anything, a space.
    guard end + 2 < bytes.count, bytes[end + 2] != UInt8(ascii: "Z"), bytes[end + 2] != UInt8(ascii: "X") else {
        return nil
    }
    var fields = Fields(bytes, in: (end + 2)..<bytes.count, separatedBy: UInt8(ascii: " "))
    for _ in 3..<22 { _ = fields.next() }
    return fields.text().flatMap { UInt64($0) }
}

extension ContainerState {
    /// The container as its hooks are told of it.
    public func hookState(_ status: HookState.Status) -> HookState {
        HookState(
            id: id, status: status, pid: status == .stopped ? 0 : pid, bundle: bundle, annotations: annotations)
    }

    var json: JSON {
        var object = JSONObject()
        object["id"] = .string(id)
        object["bundle"] = .string(bundle)
        object["pid"] = .integer(Int64(pid))
        object["startTime"] = .string("\(startTime)")
        object["cgroup"] = .string(cgroup)
        object["rootfs"] = .string(rootfs)
        object["created"] = .string(created)
        object["ownsProcesses"] = .bool(ownsProcesses)
        if !annotations.isEmpty { object["annotations"] = JSON(annotations) }
        if !hierarchies.isEmpty { object["hierarchies"] = .string(hierarchies) }
        if let scope { object["scope"] = .object(["unit": .string(scope.unit), "user": .bool(scope.isUser)]) }
        if let resctrl { object["resctrl"] = resctrl.json }
        if !hooks.isEmpty { object["hooks"] = hooks.json }
        if !streams.isEmpty { object["streams"] = JSON(streams) }
        return .object(object)
    }

    init?(json: JSON) {
        guard let id = json["id"]?.stringValue, let bundle = json["bundle"]?.stringValue,
            let pid = json["pid"]?.intValue.flatMap({ pid_t(exactly: $0) }),
            let startTime = json["startTime"]?.stringValue.flatMap({ UInt64($0) }),
            let cgroup = json["cgroup"]?.stringValue, let rootfs = json["rootfs"]?.stringValue,
            let created = json["created"]?.stringValue
        else { return nil }
        self.id = id
        self.bundle = bundle
        self.cgroup = cgroup
        self.rootfs = rootfs
        self.pid = pid
        self.startTime = startTime
        self.created = created
        ownsProcesses = json["ownsProcesses"]?.boolValue ?? false
        hierarchies = json["hierarchies"]?.stringValue ?? ""
        heldResctrl = HeldResctrl(json["resctrl"].flatMap { ResctrlGroup(json: $0) })
        if let scope = json["scope"], let unit = scope["unit"]?.stringValue {
            self.scope = SystemdScope(unit: unit, isUser: scope["user"]?.boolValue ?? false)
        }
        annotations = [:]
        for (key, value) in json["annotations"]?.objectValue ?? [:] { annotations[key] = value.stringValue }
        streams = (json["streams"]?.arrayValue ?? []).map { $0.stringValue ?? "" }
        hooks = RuntimeSpec.Hooks()
        if let member = json["hooks"] {
            guard let read = try? RuntimeSpec.Hooks(json: member) else { return nil }
            hooks = read
        }
    }
}
