internal import CLinux
internal import Linux

/// Makes single entries below a directory, and sets what they have.
///
/// A small file costs four calls: open, write, times, close. Owner and mode are set only where the kernel would not have
/// given them anyway.
final class EntryMaker {
    private let root: Int32
    private let options: LayerUnpacker.Options
    private let stack: DirectoryStack
    private let mask: mode_t
    private let user: (uid: UInt32, gid: UInt32)
    private var file: SharedDescriptor?
    private var fileInheritsGroup = false
    private var pending: [PendingDirectory] = []
    /// The names of `pending`, each with its final zero: a million directories must not cost a million arrays.
    private var pendingNames: [UInt8] = []

    /// A directory that gets its metadata when all is in it.
    private struct PendingDirectory {
        var nameStart: Int
        var mode: mode_t
        var uid: UInt32
        var gid: UInt32
        var modified: TarEntry.Time
        var attributes: [TarEntry.Attribute]
    }

    init(root: Int32, options: LayerUnpacker.Options) throws(SystemError) {
        self.root = root
        self.options = options
        self.user = (geteuid(), getegid())
        self.mask = creationMask()
        self.stack = try DirectoryStack(root: root, limits: options.limits, owner: options.owner)
    }

    /// Makes the entry; a file's content and what comes after it follow by ``takeFile()`` and ``finish(_:_:)``.
    func make(_ entry: TarEntry, at path: EntryPath, linkTo target: EntryPath) throws(SystemError) {
        guard !path.isEmpty else {
            // The archive's own directory; anything else at its place makes no sense.
            guard entry.kind == .directory else { throw SystemError("open", errno: EISDIR) }
            return postpone(entry, path)
        }
        let (parent, inherits) = try stack.parent(of: path)
        try path.withComponent(path.count - 1) { name throws(SystemError) in
            switch entry.kind {
            case .file: try makeFile(entry, name, path, parent, inherits)
            case .directory: try makeDirectory(entry, name, path, parent)
            case .symbolicLink: try makeSymlink(entry, name, path, parent, inherits)
            case .hardLink: try makeHardLink(name, path, parent, to: target)
            case .characterDevice, .blockDevice, .fifo: try makeNode(entry, name, path, parent, inherits)
            }
        }
    }

    /// The file that ``make(_:at:linkTo:)`` opened, if it did.
    func takeFile() -> SharedDescriptor? {
        defer { file = nil }
        return file
    }

    /// Gives a written file what else its entry says.
    ///
    /// Order matters: a change of owner takes set-id bits and capabilities away.
    func finish(_ descriptor: Int32, _ entry: TarEntry) throws(SystemError) {
        let owner = owner(of: entry)
        let changesOwner = fileInheritsGroup || owner.uid != user.uid || owner.gid != user.gid
        if changesOwner { try setOwner(descriptor, uid: owner.uid, gid: owner.gid) }
        if needsMode(entry) { try setMode(descriptor, mode_t(entry.mode)) }
        try set(entry.attributes, of: descriptor)
        try setTimes(descriptor, seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds)
    }

    /// A whiteout for a sibling.
    ///
    /// What this archive made itself stays: whiteouts speak of the layers below.
    func remove(_ name: [UInt8], besides path: EntryPath) throws(SystemError) {
        let (parent, _) = try stack.parent(of: path)
        let name = FileName(name)
        guard options.whiteouts == .overlay else { return try removeTree(name, at: parent) }
        try name.withCString { pointer throws(SystemError) in
            if try makeNodeEntry(pointer, mode: mode_t(S_IFCHR), at: parent) { return }
            if let status = try statusEntry(pointer, at: parent), status.isDirectory {
                let directory = try openEntry(pointer, O_RDONLY | O_DIRECTORY, at: parent)
                try setAttribute(OverlayMark.opaque, [UInt8(ascii: "y")], of: directory.raw)
            }
        }
    }

    /// Hides what lower layers have in the directory an `.wh..wh..opq` entry is in.
    func makeOpaque(parentOf path: EntryPath) throws(SystemError) {
        let (parent, _) = try stack.parent(of: path)
        // What is on the stack can only be passed through, not changed.
        let directory = try open(".", O_RDONLY | O_DIRECTORY, at: parent)
        if options.whiteouts == .overlay {
            return try setAttribute(OverlayMark.opaque, [UInt8(ascii: "y")], of: directory.raw)
        }
        for entry in try readDirectory(directory.raw) { try removeTree(entry.name, at: directory.raw) }
    }

    /// Gives directories their owner, mode, attributes and times, now that nothing changes in them any more.
    ///
    /// In the order of the archive, so that the last entry of a name wins.
    func finishDirectories() throws(SystemError) {
        for directory in pending {
            let opened: SharedDescriptor
            do {
                opened = try withCString(pendingNames[directory.nameStart...]) { path throws(SystemError) in
                    SharedDescriptor(try openBelow(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
                }
            } catch {
                // A later entry took its place.
                if [ENOENT, ENOTDIR, ELOOP].contains(error.errno) { continue }
                throw error
            }
            let now = try status(of: opened.raw)
            let changesOwner = now.st_uid != directory.uid || now.st_gid != directory.gid
            if changesOwner { try setOwner(opened.raw, uid: directory.uid, gid: directory.gid) }
            if changesOwner || now.permissions != directory.mode { try setMode(opened.raw, directory.mode) }
            try set(directory.attributes, of: opened.raw)
            try setTimes(
                opened.raw, seconds: directory.modified.seconds, nanoseconds: directory.modified.nanoseconds)
        }
        pending = []
        pendingNames = []
    }

    private func makeFile(
        _ entry: TarEntry, _ name: UnsafePointer<CChar>, _ path: EntryPath, _ parent: Int32, _ inherits: Bool
    ) throws(SystemError) {
        fileInheritsGroup = inherits
        let flags = O_WRONLY | O_CREAT | O_EXCL
        let mode = mode_t(entry.mode & 0o777)
        if let fresh = try openEntry(name, flags, mode: mode, at: parent, unless: EEXIST) {
            file = SharedDescriptor(fresh)
        } else {
            try clear(name, path, parent, forDirectory: false)
            file = SharedDescriptor(try openEntry(name, flags, mode: mode, at: parent))
        }
    }

    private func makeDirectory(
        _ entry: TarEntry, _ name: UnsafePointer<CChar>, _ path: EntryPath, _ parent: Int32
    ) throws(SystemError) {
        // The owner may always enter what is being filled.
        let mode = mode_t(entry.mode & 0o777) | 0o700
        if try makeDirectoryEntry(name, mode: mode, at: parent) { return postpone(entry, path) }
        let there = try statusEntry(name, at: parent)
        if there?.isDirectory != true {
            // A whiteout and then a directory of its name: nothing of the lower one may show.
            let wasWhiteout = options.whiteouts == .overlay && there?.isCharacterDevice == true && there?.st_rdev == 0
            try clear(name, path, parent, forDirectory: true)
            guard try makeDirectoryEntry(name, mode: mode, at: parent) else {
                throw SystemError("mkdir", errno: EEXIST)
            }
            if wasWhiteout {
                let directory = try openEntry(name, O_RDONLY | O_DIRECTORY, at: parent)
                try setAttribute(OverlayMark.opaque, [UInt8(ascii: "y")], of: directory.raw)
            }
        }
        postpone(entry, path)
    }

    private func makeSymlink(
        _ entry: TarEntry, _ name: UnsafePointer<CChar>, _ path: EntryPath, _ parent: Int32, _ inherits: Bool
    ) throws(SystemError) {
        try withCString((entry.linkTarget + [0])[...]) { target throws(SystemError) in
            if try makeSymlinkEntry(name, to: target, at: parent) { return }
            try clear(name, path, parent, forDirectory: false)
            guard try makeSymlinkEntry(name, to: target, at: parent) else {
                throw SystemError("symlink", errno: EEXIST)
            }
        }
        let owner = owner(of: entry)
        if inherits || owner.uid != user.uid || owner.gid != user.gid {
            try setOwnerEntry(name, uid: owner.uid, gid: owner.gid, at: parent)
        }
        try setTimesEntry(name, seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds, at: parent)
    }

    private func makeHardLink(
        _ name: UnsafePointer<CChar>, _ path: EntryPath, _ parent: Int32, to target: EntryPath
    ) throws(SystemError) {
        guard !target.isEmpty else { throw SystemError("link", errno: EPERM) }
        let directory = try withCString(target.joined(target.count - 1)[...]) { path throws(SystemError) in
            SharedDescriptor(try openBelow(root, path, O_PATH | O_DIRECTORY))
        }
        try target.withComponent(target.count - 1) { old throws(SystemError) in
            if try makeHardLinkEntry(name, at: parent, to: old, at: directory.raw) { return }
            // Removing the name first may not remove what it is to share.
            let there = try statusEntry(name, at: parent)
            let wanted = try statusEntry(old, at: directory.raw)
            guard let wanted else { throw SystemError("link", errno: ENOENT) }
            if there?.st_ino == wanted.st_ino, there?.st_dev == wanted.st_dev { return }
            try clear(name, path, parent, forDirectory: false)
            guard try makeHardLinkEntry(name, at: parent, to: old, at: directory.raw) else {
                throw SystemError("link", errno: EEXIST)
            }
        }
    }

    private func makeNode(
        _ entry: TarEntry, _ name: UnsafePointer<CChar>, _ path: EntryPath, _ parent: Int32, _ inherits: Bool
    ) throws(SystemError) {
        let type =
            switch entry.kind {
            case .characterDevice: S_IFCHR
            case .blockDevice: S_IFBLK
            default: S_IFIFO
            }
        let mode = mode_t(type) | mode_t(entry.mode & 0o777)
        let device = skiff_makedev(entry.deviceMajor, entry.deviceMinor)
        if try !makeNodeEntry(name, mode: mode, device: device, at: parent) {
            try clear(name, path, parent, forDirectory: false)
            guard try makeNodeEntry(name, mode: mode, device: device, at: parent) else {
                throw SystemError("mknod", errno: EEXIST)
            }
        }
        let owner = owner(of: entry)
        let changesOwner = inherits || owner.uid != user.uid || owner.gid != user.gid
        if changesOwner { try setOwnerEntry(name, uid: owner.uid, gid: owner.gid, at: parent) }
        if needsMode(entry) { try setModeEntry(name, mode_t(entry.mode), at: parent) }
        try setTimesEntry(name, seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds, at: parent)
    }

    /// Removes what has the name, with all below it.
    private func clear(
        _ name: UnsafePointer<CChar>, _ path: EntryPath, _ parent: Int32, forDirectory: Bool
    ) throws(SystemError) {
        if !options.replacesKinds, let there = try statusEntry(name, at: parent), there.isDirectory || forDirectory {
            throw SystemError("open", errno: there.isDirectory ? EISDIR : ENOTDIR)
        }
        try removeTree(FileName(path.last), at: parent)
    }

    private func postpone(_ entry: TarEntry, _ path: EntryPath) {
        let owner = owner(of: entry)
        pending.append(
            PendingDirectory(
                nameStart: pendingNames.count, mode: mode_t(entry.mode), uid: owner.uid, gid: owner.gid,
                modified: entry.modified,
                attributes: entry.attributes))
        pendingNames.append(contentsOf: path.joined(path.count))
    }

    private func owner(of entry: TarEntry) -> (uid: UInt32, gid: UInt32) { options.owner ?? (entry.uid, entry.gid) }

    /// Whether the mode the kernel gave differs from the entry's.
    private func needsMode(_ entry: TarEntry) -> Bool {
        entry.mode & UInt32(mask) != 0 || entry.mode & 0o7000 != 0
    }

    private func set(_ attributes: [TarEntry.Attribute], of descriptor: Int32) throws(SystemError) {
        for attribute in attributes where OverlayMark.isPortable(attribute.name) {
            do { try setAttribute(attribute.name, attribute.value, of: descriptor) } catch {
                // The file system has none, or not these: the content matters more.
                guard error.errno == EOPNOTSUPP else { throw error }
            }
        }
    }
}
