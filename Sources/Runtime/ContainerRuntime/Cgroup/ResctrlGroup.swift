internal import CLinux
public import JSON
public import Linux
public import OCI

/// A container's share of cache and memory bandwidth: a directory of the resctrl file system.
///
/// ```
/// <root>/<closID, or the container's name>/schemata          what the group gets
///                                          tasks             who is in it
///                                          mon_groups/<id>/  what the container alone uses
/// ```
/// See config-linux.md, "IntelRdt", and the kernel's resctrl.rst.
public final class ResctrlGroup: Sendable {
    /// The group's directory.
    public let path: String
    /// The directory by which the container is counted, where that was asked for.
    public let monitor: String?
    /// Whether the group was made for this container, and goes with it.
    public let isOwn: Bool

    /// Where the file system is mounted.
    ///
    /// - Parameter mountTable: the text of `/proc/<pid>/mountinfo`.
    public static func root(mountTable: String) -> String? {
        for line in mountTable.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 1, fields[dash + 1] == "resctrl",
                fields.count > 4
            else { continue }
            return String(fields[4])
        }
        return nil
    }

    /// Makes a container's group on this host, or takes the one it names; nil where the document has no `intelRdt`.
    public static func make(_ settings: RuntimeSpec.IntelRDT?, id: String) throws(RuntimeFailure) -> ResctrlGroup? {
        guard let settings else { return nil }
        let table = try step(.cgroup) { () throws(SystemError) in try readText("/proc/self/mountinfo") }
        guard let root = root(mountTable: table) else {
            throw RuntimeFailure(
                .specification,
                "linux.intelRdt: no resctrl file system is mounted on this host; where the processor and the kernel have it, "
                    + "`mount -t resctrl resctrl /sys/fs/resctrl` makes it available", errno: ENOENT)
        }
        return try ResctrlGroup(settings, id: id, below: root)
    }

    /// - Parameter root: where the file system is mounted.
    /// - Throws: with nothing left of what was made.
    init(_ settings: RuntimeSpec.IntelRDT, id: String, below root: String) throws(RuntimeFailure) {
        let group = try Self.group(settings.classID, id: id)
        let lines = ResctrlSchemata.lines(
            l3Cache: settings.l3CacheSchema, memoryBandwidth: settings.memoryBandwidthSchema, settings.schemata)
        path = group.isEmpty ? root : "\(root)/\(group)"
        monitor = settings.monitors ? "\(path)/mon_groups/\(id)" : nil
        if group.isEmpty || exists(path) {
            isOwn = false
            try Self.compare(lines, with: path)
        } else if settings.classID != nil, lines.isEmpty {
            throw RuntimeFailure(
                .specification,
                "linux.intelRdt.closID: there is no group \(path), and without a schema it is not made", errno: ENOENT)
        } else {
            isOwn = true
            try step(.cgroup) { () throws(SystemError) in try makeDirectory(path) }
            do throws(RuntimeFailure) { try write(lines, below: root) } catch {
                try? unlink(path, directory: true)
                throw error
            }
        }
        if let monitor {
            do throws(SystemError) { try makeDirectory(monitor) } catch {
                if isOwn { try? unlink(path, directory: true) }
                throw RuntimeFailure(.cgroup, error.about("\(monitor) for linux.intelRdt.enableMonitoring"))
            }
        }
    }

    /// The group's name; empty for the one that everything is in.
    private static func group(_ named: String?, id: String) throws(RuntimeFailure) -> String {
        guard let named else { return id }
        if named == "/" { return "" }
        guard !named.isEmpty, !named.contains("/"), ![".", "..", "info", "mon_groups", "mon_data"].contains(named)
        else {
            throw RuntimeFailure(.specification, "linux.intelRdt.closID: \"\(named)\" is not the name of a group")
        }
        return named
    }

    /// A group that is there is others' too: what the document says of it must be so already.
    private static func compare(_ lines: [String], with path: String) throws(RuntimeFailure) {
        if lines.isEmpty { return }
        let text = try step(.cgroup) { () throws(SystemError) in try readText(path + "/schemata", limit: 1 << 20) }
        let present = ResctrlSchemata(text.split(separator: "\n").map(String.init))
        guard ResctrlSchemata(lines).isPart(of: present) else {
            throw RuntimeFailure(
                .specification,
                "linux.intelRdt: the group \(path) is there already with another schema than \(lines.joined(separator: ", "))",
                errno: EEXIST)
        }
    }

    /// One line at a time: the kernel takes several, but says less about which is wrong.
    private func write(_ lines: [String], below root: String) throws(RuntimeFailure) {
        for line in lines {
            do throws(SystemError) { try writeControl(path + "/schemata", line + "\n") } catch {
                let status = (try? readText(root + "/info/last_cmd_status", limit: 4096))?.trimmedLine ?? ""
                let cause = status.isEmpty || status == "ok" ? "" : " (\(status))"
                throw RuntimeFailure(
                    .cgroup, "linux.intelRdt: write \(line) to \(path)/schemata: \(error.reason)\(cause)",
                    errno: error.errno)
            }
        }
    }

    /// The files by which a process joins, writing `0`.
    func tasks() throws(SystemError) -> [SharedDescriptor] {
        var files = [SharedDescriptor(try open(path + "/tasks", O_WRONLY))]
        if let monitor { files.append(SharedDescriptor(try open(monitor + "/tasks", O_WRONLY))) }
        return files
    }

    /// Changes what the group gets; only for one of the container's own.
    public func update(l3Cache: String?, memoryBandwidth: String?) throws(RuntimeFailure) {
        guard isOwn else {
            throw RuntimeFailure(.specification, "the group \(path) is not this container's own: change it there")
        }
        let root = path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        try write(ResctrlSchemata.lines(l3Cache: l3Cache, memoryBandwidth: memoryBandwidth, []), below: root)
    }

    /// Removes what was made; fine when it is gone.
    public func delete() throws(SystemError) {
        for directory in [monitor, isOwn ? path : nil] {
            guard let directory else { continue }
            do throws(SystemError) { try unlink(directory, directory: true) } catch  where error.errno == ENOENT {}
        }
    }

    // MARK: In a container's state

    public var json: JSON {
        var object: JSONObject = ["path": .string(path), "own": .bool(isOwn)]
        if let monitor { object["monitor"] = .string(monitor) }
        return .object(object)
    }

    public convenience init?(json: JSON) {
        guard let path = json["path"]?.stringValue, path.hasPrefix("/"), let isOwn = json["own"]?.boolValue else {
            return nil
        }
        self.init(path: path, monitor: json["monitor"]?.stringValue, isOwn: isOwn)
    }

    private init(path: String, monitor: String?, isOwn: Bool) {
        self.path = path
        self.monitor = monitor
        self.isOwn = isOwn
    }
}

extension ResctrlGroup: Equatable {
    public static func == (left: ResctrlGroup, right: ResctrlGroup) -> Bool {
        left.path == right.path && left.monitor == right.monitor && left.isOwn == right.isOwn
    }
}

/// A group or none, for what is copied often: an optional's type would be made when the first one is.
enum HeldResctrl: Sendable {
    case none
    case some(ResctrlGroup)

    init(_ group: ResctrlGroup?) { self = group.map { .some($0) } ?? .none }

    var group: ResctrlGroup? { if case .some(let group) = self { group } else { nil } }
}
