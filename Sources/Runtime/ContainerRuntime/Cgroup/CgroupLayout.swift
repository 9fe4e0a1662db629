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

    /// Reads this process's mount table.
    public static func detect() throws(SystemError) -> CgroupLayout {
        CgroupLayout(mountTable: try readFile("/proc/self/mountinfo"))
    }

    /// - Parameter mountTable: the text of `/proc/<pid>/mountinfo`; proc_pid_mountinfo(5).
    public init(mountTable: String) { self.init(mountTable: Array(mountTable.utf8)) }

    /// The same of the file's bytes: hosts have hundreds of mounts, and only the few lines of cgroups become text.
    init(mountTable: [UInt8]) {
        hierarchies = []
        unified = ""
        let space = UInt8(ascii: " ")
        for line in mountTable.split(separator: UInt8(ascii: "\n")) {
            guard let separator = Self.separator(in: line), line[(separator + 3)...].starts(with: Self.prefix) else {
                continue
            }
            let dash = line[..<separator].split(separator: space).count
            let fields = line.split(separator: space).map { String(decoding: $0, as: UTF8.self) }
            guard fields.count > dash + 3, dash > 4 else { continue }
            let mountPoint = fields[4]
            switch fields[dash + 1] {
            case "cgroup2":
                // The first one is the host's; others are a container's or a test's view.
                if unified.isEmpty { unified = mountPoint }
            case "cgroup":
                let words = fields[dash + 3].split(separator: ",").map(String.init)
                let named = words.filter { $0.hasPrefix("name=") }
                let controllers = words.filter { Self.controllers.contains($0) }
                guard mountPoint.hasPrefix("/sys/fs/cgroup/"), let name = mountPoint.split(separator: "/").last,
                    !hierarchies.contains(where: { $0.options == named + controllers })
                else { continue }
                hierarchies.append(
                    Hierarchy(
                        name: String(name), mountPoint: mountPoint, options: named + controllers,
                        controllers: controllers,
                        aliases: controllers.count > 1 ? controllers.filter { $0 != name } : []))
            default: break
            }
        }
    }

    private static let prefix = Array("cgroup".utf8)

    /// Where the lone dash stands, behind which the type of file system is; with the space before it.
    private static func separator(in line: ArraySlice<UInt8>) -> Int? {
        let (space, dash) = (UInt8(ascii: " "), UInt8(ascii: "-"))
        var index = line.startIndex
        while index + 2 < line.endIndex {
            if line[index + 1] == dash, line[index] == space, line[index + 2] == space { return index }
            index += 1
        }
        return nil
    }

    private static let controllers: Set<String> = [
        "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio",
        "perf_event", "hugetlb", "rdma", "misc",
    ]
}
