internal import CLinux
public import Failures
internal import Linux

/// Makes the files of a tar stream below an open directory, and nowhere else.
///
/// Every name is looked up from descriptors: links that the archive itself made are followed only inside the directory, and
/// only on the way to an entry, never at its end. A later entry of a name replaces the earlier one; directories merge.
/// Directories get their mode and times last, so that filling them changes neither.
public final class LayerUnpacker {
    /// What `.wh.` names in the stream mean.
    public enum Whiteouts: Sendable, Hashable {
        /// They are recorded as overlayfs has them: a character device 0:0, an opaque directory.
        case overlay
        /// They remove what is there.
        case remove
        /// They are names like others: `import`, `ADD`, `cp`.
        case ordinary
    }

    public struct Options: Sendable {
        public var whiteouts: Whiteouts = .overlay
        /// Owner of everything made, instead of the entries' own.
        public var owner: (uid: UInt32, gid: UInt32)?
        public var limits: ArchiveLimits = .standard
        /// Whether a directory may take another thing's place and the other way round.
        public var replacesKinds = true

        public init() {}
    }

    /// What was made.
    public struct Summary: Sendable, Hashable {
        public var entries = 0
        /// Bytes of file content.
        public var contentBytes: Int64 = 0

        public init() {}
    }

    private let options: Options
    private let root: Int32
    private var summary = Summary()
    private var path = EntryPath()
    private var link = EntryPath()
    private var sinceCheck: Int64 = 0

    /// - Parameter directory: an open directory; borrowed, and it must stay open.
    public init(into directory: Int32, options: Options = Options()) {
        self.root = directory
        self.options = options
    }

    /// Reads the stream to its end and makes what it says.
    ///
    /// On failure part of it has been made: discard the directory.
    ///
    /// - Parameter source: a tar stream, packed or not.
    public func unpack(_ source: any ByteSource) throws(Failure) -> Summary {
        try unpack(TarReader(try Decompressor(source), limits: options.limits))
    }

    /// Makes what is left in a tar stream that somebody opened, and reads it to its end.
    public func unpack(_ reader: TarReader) throws(Failure) -> Summary {
        let tree: EntryMaker
        do { tree = try EntryMaker(root: root, options: options) } catch { throw failure(error, []) }
        while let entry = try reader.next() {
            try reserve(for: entry)
            try make(entry, tree, reader)
            summary.entries += 1
            summary.contentBytes += entry.size
        }
        try reader.drain()
        do { try tree.finishDirectories() } catch { throw failure(error, []) }
        return summary
    }

    private func make(_ entry: TarEntry, _ tree: EntryMaker, _ reader: TarReader) throws(Failure) {
        try path.assign(entry.path, limits: options.limits)
        if entry.kind == .hardLink { try link.assign(entry.linkTarget, limits: options.limits) }
        do throws(SystemError) {
            switch options.whiteouts == .ordinary || path.isEmpty ? .ordinary : Whiteout.meaning(of: path.last) {
            case .ordinary:
                if options.whiteouts != .ordinary, isBelowBookkeeping { return }
                guard !LayerUnpacker.isSmuggledWhiteout(entry, options) else {
                    throw SystemError("mknod", errno: EPERM)
                }
                try tree.make(entry, at: path, linkTo: link)
            case .removes(let name): try tree.remove(name, besides: path)
            case .makesDirectoryOpaque: try tree.makeOpaque(parentOf: path)
            case .bookkeeping: return
            case .refused: throw SystemError("unlink", errno: EINVAL)
            }
        } catch { throw failure(error, entry.path) }
        guard let file = tree.takeFile() else { return }
        do throws(FileFailure) { try fill(file, entry, tree, reader) } catch {
            switch error {
            case .source(let failure): throw failure
            case .file(let problem): throw failure(problem, entry.path)
            }
        }
    }

    /// Which side of a copy failed.
    private enum FileFailure: Error {
        case source(Failure)
        case file(SystemError)
    }

    private func fill(_ file: SharedDescriptor, _ entry: TarEntry, _ tree: EntryMaker, _ reader: TarReader)
        throws(FileFailure)
    {
        while true {
            let chunk: UnsafeRawBufferPointer
            do { chunk = try reader.content() } catch { throw .source(error) }
            if chunk.isEmpty { break }
            do { try writeAll(file.raw, chunk) } catch { throw .file(error) }
        }
        do { try tree.finish(file.raw, entry) } catch { throw .file(error) }
    }

    /// Something of AUFS's below a directory of its own.
    private var isBelowBookkeeping: Bool {
        path.count > 1 && path.component(0).starts(with: Whiteout.metadataPrefix)
    }

    /// A device that overlayfs would take for a whiteout: only names may remove.
    private static func isSmuggledWhiteout(_ entry: TarEntry, _ options: Options) -> Bool {
        options.whiteouts != .ordinary && entry.kind == .characterDevice && entry.deviceMajor == 0
            && entry.deviceMinor == 0
    }

    /// Looks at the free space now and then, so that a bomb ends before the disk does.
    private func reserve(for entry: TarEntry) throws(Failure) {
        sinceCheck += entry.size + 4096
        guard sinceCheck >= 64 << 20 || summary.entries == 0 else { return }
        sinceCheck = 0
        let free: Int64
        do throws(SystemError) { free = try freeBytes(root) } catch { throw failure(error, entry.path) }
        let kept = options.limits.freeBytes
        if free < kept || free - kept < entry.size {
            throw failure(
                SystemError("write", errno: ENOSPC), entry.path,
                but: " to the last \(kept >> 20) MiB, which are kept free")
        }
    }

    /// - Parameter but: how full a disk is that has some room still.
    private func failure(_ error: SystemError, _ path: [UInt8], but: String = "") -> Failure {
        let name = path.isEmpty ? "the archive's directory" : "the archive entry \(printable(path))"
        switch error.errno {
        case ENOSPC, EDQUOT:
            let directory = (try? readLink("/proc/self/fd/\(root)")) ?? "the layers"
            return Failure(
                .internal,
                "cannot unpack \(name): no space left on device: the file system of \(directory) is full\(but): free some space there, for instance with \"prune\", and try again",
                cause: error)
        case EINVAL, ELOOP, ENOTDIR, ENAMETOOLONG, EXDEV, EEXIST, EISDIR, ENOENT, EPERM, EMLINK:
            return Failure(.invalid, "cannot unpack \(name): \(error.call): \(error.reason)", cause: error)
        default: return Failure(.internal, "cannot unpack \(name): \(error.call): \(error.reason)", cause: error)
        }
    }
}
