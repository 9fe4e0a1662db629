internal import CLinux
internal import Failures
internal import Linux

/// Open descriptors of the directories that lead to the present entry, kept while the next ones share them.
///
/// Archives list a directory's files together, so nearly every entry finds its directory open: one name for the kernel
/// to look up instead of a path. A directory that was replaced cannot stay in here: the entry that replaces it is in its
/// parent, and going there drops everything below.
final class DirectoryStack {
    private let root: Int32
    private let limits: ArchiveLimits
    private let owner: (uid: UInt32, gid: UInt32)?
    private var path = EntryPath()
    private var descriptors: [SharedDescriptor] = []
    /// Whether the directory hands its group down, for each of `descriptors` and, first, the root.
    private var inheritsGroup: [Bool]

    /// - Parameter owner: of directories made on the way.
    init(root: Int32, limits: ArchiveLimits, owner: (uid: UInt32, gid: UInt32)?) throws(SystemError) {
        self.root = root
        self.limits = limits
        self.owner = owner
        self.inheritsGroup = [try DirectoryStack.inheritsGroup(root)]
    }

    /// The open directory that holds the path's last component.
    ///
    /// Those on the way are made when they are not there.
    func parent(of entry: EntryPath) throws(SystemError) -> (descriptor: Int32, inheritsGroup: Bool) {
        let wanted = max(entry.count - 1, 0)
        let shared = min(path.sharedPrefix(with: entry, atMost: wanted), descriptors.count)
        if shared == wanted, descriptors.count == wanted {
            return (descriptors.last?.raw ?? root, inheritsGroup.last ?? false)
        }
        descriptors.removeSubrange(shared...)
        inheritsGroup.removeSubrange((shared + 1)...)
        // The old path stays valid for the part that is shared, which is all that is looked at.
        defer { path = entry }
        for index in shared..<wanted {
            let above = descriptors.last?.raw ?? root
            let directory = try open(index, of: entry, in: above)
            inheritsGroup.append(try DirectoryStack.inheritsGroup(directory.raw))
            descriptors.append(directory)
        }
        return (descriptors.last?.raw ?? root, inheritsGroup.last ?? false)
    }

    /// Forgets what is open, after something else changed the tree.
    func forget() {
        descriptors.removeAll()
        inheritsGroup.removeSubrange(1...)
    }

    private func open(_ index: Int, of entry: EntryPath, in above: Int32) throws(SystemError) -> SharedDescriptor {
        let flags = O_PATH | O_DIRECTORY
        do {
            return try entry.withComponent(index) { name throws(SystemError) in
                SharedDescriptor(try openEntry(name, flags, at: above))
            }
        } catch {
            switch error.errno {
            case ENOENT:
                return try entry.withComponent(index) { name throws(SystemError) in try make(name, in: above) }
            case ENOTDIR, ELOOP:
                // A link: the kernel follows it without ever leaving the root.
                return try withCString(entry.joined(index + 1)[...]) { path throws(SystemError) in
                    SharedDescriptor(try openBelow(root, path, flags))
                }
            default: throw error
            }
        }
    }

    private func make(_ name: UnsafePointer<CChar>, in above: Int32) throws(SystemError) -> SharedDescriptor {
        if try makeDirectoryEntry(name, mode: 0o755, at: above), let owner {
            try setOwnerEntry(name, uid: owner.uid, gid: owner.gid, at: above)
        }
        return SharedDescriptor(try openEntry(name, O_PATH | O_DIRECTORY, at: above))
    }

    private static func inheritsGroup(_ directory: Int32) throws(SystemError) -> Bool {
        try status(of: directory).st_mode & mode_t(S_ISGID) != 0
    }
}
