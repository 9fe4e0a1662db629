public import CLinux
public import Linux
public import OCI

/// A container's control group, the same on cgroup v1, hybrid and v2 hosts.
///
/// ```
/// create(limits) ─▶ membership() given to the launch ─▶ update, freeze, kill, … ─▶ delete()
/// ```
/// On v2 the process is born in its group. On v1 the process itself writes `0` into each `tasks` file: the kernel takes no
/// lock over all thread groups for that, where a parent writing into `cgroup.procs` waits milliseconds for one.
public struct Cgroup: Sendable {
    public let layout: CgroupLayout
    /// Below each hierarchy's root: `/skiff/<id>`, no `..` in it.
    public let path: String
    private let driver: any CgroupDriver

    /// - Throws: when the path is not absolute or steps up.
    public init(path: String, layout: CgroupLayout) throws(RuntimeFailure) {
        guard path.hasPrefix("/"), path.count > 1,
            !path.split(separator: "/").contains(where: { $0 == ".." || $0 == "." })
        else { throw RuntimeFailure(.cgroup, "cgroup path \"\(path)\" is not an absolute path without \"..\"") }
        guard layout.isV1 || !layout.unified.isEmpty else {
            throw RuntimeFailure(.cgroup, "no cgroup hierarchy is mounted on this host")
        }
        self.layout = layout
        self.path = path
        driver = layout.isV1 ? CgroupV1(layout: layout, path: path) : CgroupV2(root: layout.unified, path: path)
    }

    /// Makes the group in every hierarchy and sets its limits; on a failure nothing is left.
    public func create(_ resources: RuntimeSpec.Resources) throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in
            do throws(SystemError) {
                try driver.create()
                try driver.apply(resources)
                try driver.restrictDevices(DeviceAccess.list(for: resources.devices))
            } catch {
                try? driver.delete()
                throw error
            }
        }
    }

    /// Changes limits while processes run; what the document leaves out stays.
    public func update(_ resources: RuntimeSpec.Resources) throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in try driver.apply(resources) }
    }

    /// What a process needs to become a member, opened before it leaves the host's mount namespace.
    public func membership() throws(SystemError) -> Membership {
        try driver.membership(Membership(layout: layout, path: path, birthplace: nil, tasks: []))
    }

    /// Every process in the group.
    public func processes() throws(SystemError) -> [pid_t] { try driver.processes() }

    /// Stops every process where it is, or lets them go on; returns when the kernel says it is so.
    public func freeze(_ frozen: Bool) throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in try driver.freeze(frozen) }
    }

    /// Whether the group is stopped now; false where that cannot be told.
    public func isFrozen() -> Bool { driver.isFrozen() }

    /// Sends SIGKILL to every process in the group.
    public func kill() throws(SystemError) { try driver.kill() }

    /// How often the kernel killed a process of the group for want of memory.
    public func outOfMemoryKills() -> UInt64 { driver.outOfMemoryKills() }

    /// Removes the group; fine when it is gone.
    ///
    /// Processes on their way out are waited for, shortly.
    public func delete() throws(SystemError) { try driver.delete() }

    /// Open directories and files by which a process joins.
    public struct Membership: Sendable {
        public let layout: CgroupLayout
        public let path: String
        /// v2: the directory into which the process is cloned.
        let birthplaceHolder: SharedDescriptor?
        let tasks: [SharedDescriptor]

        init(layout: CgroupLayout, path: String, birthplace: SharedDescriptor?, tasks: [SharedDescriptor]) {
            self.layout = layout
            self.path = path
            birthplaceHolder = birthplace
            self.tasks = tasks
        }

        var birthplace: Int32? { birthplaceHolder?.raw }

        /// In the new process, which has one thread: joins the v1 hierarchies.
        func join() throws(SystemError) {
            for file in tasks { try writeAll(file.raw, "0") }
        }
    }
}

/// What v1 and v2 do differently.
protocol CgroupDriver: Sendable {
    func create() throws(SystemError)
    func apply(_ resources: RuntimeSpec.Resources) throws(SystemError)
    func restrictDevices(_ list: [DeviceAccess]) throws(SystemError)
    func membership(_ empty: Cgroup.Membership) throws(SystemError) -> Cgroup.Membership
    func processes() throws(SystemError) -> [pid_t]
    func freeze(_ frozen: Bool) throws(SystemError)
    func isFrozen() -> Bool
    func kill() throws(SystemError)
    func outOfMemoryKills() -> UInt64
    func delete() throws(SystemError)
}

/// Removes a cgroup directory; a process that is ending keeps it busy for a moment.
func removeGroup(_ directory: String) throws(SystemError) {
    var attempts = 0
    while true {
        do {
            try unlink(directory, directory: true)
            return
        } catch {
            switch error.errno {
            case ENOENT: return
            case EBUSY where attempts < 2000:
                attempts += 1
                if attempts < 100 {
                    sched_yield()
                } else {
                    var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
                    nanosleep(&pause, nil)
                }
            default: throw error
            }
        }
    }
}

/// The numbers in a `cgroup.procs` file; missing means none.
func readProcesses(_ file: String) throws(SystemError) -> [pid_t] {
    do { return try readText(file).split(separator: "\n").compactMap { pid_t($0) } } catch {
        if error.errno == ENOENT || error.errno == ENODEV { return [] }
        throw error
    }
}
