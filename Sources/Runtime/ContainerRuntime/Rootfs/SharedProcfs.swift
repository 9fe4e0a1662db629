internal import CLinux
internal import Linux

/// The procfs of a pid namespace, mounted by a process that is not in it.
///
/// ```
/// Linux 6.17   a new one, by the mount option pidns
/// before       another mount of the one that those who are in it have at /proc
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
        .readOnly, .noSUID, .noDevices, .noExec, .noDirectoryAccessTime, .accessTimeMask,
    ]

    /// Another mount of the procfs that processes of a pid namespace have at `/proc`, nil where there is none with the kernel's
    /// own options, which both see by.
    ///
    /// It is looked up by a child: who enters a mount namespace leaves its root behind.
    static func copy(of namespace: Int32) -> SharedDescriptor? {
        guard let wanted = try? status(of: namespace), let ends = try? SocketPair(.messages),
            let cloned = try? Linux.clone([])
        else { return nil }
        if cloned.isChild { tell(ends.second.raw, of: wanted) }
        let child = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        guard (try? child.wait()) == .exited(0) else { return nil }
        // It has ended: what there is to be read is there.
        guard (try? setNonBlocking(ends.first.raw, true)) != nil,
            var message = try? receiveMessage(ends.first.raw, limit: 1), let tree = message.descriptors.take()
        else { return nil }
        return SharedDescriptor(tree)
    }

    /// In the child: sends what it finds and ends.
    ///
    /// It does not say that it does not return, or the caller's descriptors would be closed before.
    private static func tell(_ socket: Int32, of wanted: stat) {
        if let tree = try? find(wanted) { try? sendMessage(socket, [0], descriptors: [tree.raw]) }
        exitNow(0)
    }

    /// Looks into the mount namespaces of those that are in the pid namespace.
    private static func find(_ wanted: stat) throws(SystemError) -> MountTree {
        let processes = try open("/proc", O_RDONLY | O_DIRECTORY)
        var seen: [ino_t] = []
        for entry in try readDirectory(processes.raw) {
            let name = entry.name.text
            guard pid_t(name) != nil,
                let found = try? status(name + "/ns/pid", at: processes.raw, follow: true), found.isSame(as: wanted),
                let mounts = try? open(name + "/ns/mnt", O_RDONLY, at: processes.raw),
                let number = try? status(of: mounts.raw).st_ino, !seen.contains(number)
            else { continue }
            seen.append(number)
            if let tree = try? find(wanted, in: mounts.raw, processes.raw) { return tree }
        }
        throw Self.isMissing
    }

    /// What is at `/proc` of a mount namespace, if it is the procfs that is looked for.
    ///
    /// - Parameter processes: the host's procfs.
    private static func find(_ wanted: stat, in mounts: Int32, _ processes: Int32) throws(SystemError) -> MountTree {
        try enter(.mount, of: mounts)
        let place = try open(in: Directory.working, "/proc", O_PATH | O_DIRECTORY, resolve: .noSymlinks)
        // A copy without what is mounted below: whatever that would lead to is not asked.
        let tree = try MountTree(cloning: place.raw)
        guard Procfs.isRoot(tree.raw) else { throw isMissing }
        let first = try open("1/ns/pid", O_RDONLY, at: tree.raw)
        guard try status(of: first.raw).isSame(as: wanted), try isPlain(place.raw, processes) else { throw isMissing }
        return tree
    }

    private static var isMissing: SystemError { SystemError("open", errno: ENODEV, subject: "/proc") }

    /// Whether a procfs shows everything to everybody; its options are said by the table of mounts alone.
    ///
    /// Files: `/proc/self/fdinfo/<descriptor>`, `/proc/self/mountinfo`.
    private static func isPlain(_ place: Int32, _ processes: Int32) throws(SystemError) -> Bool {
        func read(_ name: String) throws(SystemError) -> [Substring] {
            let file = try open("self/" + name, O_RDONLY, at: processes)
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
