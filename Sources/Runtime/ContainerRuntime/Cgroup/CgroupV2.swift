internal import CLinux
internal import Linux
internal import OCI

/// A group in the unified hierarchy.
///
/// Kernel documentation: admin-guide/cgroup-v2.rst.
struct CgroupV2: CgroupDriver {
    let root: String
    let path: String

    var directory: String { root + path }

    func create(taking given: Bool) throws(SystemError) {
        var made: [String] = []
        do throws(SystemError) { try create(taking: given, &made) } catch {
            for group in made.reversed() { try? unlink(group, directory: true) }
            throw error
        }
    }

    private func create(taking given: Bool, _ made: inout [String]) throws(SystemError) {
        var current = root
        let components = path.split(separator: "/")
        for (index, component) in components.enumerated() {
            try delegateControllers(in: current)
            current += "/" + component
            do {
                try makeDirectory(current)
                made.append(current)
            } catch {
                guard error.errno == EEXIST else { throw error }
                if index == components.count - 1, !given { try refuseInUse(current) }
            }
        }
    }

    private func refuseInUse(_ group: String) throws(SystemError) {
        let events = try readText(group + "/cgroup.events")
        if counter("populated", in: events) == 1 {
            throw SystemError("mkdir", errno: EBUSY, subject: "\(group): container's cgroup is not empty")
        }
        if try readText(group + "/cgroup.freeze").trimmedLine == "1" {
            throw SystemError("mkdir", errno: EBUSY, subject: "\(group): container's cgroup unexpectedly frozen")
        }
    }

    /// Hands every controller of a group on to its children.
    ///
    /// One that cannot be (a process in the group itself) is seen when a limit needs it.
    private func delegateControllers(in group: String) throws(SystemError) {
        let there = Set(try readText(group + "/cgroup.controllers").split(whereSeparator: \.isWhitespace))
        let passed = Set(try readText(group + "/cgroup.subtree_control").split(whereSeparator: \.isWhitespace))
        for controller in there.subtracting(passed) {
            try? writeControl(group + "/cgroup.subtree_control", "+\(controller)")
        }
    }

    func restrictDevices(_ list: [DeviceAccess]) throws(SystemError) {
        if list == [DeviceAccess(allow: true, type: "a", access: "rwm")] { return }
        try DeviceProgram(list).attach(to: directory)
    }

    func membership(_ empty: Cgroup.Membership, _ place: CgroupPlace) throws(SystemError) -> Cgroup.Membership {
        let group = directory + (place.everywhere ?? "")
        let birthplace = SharedDescriptor(try open(group, O_RDONLY | O_DIRECTORY))
        return Cgroup.Membership(layout: empty.layout, path: empty.path, birthplace: birthplace, tasks: empty.tasks)
    }

    func processes() throws(SystemError) -> [pid_t] { try readProcessTree(directory) }

    func freeze(_ frozen: Bool) throws(SystemError) {
        try writeControl(directory + "/cgroup.freeze", frozen ? "1" : "0")
        for _ in 0..<2000 {
            if counter("frozen", in: try readText(directory + "/cgroup.events")) == (frozen ? 1 : 0) { return }
            var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
            nanosleep(&pause, nil)
        }
        throw SystemError("cgroup.freeze", errno: EBUSY, subject: path)
    }

    func isFrozen() -> Bool {
        guard let text = try? readText(directory + "/cgroup.events") else { return false }
        return counter("frozen", in: text) == 1
    }

    func kill() throws(SystemError) {
        do { try writeControl(directory + "/cgroup.kill", "1") } catch {
            // cgroup.kill came with Linux 5.14.
            guard error.errno == ENOENT else { throw error }
            try killTree(directory) {}
        }
    }

    func outOfMemoryKills() -> UInt64? { outOfMemoryKills(in: directory) }

    // Of a group all below it is counted; cgroup-v2.rst, "memory.events".
    func outOfMemoryKillsAround() -> UInt64? {
        directory.lastIndex(of: "/").flatMap { outOfMemoryKills(in: String(directory[..<$0])) }
    }

    // The outermost group that says so counts; cgroup-v2.rst, "memory.oom.group".
    var diesTogether: Bool {
        var group = directory
        while group.utf8.count > root.utf8.count, let slash = group.lastIndex(of: "/") {
            if (try? readText(group + "/memory.oom.group"))?.hasPrefix("1") == true { return true }
            group = String(group[..<slash])
        }
        return false
    }

    private func outOfMemoryKills(in directory: String) -> UInt64? {
        (try? readText(directory + "/memory.events")).map { counter("oom_kill", in: $0) }
    }

    func presentLimits() -> PresentLimits {
        let processor = (try? readText(directory + "/cpu.max"))?.split(whereSeparator: \.isWhitespace) ?? []
        return PresentLimits(
            memory: (try? readText(directory + "/memory.max")).flatMap { Int64($0.trimmedLine) },
            quota: processor.first.flatMap { Int64($0) }, period: processor.dropFirst().first.flatMap { UInt64($0) })
    }

    func removeEmpty() -> Bool { removeIfEmpty(directory) }
    func delete() throws(SystemError) { try removeGroup(directory) }
}
