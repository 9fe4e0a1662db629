internal import CLinux
internal import Linux
internal import OCI

/// Performs the planned mounts, in order.
struct MountStep {
    /// Whether the container has a cgroup namespace of its own, so that mounting shows its own part.
    var ownCgroupNamespace: Bool
    var cgroups: CgroupLayout
    /// The container's cgroup, below each hierarchy's root.
    var cgroupPath: String
    /// Whether the container is in a user namespace of its own.
    var inUserNamespace: Bool
    /// Sources of binds that the parent has opened.
    var sources: PreparedSources
    /// The channel to who maps owners.
    var parent: Int32
    /// The procfs of the pid namespace the container shares, where this process is not in it.
    var procfs: SharedProcfs?
    /// Whether the container's processes, or its message queues, are in a namespace that it did not ask for: the host's.
    var sharesProcesses: Bool
    var sharesQueues: Bool

    /// Write-protects what had to be writable while others were mounted in it.
    func protect(_ mounts: [PlannedMount], in root: borrowing ContainerRoot) throws(SystemError) {
        for mount in mounts where mount.becomesReadOnlyLate {
            let target = try root.open(mount.destination)
            try changeMount(target.raw, set: .readOnly)
        }
    }

    /// Performs one mount.
    ///
    /// - Parameter number: its place in the list.
    /// - Returns: a procfs that was mounted, held by descriptor, for later writes that must not be redirected.
    func perform(
        _ mount: PlannedMount, _ number: Int, in root: borrowing ContainerRoot
    ) throws(SystemError) -> Int32? {
        switch mount.kind {
        case .bind(let source, let recursive):
            try bind(mount, openSource(source, recursive: recursive, number), in: root)
        case .change:
            let target = try root.open(mount.destination)
            try change(target.raw, mount)
        case .cgroup:
            try mountCgroups(mount, in: root)
        case .fileSystem(let type, let source):
            return try mountFileSystem(mount, type: type, source: source, in: root)
        }
        return nil
    }

    private func bind(
        _ mount: PlannedMount, _ tree: consuming MountTree, in root: borrowing ContainerRoot
    ) throws(SystemError) {
        let isDirectory = try status(of: tree.raw).isDirectory
        let target = isDirectory ? try root.directory(mount.destination) : try root.file(mount.destination)
        try Procfs.refuseReplacing(mount.destination, target: target.raw, by: tree.raw)
        if mount.namesAttributes { try nameAttributes(tree.raw, mount) }
        try changeBelow(tree.raw, mount)
        try tree.attach(over: target.raw)
    }

    /// Gives a bind's copy the attributes the document names.
    private func nameAttributes(_ tree: Int32, _ mount: PlannedMount) throws(SystemError) {
        let sets = mount.clearedOfCopy
        do throws(SystemError) { try changeMount(tree, set: mount.attributes, clear: sets[0]) } catch {
            guard error.errno == EPERM else { throw error }
            try changeMount(tree, set: mount.attributes, clear: sets[1])
        }
    }

    /// Sets what a document asks of a mount that is there.
    private func change(_ target: Int32, _ mount: PlannedMount) throws(SystemError) {
        if !mount.attributes.isEmpty || !mount.cleared.isEmpty {
            try changeMount(target, set: mount.attributes, clear: mount.cleared)
        }
        try changeBelow(target, mount)
    }

    /// Sets what is asked of a mount and all below it, and how they propagate.
    private func changeBelow(_ target: Int32, _ mount: PlannedMount) throws(SystemError) {
        if !mount.recursiveAttributes.isEmpty || !mount.recursiveCleared.isEmpty {
            try changeMount(target, set: mount.recursiveAttributes, clear: mount.recursiveCleared, recursive: true)
        }
        if let propagation = mount.propagation {
            try changeMount(target, propagation: propagation, recursive: mount.recursivePropagation)
        }
    }

    /// The source as the container's user namespace reaches it, or else as the parent did.
    ///
    /// The first is what earlier mounts have made of it; the second is for sources behind directories of the host that
    /// are closed to the container's root. What only the parent can open rightly is taken from it at once.
    private func openSource(_ source: String, recursive: Bool, _ number: Int) throws(SystemError) -> MountTree {
        if let opened = try sources.tree(number) { return opened }
        let tree: MountTree
        do { tree = try MountTree(cloning: source, recursive: recursive) } catch {
            guard error.errno == EACCES, let opened = try sources.fallback(number) else { throw error }
            return opened
        }
        if sources.ownerNamespaces.contains(where: { $0.number == number }) {
            try LaunchChannel.askForOwners(parent, of: tree.raw, number)
        }
        return tree
    }

    private func mountFileSystem(
        _ mount: PlannedMount, type: String, source: String?, in root: borrowing ContainerRoot
    ) throws(SystemError) -> Int32? {
        let isThere = (try? root.open(mount.destination)) != nil
        let target =
            type == "proc" || type == "sysfs"
            ? try ordinaryDirectory(mount.destination, in: root) : try root.directory(mount.destination)
        if type != "proc" { try Procfs.refuseReplacing(mount.destination, target: target.raw, by: nil) }
        var mount = mount
        // What is mounted below it needs a place made in it first.
        if mount.becomesReadOnlyLate { mount.attributes.remove(.readOnly) }
        if type == "tmpfs", isThere, !mount.data.contains(where: { $0.hasPrefix("mode=") }) {
            // As open to everybody as what it covers, not more: tmpfs itself would say 1777.
            mount.data.append("mode=" + String(try status(of: target.raw).permissions, radix: 8))
        }
        let tree = try makeTree(type: type, source: source, mount)
        if mount.copiesUp {
            let below = try root.open(mount.destination, O_RDONLY | O_DIRECTORY)
            let above = try Linux.open(".", O_RDONLY | O_DIRECTORY, at: tree.raw)
            try copyUp(from: below.raw, to: above.raw)
        }
        try tree.attach(over: target.raw)
        if let propagation = mount.propagation {
            try changeMount(tree.raw, propagation: propagation, recursive: mount.recursivePropagation)
        }
        guard type == "proc" else { return nil }
        return try Linux.open(".", O_RDONLY | O_DIRECTORY, at: tree.raw).release()
    }

    /// What programs trust by its path must be at that path: an image whose `/proc` is a link is refused (CVE-2019-19921,
    /// CVE-2023-27561).
    private func ordinaryDirectory(_ path: String, in root: borrowing ContainerRoot) throws(SystemError)
        -> OwnedDescriptor
    {
        do throws(SystemError) {
            do throws(SystemError) { return try openOrdinary(path, in: root) } catch {
                guard error.errno == ENOENT else { throw error }
            }
            _ = try root.directory(path)
            // Not what was made: a link may be there by now.
            return try openOrdinary(path, in: root)
        } catch {
            guard error.errno == ELOOP || error.errno == ENOTDIR else { throw error }
            throw error.about("\(path), which must be mounted on ordinary directory")
        }
    }

    private func openOrdinary(_ path: String, in root: borrowing ContainerRoot) throws(SystemError) -> OwnedDescriptor {
        try Linux.open(
            in: root.raw, path.relative, O_PATH | O_DIRECTORY, resolve: [.inRoot, .noMagicLinks, .noSymlinks])
    }

    private func makeTree(type: String, source: String?, _ mount: PlannedMount) throws(SystemError) -> MountTree {
        do {
            if type == "proc", let procfs { return try procfs.mount(source: source, mount) }
            return try MountTree(type: type, source: source, options: mount.data, attributes: mount.attributes)
        } catch {
            // Without a tty group in this user namespace devpts refuses the group; it works without.
            guard type == "devpts", error.errno == EINVAL, mount.data.contains(where: { $0.hasPrefix("gid=") }) else {
                if error.errno == EPERM, let place = hostsOwn(type) {
                    return try bindHostsOwn(place, mount.attributes)
                }
                throw error.about("\(type) on \(mount.destination) (\(error.subject ?? ""))\(Self.hint(type, error))")
            }
            return try MountTree(
                type: type, source: source, options: mount.data.filter { !$0.hasPrefix("gid=") },
                attributes: mount.attributes)
        }
    }

    /// Where the host shows what a namespace of its own is seen by, nil where the container's is not the host's.
    ///
    /// Whoever does not own a namespace may not mount its file system, but may show what is mounted already: sysfs belongs
    /// to the network namespace, procfs to the pid namespace, the message queues to the ipc namespace.
    private func hostsOwn(_ type: String) -> String? {
        switch type {
        case "sysfs": "/sys"
        case "proc" where sharesProcesses: "/proc"
        case "mqueue" where sharesQueues && exists("/dev/mqueue"): "/dev/mqueue"
        default: nil
        }
    }

    private func bindHostsOwn(_ place: String, _ attributes: MountAttributes) throws(SystemError) -> MountTree {
        let tree = try MountTree(cloning: place, recursive: true)
        if !attributes.isEmpty { try tree.change(set: attributes, recursive: true) }
        return tree
    }

    private static func hint(_ type: String, _ error: SystemError) -> String {
        // mount_too_revealing() in the kernel's fs/namespace.c.
        type == "proc" && error.errno == EPERM
            ? "; in a user namespace it needs a /proc of the host that nothing covers" : ""
    }

    /// Shows the container its cgroups.
    ///
    /// On v2 that is the one file system, on v1 a small tmpfs with a directory for each hierarchy, as hosts have it.
    private func mountCgroups(_ mount: PlannedMount, in root: borrowing ContainerRoot) throws(SystemError) {
        let target = try root.directory(mount.destination)
        try Procfs.refuseReplacing(mount.destination, target: target.raw, by: nil)
        var attributes = mount.attributes
        // What is shown then is the caller's as well, who may be able to write to it (CVE-2023-25809).
        if !ownCgroupNamespace, inUserNamespace || cgroupPath.isEmpty { attributes.insert(.readOnly) }
        guard cgroups.isV1 else {
            if ownCgroupNamespace {
                let tree = try MountTree(type: "cgroup2", source: "cgroup", attributes: attributes)
                try tree.attach(over: target.raw)
            } else {
                let tree = try MountTree(cloning: shownGroup(cgroups.unified, "0::"), recursive: false)
                try tree.change(set: attributes)
                try tree.attach(over: target.raw)
            }
            return
        }
        let small = try MountTree(
            type: "tmpfs", source: "tmpfs", options: ["mode=755", "size=64k"],
            attributes: attributes.subtracting(.readOnly))
        for hierarchy in cgroups.hierarchies {
            try makeDirectory(hierarchy.name, at: small.raw)
            for alias in hierarchy.aliases { try makeSymlink(alias, to: hierarchy.name, at: small.raw) }
        }
        try small.attach(over: target.raw)
        for hierarchy in cgroups.hierarchies {
            let place = try Linux.open(in: small.raw, hierarchy.name, O_PATH | O_DIRECTORY)
            let tree =
                ownCgroupNamespace
                ? try MountTree(
                    type: "cgroup", source: "cgroup", options: hierarchy.options, attributes: attributes)
                : try MountTree(
                    cloning: shownGroup(hierarchy.mountPoint, ":\(hierarchy.options.joined(separator: ",")):"),
                    recursive: false)
            if !ownCgroupNamespace { try tree.change(set: attributes) }
            try tree.attach(over: place.raw)
        }
        if attributes.contains(.readOnly) { try small.change(set: .readOnly) }
    }

    /// The container's group in a hierarchy; without one of its own, that which its caller is in.
    private func shownGroup(_ mountPoint: String, _ hierarchy: String) -> String {
        guard cgroupPath.isEmpty else { return mountPoint + cgroupPath }
        let own = mountPoint + DelegatedGroup.ownPath((try? readText("/proc/self/cgroup")) ?? "", hierarchy: hierarchy)
        return exists(own) ? own : mountPoint
    }

    /// Fills a new tmpfs with what the directory it will cover holds: plain files, directories and links, by descriptor.
    private func copyUp(from source: Int32, to target: Int32) throws(SystemError) {
        for entry in try readDirectory(source) {
            let name = entry.name.text
            let status = try Linux.status(name, at: source)
            switch status.kind {
            case mode_t(S_IFDIR):
                try makeDirectory(name, mode: status.permissions, at: target)
                let below = try Linux.open(in: source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                let above = try Linux.open(in: target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                try setOwner(above.raw, uid: status.st_uid, gid: status.st_gid)
                try setMode(above.raw, status.permissions)
                try copyUp(from: below.raw, to: above.raw)
            case mode_t(S_IFLNK):
                try makeSymlink(name, to: try readLink(name, at: source), at: target)
            case mode_t(S_IFREG):
                let from = try openRegularFile(in: source, name, resolve: [.beneath, .noSymlinks])
                let to = try Linux.open(in: target, name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
                while try copyFileRange(from: from.raw, to: to.raw, count: 1 << 20) > 0 {}
                try setOwner(to.raw, uid: status.st_uid, gid: status.st_gid)
                try setMode(to.raw, status.permissions)
            default: break
            }
        }
    }
}
