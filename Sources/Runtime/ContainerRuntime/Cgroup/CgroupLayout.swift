internal import CLinux
public import Linux

/// Which cgroup hierarchies this host has mounted, and where.
///
/// A host is v2 when its one hierarchy with controllers is the unified one. With any v1 controller mounted it is v1,
/// also when a unified mount without controllers is there beside them ("hybrid"). See cgroups(7).
public struct CgroupLayout: Sendable, Hashable {
    /// A v1 hierarchy.
    public struct Hierarchy: Sendable, Hashable {
        /// The directory's name below `/sys/fs/cgroup`: `memory`, `cpu,cpuacct`, `systemd`.
        public var name: String
        public var mountPoint: String
        /// What `fsopen("cgroup")` needs to mount the same one: controllers or `name=systemd`.
        public var options: [String]
        /// The controllers it holds; none for a named one.
        public var controllers: [String]
        /// Links by which single controllers of a joint hierarchy are found.
        public var aliases: [String]
    }

    /// The v1 hierarchies in the order of the mount table; empty on v2.
    public var hierarchies: [Hierarchy]
    /// Where the unified hierarchy is mounted; empty where it is not.
    public var unified: String

    public var isV1: Bool { !hierarchies.isEmpty }

    /// The directory of a v1 controller, nil where it is not mounted.
    public func mountPoint(of controller: String) -> String? {
        hierarchies.first { $0.controllers.contains(controller) }?.mountPoint
    }

    /// Looks at where the hierarchies are by convention, and else at this process's mount table.
    ///
    /// The table has lines for every container of a host, and the kernel writes each anew for each reader: on one with
    /// hundreds it takes longer than all else that a verb does. A single hierarchy says by itself that it is one.
    public static func detect() throws(SystemError) -> CgroupLayout {
        let standard = "/sys/fs/cgroup"
        if let directory = try? open(standard, O_PATH | O_DIRECTORY),
            (try? fileSystemType(of: directory.raw)) == Int(CGROUP2_SUPER_MAGIC)
        {
            return CgroupLayout(unified: standard)
        }
        return CgroupLayout(mountTable: try readFile("/proc/self/mountinfo"))
    }

    /// The layout a container was made in, where its first hierarchy still stands, and else the one there is now.
    ///
    /// - Parameter record: a layout's ``record``; empty where none was kept.
    public static func find(_ record: String) throws(SystemError) -> CgroupLayout {
        let kept = CgroupLayout(record: record)
        guard let first = kept.hierarchies.first, let directory = try? open(first.mountPoint, O_PATH | O_DIRECTORY),
            (try? fileSystemType(of: directory.raw)) == Int(CGROUP_SUPER_MAGIC)
        else { return try detect() }
        return kept
    }

    /// The v1 hierarchies for who has to find them again without the table of mounts, empty on v2: options and mount point of
    /// each, and the unified one with none, as `/proc/<pid>/cgroup` has controllers and path.
    /// ```
    /// cpu,cpuacct:/sys/fs/cgroup/cpu,cpuacct name=systemd:/sys/fs/cgroup/systemd :/sys/fs/cgroup/unified
    /// ```
    public var record: String {
        guard isV1 else { return "" }
        var record = ""
        // Making it longer would let go of shorter ones.
        record.reserveCapacity(64 * (hierarchies.count + 1))
        for hierarchy in hierarchies {
            var separator = ""
            for option in hierarchy.options {
                record += separator + option
                separator = ","
            }
            record += ":"
            record += hierarchy.mountPoint
            record += " "
        }
        record += ":"
        record += unified
        return record
    }

    init(record: String) {
        hierarchies = []
        unified = ""
        let bytes = Array(record.utf8)
        var entries = Fields(bytes, separatedBy: UInt8(ascii: " "))
        while let entry = entries.next() {
            // A name may hold a colon, and is followed by a path.
            let isColon = { (at: Int) in
                bytes[at] == UInt8(ascii: ":") && at + 1 < entry.upperBound && bytes[at + 1] == UInt8(ascii: "/")
            }
            guard let colon = entry.first(where: isColon) else { continue }
            let mountPoint = String(decoding: bytes[(colon + 1)..<entry.upperBound], as: UTF8.self)
            if colon == entry.lowerBound {
                unified = mountPoint
            } else {
                add(Fields(bytes, in: entry.lowerBound..<colon, separatedBy: UInt8(ascii: ",")), at: mountPoint)
            }
        }
    }

    private init(unified: String) {
        hierarchies = []
        self.unified = unified
    }

    /// - Parameter mountTable: the text of `/proc/<pid>/mountinfo`; proc_pid_mountinfo(5).
    public init(mountTable: String) { self.init(mountTable: Array(mountTable.utf8)) }

    /// The same of the file's bytes: hosts have hundreds of mounts, and only the few lines of cgroups become text.
    init(mountTable: [UInt8]) {
        hierarchies = []
        unified = ""
        mountTable.withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                var end = start, isCgroup = false
                while end < bytes.count, bytes[end] != UInt8(ascii: "\n") {
                    if bytes[end] == UInt8(ascii: "-"), !isCgroup { isCgroup = Self.names(bytes, at: end) }
                    end += 1
                }
                if isCgroup { take(Fields(mountTable, in: start..<end, separatedBy: UInt8(ascii: " "))) }
                start = end + 1
            }
        }
    }

    /// Whether a dash is the lone one in front of a type of file system that begins with "cgroup".
    private static func names(_ bytes: UnsafeBufferPointer<UInt8>, at dash: Int) -> Bool {
        let word: StaticString = " - cgroup"
        guard dash > 0, dash - 1 + word.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<word.utf8CodeUnitCount).allSatisfy { bytes[dash - 1 + $0] == word.utf8Start[$0] }
    }

    private mutating func take(_ line: Fields) {
        var fields = line
        for _ in 0..<4 { _ = fields.next() }
        guard let mountPoint = fields.text() else { return }
        // Any number of fields, and a lone dash.
        while let field = fields.text(), field != "-" {}
        guard let type = fields.text(), fields.next() != nil, let options = fields.next() else { return }
        switch type {
        case "cgroup2":
            // The first one is the host's; others are a container's or a test's view.
            if unified.isEmpty { unified = mountPoint }
        case "cgroup":
            if mountPoint.hasPrefix("/sys/fs/cgroup/") {
                add(line.part(options, separatedBy: UInt8(ascii: ",")), at: mountPoint)
            }
        default: break
        }
    }

    /// - Parameter options: a name and controllers, between others or not.
    private mutating func add(_ options: Fields, at mountPoint: String) {
        var options = options, words: [String] = []
        while let word = options.text() { words.append(word) }
        let named = words.filter { $0.hasPrefix("name=") }
        let controllers = words.filter { Self.controllers.contains($0) }
        guard let slash = mountPoint.utf8.lastIndex(of: UInt8(ascii: "/")),
            !hierarchies.contains(where: { $0.options == named + controllers })
        else { return }
        let name = String(mountPoint[mountPoint.utf8.index(after: slash)...])
        hierarchies.append(
            Hierarchy(
                name: name, mountPoint: mountPoint, options: named + controllers, controllers: controllers,
                aliases: controllers.count > 1 ? controllers.filter { $0 != name } : []))
    }

    private static let controllers = [
        "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio",
        "perf_event", "hugetlb", "rdma", "misc",
    ]
}
