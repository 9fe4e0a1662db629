internal import CLinux
internal import Linux
internal import OCI

/// A group in each of the v1 hierarchies.
///
/// Kernel documentation: admin-guide/cgroup-v1/.
struct CgroupV1: CgroupDriver {
    let layout: CgroupLayout
    let path: String

    func directory(of controller: String) -> String? {
        layout.mountPoint(of: controller).map { $0 + path }
    }

    func create(taking given: Bool) throws(SystemError) {
        if !given { try refuseInUse() }
        try make { (made) throws(SystemError) in
            if !layout.unified.isEmpty { try createUnified(&made) }
            for hierarchy in layout.hierarchies { _ = try create(in: hierarchy, &made) }
        }
    }

    func begin() throws(SystemError) -> Bool {
        if layout.unified.isEmpty { return true }
        // A process is never born among another container's.
        if exists(layout.unified + path) { try refuseInUse() }
        try make { (made) throws(SystemError) in try createUnified(&made) }
        return true
    }

    func abandon() { if !layout.unified.isEmpty { try? unlink(layout.unified + path, directory: true) } }

    func finish() throws(SystemError) {
        try make { (made) throws(SystemError) in
            for hierarchy in layout.hierarchies where try !create(in: hierarchy, &made) {
                try refuseInUse(hierarchy.mountPoint + path)
            }
        }
    }

    /// Removes what was made when something goes wrong.
    private func make(_ body: (inout [String]) throws(SystemError) -> Void) throws(SystemError) {
        var made: [String] = []
        do throws(SystemError) { try body(&made) } catch {
            for group in made.reversed() { try? unlink(group, directory: true) }
            throw error
        }
    }

    /// - Returns: whether it was not there before.
    private func create(
        in hierarchy: CgroupLayout.Hierarchy, _ made: inout [String]
    ) throws(SystemError) -> Bool {
        let isCPUSet = hierarchy.controllers.contains("cpuset")
        let group = hierarchy.mountPoint + path
        var parent = hierarchy.mountPoint + parentPath
        let isNew: Bool
        do throws(SystemError) { isNew = try makeGroup(group, &made) } catch {
            // Only the first of many finds nothing above it.
            guard error.errno == ENOENT else { throw error }
            parent = try makeParents(in: hierarchy.mountPoint, inheritsCPUs: isCPUSet, &made)
            isNew = try makeGroup(group, &made)
        }
        if isCPUSet { try inheritCPUs(group, isNew: isNew, from: parent, below: hierarchy.mountPoint) }
        return isNew
    }

    /// The group right above, as its path.
    private var parentPath: String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? ""
    }

    /// Makes the groups above the container's where they are missing, as they are only for the first of many.
    ///
    /// - Returns: the group right above.
    private func makeParents(
        in root: String, inheritsCPUs: Bool, _ made: inout [String]
    ) throws(SystemError) -> String {
        let parent = root + parentPath
        if !inheritsCPUs, exists(parent) { return parent }
        var components = Fields(Array(parentPath.utf8), separatedBy: UInt8(ascii: "/"))
        var current = root
        while let component = components.text() {
            if component.isEmpty { continue }
            let above = current
            current += "/" + component
            let isNew = try makeGroup(current, &made)
            if inheritsCPUs { try inheritCPUs(current, isNew: isNew, from: above, below: root) }
        }
        return parent
    }

    /// - Returns: whether it was not there before.
    private func makeGroup(_ group: String, _ made: inout [String]) throws(SystemError) -> Bool {
        do throws(SystemError) { try makeDirectory(group) } catch {
            guard error.errno == EEXIST else { throw error }
            return false
        }
        made.append(group)
        return true
    }

    /// A hybrid host: the group in the unified hierarchy has no controllers, but marks what belongs together.
    private func createUnified(_ made: inout [String]) throws(SystemError) {
        do throws(SystemError) {
            _ = try makeParents(in: layout.unified, inheritsCPUs: false, &made)
            _ = try makeGroup(layout.unified + path, &made)
        } catch {
            // A read-only hierarchy is of no use to anybody.
            if error.errno != EROFS { throw error }
        }
    }

    /// What is there before may be another container's.
    private func refuseInUse() throws(SystemError) {
        for hierarchy in layout.hierarchies where exists(hierarchy.mountPoint + path) {
            try refuseInUse(hierarchy.mountPoint + path)
        }
    }

    private func refuseInUse(_ group: String) throws(SystemError) {
        // Those in groups below it would be killed and removed with it.
        if try !readProcessTree(group).isEmpty {
            throw SystemError("mkdir", errno: EBUSY, subject: "\(group): container's cgroup is not empty")
        }
        if let state = try? readText(group + "/freezer.state"), !state.hasPrefix("THAWED") {
            throw SystemError("mkdir", errno: EBUSY, subject: "\(group): container's cgroup unexpectedly frozen")
        }
    }

    /// Fills in what a new cpuset lacks, and nothing can run without.
    ///
    /// A parent that is blank itself may be new as well: another container's start has made it a moment ago and not come
    /// further yet.
    private func inheritCPUs(
        _ group: String, isNew: Bool, from parent: String, below root: String
    ) throws(SystemError) {
        for file in ["/cpuset.cpus", "/cpuset.mems"] {
            if !isNew, try !isBlank(readFile(group + file)) { continue }
            var value = try readFile(parent + file)
            if isBlank(value), parent.utf8.count > root.utf8.count, let slash = parent.lastIndex(of: "/") {
                try inheritCPUs(parent, isNew: false, from: String(parent[..<slash]), below: root)
                value = try readFile(parent + file)
            }
            if !isBlank(value) { try writeControl(group + file, value) }
        }
    }

    private func isBlank(_ text: [UInt8]) -> Bool { text.allSatisfy { $0 == UInt8(ascii: "\n") } }

    func restrictDevices(_ list: [DeviceAccess]) throws(SystemError) {
        guard let directory = directory(of: "devices") else { return }
        let allow = try open("\(directory)/devices.allow", O_WRONLY)
        let deny = try open("\(directory)/devices.deny", O_WRONLY)
        for rule in list {
            do { try writeAll(rule.allow ? allow.raw : deny.raw, rule.text) } catch {
                throw error.about("devices.\(rule.allow ? "allow" : "deny") \"\(rule.text)\"")
            }
        }
    }

    func membership(_ empty: Cgroup.Membership, _ place: CgroupPlace) throws(SystemError) -> Cgroup.Membership {
        var tasks = empty.tasks
        for hierarchy in layout.hierarchies {
            let below = place.path(in: hierarchy), group = hierarchy.mountPoint + path + below
            do throws(SystemError) {
                tasks.append(SharedDescriptor(try open(group + "/tasks", O_WRONLY)))
            } catch {
                throw below.isEmpty ? error : error.about("adding pid \(getpid()) to \(group)/cgroup.procs")
            }
        }
        var birthplace: SharedDescriptor?
        if !layout.unified.isEmpty {
            // Made before this version, or by hand: then the process stays where its parent is.
            birthplace = try? SharedDescriptor(open(layout.unified + path, O_RDONLY | O_DIRECTORY))
        }
        return Cgroup.Membership(layout: empty.layout, path: empty.path, birthplace: birthplace, tasks: tasks)
    }

    func processes() throws(SystemError) -> [pid_t] {
        guard let first = layout.hierarchies.first else { return [] }
        return try readProcessTree(first.mountPoint + path)
    }

    func freeze(_ frozen: Bool) throws(SystemError) {
        guard let directory = directory(of: "freezer") else {
            throw SystemError("freezer", errno: ENOENT, subject: "no freezer hierarchy is mounted")
        }
        let file = directory + "/freezer.state", wanted = frozen ? "FROZEN" : "THAWED"
        // A process that forks while it freezes leaves the state at FREEZING: it is asked again.
        for attempt in 0..<2000 {
            try writeControl(file, wanted)
            if try readText(file).hasPrefix(wanted) { return }
            if attempt > 20 {
                var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
                nanosleep(&pause, nil)
            }
        }
        throw SystemError("freezer.state", errno: EBUSY, subject: path)
    }

    func takeBack(_ pid: pid_t) throws(SystemError) {
        guard let directory = directory(of: "freezer") else { return }
        try writeControl(directory + "/cgroup.procs", "\(pid)")
    }

    func isFrozen() -> Bool {
        guard let directory = directory(of: "freezer") else { return false }
        return (try? readText(directory + "/freezer.state"))?.hasPrefix("THAWED") == false
    }

    func kill() throws(SystemError) {
        guard let first = layout.hierarchies.first else { return }
        try killTree(first.mountPoint + path) { if isFrozen() { try? freeze(false) } }
    }

    func outOfMemoryKills() -> UInt64? {
        directory(of: "memory").flatMap { try? readText($0 + "/memory.oom_control") }
            .map { counter("oom_kill", in: $0) }
    }

    func presentLimits() -> PresentLimits {
        func number(_ controller: String, _ file: String) -> Int64? {
            directory(of: controller).flatMap { try? readText("\($0)/\(file)") }.flatMap { Int64($0.trimmedLine) }
        }
        return PresentLimits(
            quota: number("cpu", "cpu.cfs_quota_us"),
            period: number("cpu", "cpu.cfs_period_us").map { UInt64(max($0, 1)) })
    }

    func removeEmpty() -> Bool { layout.hierarchies.first.map { removeIfEmpty($0.mountPoint + path) } ?? true }

    func delete() throws(SystemError) {
        for hierarchy in layout.hierarchies { try removeGroup(hierarchy.mountPoint + path) }
        if !layout.unified.isEmpty { try removeGroup(layout.unified + path) }
    }
}
