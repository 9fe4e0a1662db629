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
        var made: [String] = []
        do throws(SystemError) {
            if !layout.unified.isEmpty { try createUnified(&made) }
            for hierarchy in layout.hierarchies { try create(in: hierarchy, taking: given, &made) }
        } catch {
            for group in made.reversed() { try? unlink(group, directory: true) }
            throw error
        }
    }

    private func create(
        in hierarchy: CgroupLayout.Hierarchy, taking given: Bool, _ made: inout [String]
    ) throws(SystemError) {
        var current = hierarchy.mountPoint
        let components = path.split(separator: "/")
        for (index, component) in components.enumerated() {
            let parent = current
            current += "/" + component
            do {
                try makeDirectory(current)
                made.append(current)
            } catch {
                guard error.errno == EEXIST else { throw error }
                if index == components.count - 1, !given { try refuseInUse(current) }
            }
            // A new cpuset is empty, and nothing can run in it. One that is there may be new all the same: another
            // container's start has made it a moment ago and not come further yet.
            if hierarchy.controllers.contains("cpuset") { try inheritCPUs(current, from: parent) }
        }
    }

    /// A hybrid host: the group in the unified hierarchy has no controllers, but marks what belongs together.
    private func createUnified(_ made: inout [String]) throws(SystemError) {
        var current = layout.unified
        for component in path.split(separator: "/") {
            current += "/" + component
            do {
                try makeDirectory(current)
                made.append(current)
            } catch {
                // A read-only hierarchy is of no use to anybody.
                if error.errno == EROFS { return }
                if error.errno != EEXIST { throw error }
            }
        }
    }

    private func refuseInUse(_ group: String) throws(SystemError) {
        if try !readProcesses(group + "/cgroup.procs").isEmpty {
            throw SystemError("mkdir", errno: EBUSY, subject: "\(group): container's cgroup is not empty")
        }
        if let state = try? readText(group + "/freezer.state"), !state.hasPrefix("THAWED") {
            throw SystemError("mkdir", errno: EBUSY, subject: "\(group): container's cgroup unexpectedly frozen")
        }
    }

    private func inheritCPUs(_ group: String, from parent: String) throws(SystemError) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            guard try readText("\(group)/\(file)").allSatisfy(\.isWhitespace) else { continue }
            let value = try readText("\(parent)/\(file)")
            if !value.allSatisfy(\.isWhitespace) { try writeControl("\(group)/\(file)", value) }
        }
    }

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
        var tasks: [SharedDescriptor] = []
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

    func isFrozen() -> Bool {
        guard let directory = directory(of: "freezer") else { return false }
        return (try? readText(directory + "/freezer.state"))?.hasPrefix("THAWED") == false
    }

    func kill() throws(SystemError) {
        guard let first = layout.hierarchies.first else { return }
        try killTree(first.mountPoint + path) { if isFrozen() { try? freeze(false) } }
    }

    func outOfMemoryKills() -> UInt64 {
        guard let directory = directory(of: "memory"), let text = try? readText(directory + "/memory.oom_control")
        else { return 0 }
        return counter("oom_kill", in: text)
    }

    func presentLimits() -> PresentLimits {
        func number(_ controller: String, _ file: String) -> Int64? {
            directory(of: controller).flatMap { try? readText("\($0)/\(file)") }.flatMap { Int64($0.trimmedLine) }
        }
        return PresentLimits(
            quota: number("cpu", "cpu.cfs_quota_us"),
            period: number("cpu", "cpu.cfs_period_us").map { UInt64(max($0, 1)) })
    }

    func delete() throws(SystemError) {
        for hierarchy in layout.hierarchies { try removeGroup(hierarchy.mountPoint + path) }
        if !layout.unified.isEmpty { try removeGroup(layout.unified + path) }
    }
}
