internal import Archive
internal import CLinux
internal import Crypto
internal import DockerfileSyntax
internal import Failures
internal import Linux

/// Where a copy takes its files from, opened.
struct CopySource: Sendable {
    /// Names and metadata.
    var tree: FileTree
    /// The bytes of a context, or of what was fetched.
    var spool: SharedDescriptor?
    /// The tree that was walked.
    var image: ImageTree

    init(context: BuildContext) {
        tree = context.tree
        spool = context.spool
        image = ImageTree(root: nil)
    }

    /// A file without a name as the only one.
    init(fetched: SharedDescriptor, entry: TreeEntry) throws(SyntaxProblem) {
        tree = try FileTree([entry])
        spool = fetched
        image = ImageTree(root: nil)
    }

    /// The part of an image that these sources mean.
    init(image: ImageTree, sources: [String]) throws {
        self.image = image
        tree = try TreeIndexer.index(image, sources: sources)
    }

    /// Reads every file that has no hash yet, so that the selection has a digest.
    mutating func hashFiles() throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        for index in tree.entries.indices where tree.entries[index].kind == .file && tree.entries[index].hash.isEmpty {
            let (file, offset) = try open(tree.entries[index])
            let source = FileRangeSource(file, at: offset, count: tree.entries[index].size)
            var hash = SHA256()
            while true {
                let count = try source.read(into: buffer)
                if count == 0 { break }
                hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            tree.setHash(Array(hash.finalize()), at: index)
        }
    }

    /// A file's descriptor and where its content begins.
    func open(_ entry: TreeEntry) throws(SystemError) -> (SharedDescriptor, Int64) {
        switch entry.content {
        case .spool(let offset):
            guard let spool else { throw SystemError("open", errno: ENOENT, subject: entry.path.text) }
            return (spool, offset)
        case .inPlace: return (SharedDescriptor(try image.openFile(entry.path)), 0)
        }
    }

    func stream(_ entry: TreeEntry) throws(SystemError) -> FileRangeSource {
        let (file, offset) = try open(entry)
        return FileRangeSource(file, at: offset, count: entry.size)
    }

    /// Whether ADD unpacks the file.
    func isArchive(_ entry: TreeEntry) throws -> Bool {
        // The smallest tar is a header and its end.
        guard entry.size >= 20 else { return false }
        let (file, offset) = try open(entry)
        return try ArchiveCopy.isArchive(
            entry.path.text, try stream(entry), magic: try readRange(file.raw, at: offset, count: 6))
    }

    func copyContent(_ entry: TreeEntry, to target: Int32) throws(SystemError) {
        guard entry.size > 0 else { return }
        let (file, offset) = try open(entry)
        try copyRange(from: file.raw, at: offset, count: entry.size, to: target)
    }

    /// Makes a selection's files in a layer.
    func write(_ selection: CopySelection, at destination: TreePath, isDirectory: Bool, into layer: LayerTree) throws {
        for placement in selection.placements(at: destination, isDirectory: isDirectory) {
            if placement.isArchive {
                try layer.makeDirectory(placement.path, like: nil, onlyIfNew: true)
                try ArchiveCopy.unpack(try stream(placement.entry), into: layer, at: placement.path)
            } else if placement.entry.kind == .directory {
                try layer.makeDirectory(placement.path, like: placement.entry, onlyIfNew: placement.isTop)
            } else {
                try layer.make(placement.path, like: placement.entry) { file in
                    try copyContent(placement.entry, to: file)
                }
            }
        }
    }
}
