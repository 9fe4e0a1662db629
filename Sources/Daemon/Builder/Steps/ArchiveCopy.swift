internal import Archive
internal import Failures
internal import Linux

/// A range of a file as a stream.
final class FileRangeSource: ByteSource {
    private let file: SharedDescriptor
    private var offset: Int64
    private var left: Int64

    init(_ file: SharedDescriptor, at offset: Int64, count: Int64) {
        self.file = file
        self.offset = offset
        left = count
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        let wanted = min(Int64(buffer.count), left)
        guard wanted > 0 else { return 0 }
        do throws(SystemError) {
            let count = try Linux.read(
                file.raw, at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)]))
            offset += Int64(count)
            left -= Int64(count)
            return count
        } catch { throw Failure(.internal, "cannot read the file: \(error.reason)", cause: error) }
    }
}

/// Archives that ADD unpacks.
enum ArchiveCopy {
    /// Whether the bytes are a tar, packed or not, with at least one member.
    ///
    /// - Throws: for a tar that is packed in a way that nothing here unpacks.
    static func isArchive(_ name: String, _ source: any ByteSource, magic: [UInt8]) throws(Failure) -> Bool {
        let packed: String? =
            magic.starts(with: Array("BZh".utf8))
            ? "bzip2" : magic.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) ? "xz" : nil
        if let packed {
            let endings = [".tar.xz", ".txz", ".tar.bz2", ".tbz", ".tbz2"]
            guard endings.contains(where: { name.lowercased().hasSuffix($0) }) else { return false }
            throw Failure(
                .notImplemented,
                "ADD failed: \(name) is packed with \(packed), which is not unpacked here: pack it with gzip or zstd, or COPY it"
            )
        }
        do throws(Failure) { return try TarReader(try Decompressor(source)).next() != nil } catch {
            if error.kind == .invalid { return false }
            throw error
        }
    }

    /// Makes an archive's members in the layer below `destination`.
    static func unpack(_ source: any ByteSource, into tree: LayerTree, at destination: TreePath) throws {
        let reader = TarReader(try Decompressor(source))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        while let entry = try reader.next() {
            guard !TreePath.leaves(entry.name) else {
                throw Failure(.invalid, "ADD failed: \"\(entry.name)\" leaves the archive")
            }
            let path = destination.appending(entry.path)
            var item = TreeEntry(path: path, kind: .file, mode: UInt16(entry.mode & 0o7777))
            item.user = entry.uid
            item.group = entry.gid
            item.size = entry.size
            item.seconds = entry.modified.seconds
            item.target = entry.linkTarget
            item.major = entry.deviceMajor
            item.minor = entry.deviceMinor
            item.attributes = entry.attributes.filter { $0.name == "security.capability" || $0.name.hasPrefix("user.") }
                .map { TreeEntry.Attribute(name: $0.name, value: $0.value) }
            switch entry.kind {
            case .directory:
                item.kind = .directory
                try tree.makeDirectory(path, like: item, onlyIfNew: TreePath(entry.path).isRoot)
                continue
            case .hardLink:
                try tree.makeLink(path, to: destination.appending(entry.linkTarget))
                continue
            case .file: item.kind = .file
            case .symbolicLink: item.kind = .symlink
            case .fifo: item.kind = .fifo
            case .characterDevice: item.kind = .characterDevice
            case .blockDevice: item.kind = .blockDevice
            }
            try tree.make(path, like: item) { file in
                while true {
                    let count = try reader.read(into: buffer)
                    if count == 0 { break }
                    try writeAll(file, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
        }
    }
}
