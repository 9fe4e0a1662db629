internal import CLinux
internal import DockerfileSyntax
internal import Linux

/// Makes the names and metadata of an image's tree known, as far as a COPY --from asks for them.
///
/// Only what the written sources may mean is walked: their directories, the links on the way, and all below.
struct TreeIndexer {
    let tree: ImageTree
    private var entries: [TreePath: TreeEntry] = [:]
    private var walked: Set<TreePath> = []
    /// How many names a copy may take: as many as a layer may have.
    private static let limit = 4_000_000

    init(_ tree: ImageTree) { self.tree = tree }

    /// The part of the tree these sources mean.
    static func index(_ tree: ImageTree, sources: [String]) throws -> FileTree {
        var indexer = TreeIndexer(tree)
        for source in sources { try indexer.add(source) }
        return try FileTree(Array(indexer.entries.values))
    }

    private mutating func add(_ written: String) throws {
        var fixed = TreePath.root
        var rest = TreePath(written).parts.map(Array.init)
        while let part = rest.first, !part.contains(where: { "*?[\\".utf8.contains($0) }) {
            fixed = fixed.appending(part)
            rest.removeFirst()
        }
        try follow(fixed)
        guard !rest.isEmpty, let pattern = PathPattern(TreePath(written).text, crossesParts: true) else { return }
        // A link that the pattern names is copied as what it leads to.
        for entry in Array(entries.values) where entry.kind == .symlink && pattern.matches(entry.path.bytes[...]) {
            try follow(entry.path)
        }
    }

    /// Notes each step of a path, links and what they lead to included, then what is at its end and all below.
    private mutating func follow(_ path: TreePath, links: Int = 0) throws {
        var at = TreePath.root
        let parts = path.parts
        for (index, part) in parts.enumerated() {
            at = at.appending(part)
            guard let entry = try note(at) else { return }
            guard entry.kind == .symlink else { continue }
            // As many as the kernel follows.
            guard links < 40 else { return }
            let start = entry.target.first == ASCII.slash ? TreePath.root : at.parent
            var onward = try tree.resolve(start.appending(entry.target))
            for later in parts[(index + 1)...] { onward = onward.appending(later) }
            return try follow(onward, links: links + 1)
        }
        try walk(at)
    }

    /// Notes everything below a directory.
    ///
    /// Links met there stay links.
    private mutating func walk(_ path: TreePath) throws {
        guard path.isRoot || entries[path]?.kind == .directory, walked.insert(path).inserted else { return }
        let directory = try tree.openDirectory(path)
        for name in try readDirectory(directory.raw) {
            let child = path.appending(Array(name.name.bytes))
            if let entry = try note(child, at: directory.raw, name.name), entry.kind == .directory { try walk(child) }
        }
    }

    private mutating func note(_ path: TreePath) throws -> TreeEntry? {
        if let known = entries[path] { return known }
        guard let parent = try tree.directory(path.parent) else { return nil }
        return try note(path, at: parent.raw, FileName(Array(path.name)))
    }

    private mutating func note(_ path: TreePath, at directory: Int32, _ name: FileName) throws -> TreeEntry? {
        let found = try name.withCString { pointer throws(SystemError) in try statusEntry(pointer, at: directory) }
        guard let found, let kind = Self.kind(found) else { return nil }
        guard entries.count < Self.limit else { throw SyntaxProblem("more than \(Self.limit) files to copy") }
        var entry = TreeEntry(path: path, kind: kind, mode: UInt16(found.permissions))
        entry.user = found.st_uid
        entry.group = found.st_gid
        entry.seconds = Int64(found.st_mtim.tv_sec)
        entry.nanoseconds = Int32(found.st_mtim.tv_nsec)
        switch kind {
        case .file: entry.size = Int64(found.st_size)
        case .symlink:
            entry.target = try name.withCString { pointer throws(SystemError) in
                try readLinkEntry(pointer, at: directory)
            }
        case .characterDevice, .blockDevice:
            entry.major = skiff_major(found.st_rdev)
            entry.minor = skiff_minor(found.st_rdev)
        case .directory, .fifo: break
        }
        if kind == .file { entry.attributes = try attributes(name, at: directory) }
        entries[path] = entry
        return entry
    }

    /// Attributes that travel with a file: its capabilities and what users gave it.
    private func attributes(_ name: FileName, at directory: Int32) throws -> [TreeEntry.Attribute] {
        let raw = try name.withCString { pointer throws(SystemError) in
            try openEntry(pointer, O_RDONLY | O_NONBLOCK, at: directory).release()
        }
        let file = OwnedDescriptor(owning: raw)
        var result: [TreeEntry.Attribute] = []
        for key in try attributeNames(file.raw) where key == "security.capability" || key.hasPrefix("user.") {
            if let value = try attribute(key, of: file.raw) {
                result.append(TreeEntry.Attribute(name: key, value: value))
            }
        }
        return result
    }

    private static func kind(_ status: stat) -> TreeEntry.Kind? {
        switch Int32(status.kind) {
        case S_IFDIR: .directory
        case S_IFREG: .file
        case S_IFLNK: .symlink
        case S_IFIFO: .fifo
        case S_IFCHR: .characterDevice
        case S_IFBLK: .blockDevice
        default: nil
        }
    }
}
