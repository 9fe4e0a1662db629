internal import CLinux
internal import Linux

/// The procfs of a pid namespace, mounted by a process that is not in it.
///
/// ```
/// Linux 6.17   a new one, by the mount option pidns
/// before       another mount of the one that the namespace's first process has at /proc
/// ```
/// Before, a new one shows the pid namespace of the process that asks for it, which whoever is in there may trace. So none is
/// made: somebody outside looks up what is there already.
enum SharedProcfs: Sendable {
    case byOption(SharedDescriptor)
    case asCopy(SharedDescriptor)

    func mount(source: String?, _ mount: PlannedMount) throws(SystemError) -> MountTree {
        switch self {
        case .byOption(let namespace):
            return try MountTree(
                type: "proc", source: source, options: mount.data, attributes: mount.attributes,
                opened: ("pidns", namespace.raw))
        case .asCopy(let copy):
            let tree = MountTree(owning: try copy.duplicate())
            try tree.change(set: mount.attributes, clear: Self.all.subtracting(mount.attributes))
            return tree
        }
    }

    /// What the other container's mount may have, and this one need not.
    private static let all: MountAttributes = [
        .readOnly, .noSUID, .noDevices, .noExec, .noDirectoryAccessTime, .noSymlinkFollow, .accessTimeMask,
    ]

    /// Another mount of the procfs at `/proc` of a pid namespace's first process, nil where there is none with the kernel's own
    /// options, which both see by.
    ///
    /// It is looked up by a child: who enters a mount namespace leaves its root behind.
    static func copy(of namespace: Int32) -> SharedDescriptor? {
        guard let wanted = try? status(of: namespace), let first = firstProcess(of: wanted),
            let mounts = try? open("/proc/\(first)/ns/mnt", O_RDONLY), let ends = try? SocketPair(.messages),
            let cloned = try? Linux.clone([])
        else { return nil }
        if cloned.isChild { tell(ends.second.raw, of: wanted, in: mounts.raw) }
        let child = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        guard (try? child.wait()) == .exited(0) else { return nil }
        // It has ended: what there is to be read is there.
        guard (try? setNonBlocking(ends.first.raw, true)) != nil,
            var message = try? receiveMessage(ends.first.raw, limit: 1), let tree = message.descriptors.take()
        else { return nil }
        return SharedDescriptor(tree)
    }

    /// The first process of a pid namespace, by the host's number.
    private static func firstProcess(of namespace: stat) -> pid_t? {
        guard let table = try? open("/proc", O_RDONLY | O_DIRECTORY), let entries = try? readDirectory(table.raw) else {
            return nil
        }
        return entries.lazy.compactMap { pid_t($0.name.text) }.first { pid in
            guard let found = try? status("/proc/\(pid)/ns/pid", follow: true), found.isSame(as: namespace),
                let text = try? readText("/proc/\(pid)/status", limit: 65536)
            else { return false }
            return text.split(separator: "\n").contains { $0.hasPrefix("NSpid:") && $0.hasSuffix("\t1") }
        }
    }

    /// In the child: sends what it finds and ends.
    ///
    /// It does not say that it does not return, or the caller's descriptors would be closed before.
    private static func tell(_ socket: Int32, of wanted: stat, in mounts: Int32) {
        if let tree = try? find(wanted, in: mounts) { try? sendMessage(socket, [0], descriptors: [tree.raw]) }
        exitNow(0)
    }

    /// In the child, which does not go back: what is at `/proc` of a mount namespace, if it is the procfs that is looked for.
    private static func find(_ wanted: stat, in mounts: Int32) throws(SystemError) -> MountTree {
        let own = try open("/proc/self", O_RDONLY | O_DIRECTORY)
        try enter(.mount, of: mounts)
        let place = try open(in: Directory.working, "/proc", O_PATH | O_DIRECTORY, resolve: .noSymlinks)
        // A copy without what is mounted below: whatever that would lead to is not asked.
        let tree = try MountTree(cloning: place.raw)
        guard Procfs.isRoot(tree.raw) else { throw SystemError("open", errno: ENODEV, subject: "/proc") }
        let first = try open("1/ns/pid", O_RDONLY, at: tree.raw)
        guard try status(of: first.raw).isSame(as: wanted), try isPlain(place.raw, own.raw) else {
            throw SystemError("open", errno: ENODEV, subject: "/proc")
        }
        return tree
    }

    /// Whether a procfs shows everything to everybody; its options are said by the table of mounts alone.
    ///
    /// Files: `fdinfo` and `mountinfo` of the process's own directory.
    private static func isPlain(_ place: Int32, _ own: Int32) throws(SystemError) -> Bool {
        func read(_ name: String) throws(SystemError) -> [Substring] {
            let file = try open(name, O_RDONLY, at: own)
            return String(decoding: try readAll(file.raw, limit: 16 << 20), as: UTF8.self).split(separator: "\n")
        }
        guard let id = try read("fdinfo/\(place)").first(where: { $0.hasPrefix("mnt_id:\t") })?.dropFirst(8),
            let line = try read("mountinfo").first(where: { $0.hasPrefix(id + " ") })
        else { return false }
        return line.hasSuffix(" rw")
    }
}

extension stat {
    /// Whether both are of one file.
    fileprivate func isSame(as other: stat) -> Bool { st_dev == other.st_dev && st_ino == other.st_ino }
}
