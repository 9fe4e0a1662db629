internal import CLinux
public import Failures
internal import Linux

/// Writes a directory tree as members of a tar stream, in the order of names, read by descriptor only.
///
/// Hard links inside the tree stay links. Sockets, which tar cannot hold, are left out. A file that shrinks while it is
/// read is filled up with zeros, one that grows is cut: the archive stays whole whatever a running container does.
public final class TreeArchiver {
    /// What overlayfs's marks in the tree become.
    public enum Whiteouts: Sendable, Hashable {
        /// The tree is an upper directory: marks become `.wh.` members.
        case layer
        /// The tree is what a container sees.
        case none
    }

    public struct Options: Sendable {
        public var whiteouts: Whiteouts = .none
        /// Put in front of each name: `""`, or `"src/"`.
        public var prefix = ""
        /// Times with nanoseconds cost a pax header each; Docker's layers have whole seconds.
        public var keepsNanoseconds = false
        /// Whether the directory itself is a member.
        public var includesRoot = false

        public init() {}
    }

    /// A file with several names, however they are reached.
    private struct Inode: Hashable {
        var device: UInt64
        var number: UInt64
    }

    private static let deepest = 512

    private let writer: TarWriter
    private let options: Options
    private var firstNames: [Inode: [UInt8]] = [:]
    private let buffer: UnsafeMutableRawBufferPointer

    public init(_ writer: TarWriter, options: Options = Options()) {
        self.writer = writer
        self.options = options
        self.buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    /// Writes everything below the open directory, which is borrowed; it may be opened by path alone.
    public func archive(_ directory: Int32) throws(Failure) {
        let prefix = Array(options.prefix.utf8)
        do throws(SystemError) {
            let opened = try open(".", O_RDONLY | O_DIRECTORY, at: directory)
            try walk(opened.raw, options.includesRoot ? (prefix.isEmpty ? Array("./".utf8) : prefix) : nil, prefix, 0)
        } catch { throw failure(error, prefix) }
        try rethrow()
    }

    /// Writes one thing, by its name in an open directory, and what is below it, as the name `renamed`.
    public func archive(_ name: String, in directory: Int32, as renamed: String) throws(Failure) {
        let path = Array((options.prefix + renamed).utf8)
        do throws(SystemError) { try one(FileName(name), in: directory, path, 0) } catch { throw failure(error, path) }
        try rethrow()
    }

    /// What the sink said, when the walk ended because of it.
    private var sinkFailure: Failure?

    private func rethrow() throws(Failure) {
        if let sinkFailure { throw sinkFailure }
    }

    private func failure(_ error: SystemError, _ path: [UInt8]) -> Failure {
        if let sinkFailure { return sinkFailure }
        let kind: Failure.Kind = error.errno == ENOENT ? .notFound : .internal
        return Failure(
            kind, "cannot archive \(error.subject ?? printable(path)): \(error.call): \(error.reason)", cause: error)
    }

    /// Runs a call on the writer; its failure ends the walk.
    private func write(_ body: () throws(Failure) -> Void) throws(SystemError) {
        do throws(Failure) { try body() } catch {
            sinkFailure = error
            throw SystemError("write", errno: EIO)
        }
    }

    /// - Parameter own: the directory's own name, when it is to be a member.
    private func walk(_ directory: Int32, _ own: [UInt8]?, _ prefix: [UInt8], _ depth: Int) throws(SystemError) {
        guard depth <= TreeArchiver.deepest else { throw SystemError("open", errno: ELOOP, subject: printable(prefix)) }
        let attributes = own != nil || options.whiteouts == .layer ? try attributeNames(directory) : []
        if let own {
            var entry = entry(.directory, own, try status(of: directory))
            entry.attributes = try self.attributes(attributes, of: directory)
            try write { () throws(Failure) in try writer.begin(entry) }
        }
        if options.whiteouts == .layer { try writeMarks(attributes, of: directory, prefix) }
        let names = try readDirectory(directory).map(\.name).sorted()
        for name in names { try one(name, in: directory, prefix + name.bytes, depth) }
    }

    private func writeMarks(_ names: [String], of directory: Int32, _ prefix: [UInt8]) throws(SystemError) {
        if names.contains(OverlayMark.redirect) {
            throw SystemError("redirected directory", errno: EOPNOTSUPP, subject: printable(prefix))
        }
        guard names.contains(OverlayMark.opaque),
            try attribute(OverlayMark.opaque, of: directory) == [UInt8(ascii: "y")]
        else { return }
        var mark = entry(.file, prefix + Whiteout.opaque, try status(of: directory))
        mark.mode = 0o600
        mark.size = 0
        try write { () throws(Failure) in try writer.begin(mark) }
    }

    private func one(_ name: FileName, in directory: Int32, _ path: [UInt8], _ depth: Int) throws(SystemError) {
        try name.withCString { pointer throws(SystemError) in
            // Gone since the directory was read: a running container may do that.
            guard let status = try statusEntry(pointer, at: directory) else {
                if depth == 0 { throw SystemError("stat", errno: ENOENT, subject: printable(path)) }
                return
            }
            switch status.kind {
            case mode_t(S_IFDIR):
                guard let opened = try openEntry(pointer, O_RDONLY | O_DIRECTORY, at: directory, unless: ENOENT) else {
                    return
                }
                try walk(opened.raw, path, path + [0x2f], depth + 1)
            case mode_t(S_IFREG): try file(pointer, in: directory, path, status)
            case mode_t(S_IFLNK):
                var link = entry(.symbolicLink, path, status)
                link.linkTarget = try readLinkEntry(pointer, at: directory)
                if try isRepeated(status, path) { return }
                try write { () throws(Failure) in try writer.begin(link) }
            case mode_t(S_IFCHR) where options.whiteouts == .layer && status.st_rdev == 0:
                // Before hard links are looked at: overlayfs uses one inode for many whiteouts.
                let slash = path.lastIndex(of: 0x2f).map { $0 + 1 } ?? 0
                var mark = entry(.file, path[..<slash] + Whiteout.prefix + path[slash...], status)
                mark.mode = 0o600
                try write { () throws(Failure) in try writer.begin(mark) }
            case mode_t(S_IFCHR), mode_t(S_IFBLK), mode_t(S_IFIFO):
                if try isRepeated(status, path) { return }
                let kind: TarEntry.Kind =
                    status.kind == mode_t(S_IFCHR)
                    ? .characterDevice : status.kind == mode_t(S_IFBLK) ? .blockDevice : .fifo
                var node = entry(kind, path, status)
                node.deviceMajor = skiff_major(status.st_rdev)
                node.deviceMinor = skiff_minor(status.st_rdev)
                try write { () throws(Failure) in try writer.begin(node) }
            default: return
            }
        }
    }

    private func file(_ name: UnsafePointer<CChar>, in directory: Int32, _ path: [UInt8], _ seen: stat)
        throws(SystemError)
    {
        // Non-blocking, should it have become a fifo meanwhile.
        guard let opened = try openEntry(name, O_RDONLY | O_NONBLOCK, at: directory, unless: ENOENT) else { return }
        let now = try status(of: opened.raw)
        guard now.isRegular else { return }
        if try isRepeated(now, path) { return }
        var entry = entry(.file, path, now)
        entry.size = Int64(now.st_size)
        let names = try attributeNames(opened.raw)
        if options.whiteouts == .layer, names.contains(OverlayMark.metacopy) {
            throw SystemError("metadata-only file", errno: EOPNOTSUPP, subject: printable(path))
        }
        entry.attributes = try attributes(names, of: opened.raw)
        try write { () throws(Failure) in try writer.begin(entry) }
        var left = entry.size
        while left > 0 {
            let block = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, Int(clamping: left))])
            var count = try read(opened.raw, into: block)
            if count == 0 {
                block.initializeMemory(as: UInt8.self, repeating: 0)
                count = block.count
            }
            try write { () throws(Failure) in try writer.write(UnsafeRawBufferPointer(rebasing: block[..<count])) }
            left -= Int64(count)
        }
    }

    /// Writes a hard link when the file was written under another name already.
    private func isRepeated(_ status: stat, _ path: [UInt8]) throws(SystemError) -> Bool {
        guard status.st_nlink > 1 else { return false }
        let inode = Inode(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
        guard let first = firstNames[inode] else {
            firstNames[inode] = path
            return false
        }
        var link = entry(.hardLink, path, status)
        link.linkTarget = first
        try write { () throws(Failure) in try writer.begin(link) }
        return true
    }

    private func entry(_ kind: TarEntry.Kind, _ path: [UInt8], _ status: stat) -> TarEntry {
        var entry = TarEntry(
            kind: kind, path: path, mode: UInt32(status.permissions), uid: status.st_uid, gid: status.st_gid)
        entry.modified = TarEntry.Time(
            seconds: Int64(status.st_mtim.tv_sec),
            nanoseconds: options.keepsNanoseconds ? Int32(truncatingIfNeeded: status.st_mtim.tv_nsec) : 0)
        return entry
    }

    private func attributes(_ names: [String], of descriptor: Int32) throws(SystemError) -> [TarEntry.Attribute] {
        var attributes: [TarEntry.Attribute] = []
        for name in names.sorted() where OverlayMark.isPortable(name) {
            if let value = try attribute(name, of: descriptor) {
                attributes.append(TarEntry.Attribute(name: name, value: value))
            }
        }
        return attributes
    }
}
