internal import CLinux
public import Failures
internal import Linux

/// Copies a directory tree between two open directories with all that it has: owner, mode, times, attributes, hard links.
///
/// Both trees may have been filled by strangers: every name is used in the directory it was found in, and no link is
/// followed, except one that stands in the target where the source has a directory; that one stays inside the target.
public final class TreeCopy {
    public struct Options: Sendable {
        /// Owner of everything copied, instead of the sources' own.
        public var owner: (uid: UInt32, gid: UInt32)?
        /// Permission bits of everything copied, links aside, instead of the sources' own.
        public var mode: UInt32?
        /// Asked for each path relative to the source; `false` leaves it and what is below out.
        public var includes: (@Sendable (_ path: String, _ isDirectory: Bool) -> Bool)?
        /// Whether the source's own metadata goes to the target directory too.
        public var copiesRoot = false

        public init() {}
    }

    private struct Inode: Hashable {
        var device: UInt64
        var number: UInt64
    }

    private static let deepest = 512

    private let options: Options
    private let mask = creationMask()
    private var firstNames: [Inode: [UInt8]] = [:]
    private var root: Int32 = -1

    public init(options: Options = Options()) { self.options = options }

    /// Copies all that is below `source` into `target`; what is there already stays, or is replaced by name.
    ///
    /// Both are borrowed, and may be opened by path alone.
    public func copy(from source: Int32, to target: Int32) throws(Failure) {
        root = target
        firstNames = [:]
        do throws(SystemError) {
            let from = try open(".", O_RDONLY | O_DIRECTORY, at: source)
            let to = try open(".", O_RDONLY | O_DIRECTORY, at: target)
            try directory(from.raw, to.raw, [], 0)
            if options.copiesRoot { try finish(to.raw, from.raw, try status(of: from.raw)) }
        } catch { throw failure(error) }
    }

    /// Copies one thing by its name in an open directory to a name in another, replacing what is there.
    public func copy(_ name: String, in source: Int32, to renamed: String, in target: Int32) throws(Failure) {
        root = target
        firstNames = [:]
        do throws(SystemError) {
            try one(FileName(name), source, FileName(renamed), target, Array(renamed.utf8), 0)
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: SystemError) -> Failure {
        let kind: Failure.Kind =
            switch error.errno {
            case ENOENT: .notFound
            case ENOTDIR, EISDIR, ELOOP: .conflict
            default: .internal
            }
        return Failure(
            kind, "cannot copy \(error.subject ?? "the directory"): \(error.call): \(error.reason)", cause: error)
    }

    private func directory(_ source: Int32, _ target: Int32, _ path: [UInt8], _ depth: Int) throws(SystemError) {
        guard depth <= TreeCopy.deepest else { throw SystemError("open", errno: ELOOP, subject: printable(path)) }
        let prefix = path.isEmpty ? [] : path + [0x2f]
        for entry in try readDirectory(source).sorted(by: { $0.name < $1.name }) {
            try one(entry.name, source, entry.name, target, prefix + entry.name.bytes, depth)
        }
    }

    private func one(
        _ name: FileName, _ source: Int32, _ renamed: FileName, _ target: Int32, _ path: [UInt8], _ depth: Int
    ) throws(SystemError) {
        try name.withCString { old throws(SystemError) in
            guard let status = try statusEntry(old, at: source) else {
                throw SystemError("stat", errno: ENOENT, subject: printable(path))
            }
            if let includes = options.includes, !includes(String(decoding: path, as: UTF8.self), status.isDirectory) {
                return
            }
            try renamed.withCString { new throws(SystemError) in
                do throws(SystemError) {
                    if status.isDirectory {
                        return try subdirectory(old, source, renamed, new, target, path, status, depth)
                    }
                    if try isLinked(status, renamed, new, target, path) { return }
                    switch status.kind {
                    case mode_t(S_IFREG): try file(old, source, renamed, new, target, path)
                    case mode_t(S_IFLNK): try symlink(old, source, renamed, new, target, status)
                    case mode_t(S_IFCHR), mode_t(S_IFBLK), mode_t(S_IFIFO): try node(renamed, new, target, status)
                    // A socket is nothing without the program that listens on it.
                    default: return
                    }
                } catch {
                    // The innermost name says most.
                    throw error.subject?.contains("/") == true ? error : error.about(printable(path))
                }
            }
        }
    }

    private func subdirectory(
        _ old: UnsafePointer<CChar>, _ source: Int32, _ renamed: FileName, _ new: UnsafePointer<CChar>, _ target: Int32,
        _ path: [UInt8], _ status: stat, _ depth: Int
    ) throws(SystemError) {
        let from = try openEntry(old, O_RDONLY | O_DIRECTORY, at: source)
        _ = try makeDirectoryEntry(new, mode: 0o700, at: target)
        let to: SharedDescriptor
        if let opened = try openEntry(new, O_RDONLY | O_DIRECTORY, at: target, unless: ENOTDIR) {
            to = SharedDescriptor(opened)
        } else {
            to = try withCString((path + [0])[...]) { path throws(SystemError) in
                SharedDescriptor(try openBelow(root, path, O_RDONLY | O_DIRECTORY))
            }
        }
        try directory(from.raw, to.raw, path, depth + 1)
        // Through a link the directory is somebody else's: it gets content, not metadata.
        let isThroughLink = try isLink(new, target)
        if !isThroughLink { try finish(to.raw, from.raw, status) }
    }

    private func isLink(_ name: UnsafePointer<CChar>, _ directory: Int32) throws(SystemError) -> Bool {
        try statusEntry(name, at: directory)?.isSymlink ?? false
    }

    private func file(
        _ old: UnsafePointer<CChar>, _ source: Int32, _ renamed: FileName, _ new: UnsafePointer<CChar>, _ target: Int32,
        _ path: [UInt8]
    ) throws(SystemError) {
        // Non-blocking, should it have become a fifo meanwhile.
        let from = try openEntry(old, O_RDONLY | O_NONBLOCK, at: source)
        let now = try status(of: from.raw)
        guard now.isRegular else { throw SystemError("open", errno: EINVAL, subject: printable(path)) }
        let flags = O_WRONLY | O_CREAT | O_EXCL
        let to: SharedDescriptor
        if let opened = try openEntry(new, flags, mode: 0o600, at: target, unless: EEXIST) {
            to = SharedDescriptor(opened)
        } else {
            try clear(renamed, new, target)
            to = SharedDescriptor(try openEntry(new, flags, mode: 0o600, at: target))
        }
        try FileContent.copy(from: from.raw, to: to.raw)
        try finish(to.raw, from.raw, now)
    }

    private func symlink(
        _ old: UnsafePointer<CChar>, _ source: Int32, _ renamed: FileName, _ new: UnsafePointer<CChar>, _ target: Int32,
        _ status: stat
    ) throws(SystemError) {
        try withCString((try readLinkEntry(old, at: source) + [0])[...]) { destination throws(SystemError) in
            if try makeSymlinkEntry(new, to: destination, at: target) { return }
            try clear(renamed, new, target)
            guard try makeSymlinkEntry(new, to: destination, at: target) else {
                throw SystemError("symlink", errno: EEXIST)
            }
        }
        try finishEntry(new, target, status)
    }

    private func node(_ renamed: FileName, _ new: UnsafePointer<CChar>, _ target: Int32, _ status: stat)
        throws(SystemError)
    {
        let mode = status.kind | (options.mode.map { mode_t($0) } ?? status.permissions)
        if try !makeNodeEntry(new, mode: mode, device: status.st_rdev, at: target) {
            try clear(renamed, new, target)
            guard try makeNodeEntry(new, mode: mode, device: status.st_rdev, at: target) else {
                throw SystemError("mknod", errno: EEXIST)
            }
        }
        try setModeEntry(new, mode & 0o7777, at: target)
        try finishEntry(new, target, status)
    }

    /// Another name of what was copied already becomes another name of the copy.
    private func isLinked(
        _ status: stat, _ renamed: FileName, _ new: UnsafePointer<CChar>, _ target: Int32, _ path: [UInt8]
    ) throws(SystemError) -> Bool {
        guard status.st_nlink > 1 else { return false }
        let inode = Inode(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
        guard let first = firstNames[inode] else {
            firstNames[inode] = path
            return false
        }
        let slash = first.lastIndex(of: 0x2f)
        let parent = slash.map { first[..<$0] + [0] } ?? [0x2e, 0]
        let directory = try withCString(parent[...]) { path throws(SystemError) in
            SharedDescriptor(try openBelow(root, path, O_PATH | O_DIRECTORY))
        }
        let name = Array(first[(slash.map { $0 + 1 } ?? 0)...]) + [0]
        try withCString(name[...]) { name throws(SystemError) in
            if try makeHardLinkEntry(new, at: target, to: name, at: directory.raw) { return }
            try clear(renamed, new, target)
            guard try makeHardLinkEntry(new, at: target, to: name, at: directory.raw) else {
                throw SystemError("link", errno: EEXIST)
            }
        }
        return true
    }

    /// Makes room for something that is not a directory; a directory is never removed for it.
    private func clear(_ renamed: FileName, _ new: UnsafePointer<CChar>, _ target: Int32) throws(SystemError) {
        if try statusEntry(new, at: target)?.isDirectory == true { throw SystemError("open", errno: EISDIR) }
        try removeTree(renamed, at: target)
    }

    private func finish(_ target: Int32, _ source: Int32, _ status: stat) throws(SystemError) {
        let owner = options.owner ?? (status.st_uid, status.st_gid)
        try setOwner(target, uid: owner.uid, gid: owner.gid)
        try setMode(target, options.mode.map { mode_t($0) } ?? status.permissions)
        for name in try attributeNames(source) where OverlayMark.isPortable(name) {
            guard let value = try attribute(name, of: source) else { continue }
            do { try setAttribute(name, value, of: target) } catch  where error.errno == EOPNOTSUPP {}
        }
        try setTimes(
            target, seconds: Int64(status.st_mtim.tv_sec),
            nanoseconds: Int32(truncatingIfNeeded: status.st_mtim.tv_nsec))
    }

    private func finishEntry(_ new: UnsafePointer<CChar>, _ target: Int32, _ status: stat) throws(SystemError) {
        let owner = options.owner ?? (status.st_uid, status.st_gid)
        try setOwnerEntry(new, uid: owner.uid, gid: owner.gid, at: target)
        try setTimesEntry(
            new, seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int32(truncatingIfNeeded: status.st_mtim.tv_nsec),
            at: target)
    }
}

/// What is in a file, moved to another.
enum FileContent {
    /// Copies from where both stand to the source's end, inside the kernel where the file systems allow it.
    static func copy(from source: Int32, to target: Int32) throws(SystemError) {
        do {
            while try copyFileRange(from: source, to: target, count: 1 << 30) > 0 {}
            return
        } catch {
            guard [EXDEV, EINVAL, EOPNOTSUPP, ENOSYS, EPERM].contains(error.errno) else { throw error }
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try read(source, into: buffer)
            if count == 0 { return }
            try writeAll(target, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
