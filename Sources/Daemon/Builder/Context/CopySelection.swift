internal import DockerfileSyntax

/// What a COPY or ADD takes from a tree: chosen by its words alone, so that its content has a digest before anything is
/// copied, and nothing is copied when the result is known.
struct CopySelection: Sendable {
    /// One source, found.
    struct Source: Sendable {
        /// Its name below a destination that is a directory; with `--parents` a path.
        var name: TreePath
        var root: TreeEntry
        /// What is below a directory.
        var below: ArraySlice<TreeEntry>
        /// Directories above it that `--parents` keeps, the outermost first.
        var above: [(name: TreePath, entry: TreeEntry)] = []
        /// A file that is unpacked where it is put.
        var isArchive = false
    }

    private(set) var sources: [Source] = []
    /// Paths are kept below the destination: `--parents`.
    private let keepsNames: Bool

    /// - Parameter isArchive: asked for each file of an ADD.
    init(
        _ operation: CopyOperation, in tree: FileTree, isArchive: (TreeEntry) throws -> Bool
    ) throws {
        keepsNames = operation.parents
        let excludes = try Dockerignore(patterns: operation.excludes)
        for written in operation.sources where !(operation.isAdd && CopyOperation.isAddress(written)) {
            let found = try Self.find(written, in: tree, operation)
            for (path, entry) in found {
                var source = Source(name: TreePath(Array(path.name)), root: entry, below: [])
                if entry.kind == .directory {
                    let all = tree.below(entry.path)
                    source.below = excludes.isEmpty ? all : Self.filtered(all, root: entry.path, excludes)
                } else if !excludes.isEmpty, excludes.excludes(Array(path.name)) {
                    continue
                }
                if operation.parents { Self.keepParents(&source, path, written, tree) }
                if operation.isAdd, operation.unpack != false, entry.kind == .file {
                    source.isArchive = try isArchive(entry)
                }
                sources.append(source)
            }
        }
    }

    /// The entries a written source means: one path, or all that match a pattern.
    ///
    /// Links in the last place are followed,
    /// as Docker follows them.
    private static func find(_ written: String, in tree: FileTree, _ operation: CopyOperation) throws -> [(
        TreePath, TreeEntry
    )] {
        let path = TreePath(written)
        guard written.utf8.contains(where: { "*?[\\".utf8.contains($0) }) else {
            guard let entry = tree.resolve(path) else { throw missing(written, operation) }
            return [(path, entry)]
        }
        guard let pattern = PathPattern(path.text, crossesParts: operation.parents) else {
            throw SyntaxProblem("syntax error in pattern: \(written)")
        }
        let depth = path.parts.count
        var found: [(TreePath, TreeEntry)] = []
        for entry in tree.entries
        where (operation.parents || entry.path.parts.count == depth) && !entry.path.isRoot
            && pattern.matches(entry.path.bytes[...])
        {
            if let target = entry.kind == .symlink ? tree.resolve(entry.path) : entry {
                found.append((entry.path, target))
            }
        }
        if found.isEmpty {
            throw SyntaxProblem(
                "\(operation.keyword) failed: no source files were specified: nothing matches \(written)")
        }
        return found
    }

    private static func missing(_ written: String, _ operation: CopyOperation) -> SyntaxProblem {
        let place =
            operation.fromInput ? "file not found" : "file not found in build context or excluded by .dockerignore"
        return SyntaxProblem("\(operation.keyword) failed: \(place): stat \(written): file does not exist")
    }

    private static func filtered(_ entries: ArraySlice<TreeEntry>, root: TreePath, _ excludes: Dockerignore)
        -> ArraySlice<TreeEntry>
    {
        var needed: Set<TreePath> = []
        var kept: [TreeEntry] = []
        for entry in entries.reversed()
        where needed.contains(entry.path) || !excludes.excludes(entry.path.relative(to: root).bytes) {
            kept.append(entry)
            needed.insert(entry.path.parent)
        }
        return ArraySlice(kept.reversed())
    }

    /// A `/./` in the written path says where the kept part begins.
    private static func keepParents(_ source: inout Source, _ path: TreePath, _ written: String, _ tree: FileTree) {
        var start = TreePath.root
        let bytes = Array(written.utf8)
        let pivot = Array("/./".utf8)
        if let at = bytes.indices.first(where: { bytes[$0...].starts(with: pivot) }) {
            let front = TreePath(bytes[..<at])
            // Patterns in front of the pivot match as many parts as they have.
            start = TreePath(Array(path.parts.prefix(front.parts.count).joined(separator: [ASCII.slash])))
        }
        source.name = path.relative(to: start)
        var above = source.name.parent
        while !above.isRoot {
            if let entry = tree.resolve(start.appending(above)) { source.above.insert((above, entry), at: 0) }
            above = above.parent
        }
    }

    /// How many sources there are, here-documents and addresses aside.
    var isEmpty: Bool { sources.isEmpty }

    /// A digest of everything that will be in the layer because of these sources: names, kinds, modes, links and contents;
    /// owners only where they are kept; never times.
    ///
    /// - Precondition: files have their hashes.
    func digest(keepsOwners: Bool) -> Digest {
        var digest = DefinitionDigest("content.1")
        digest.add(number: Int64(sources.count))
        for source in sources {
            digest.add(source.isArchive)
            digest.add(path: source.name)
            for (name, entry) in source.above {
                digest.add(path: name)
                digest.add(entry, keepsOwners: keepsOwners)
            }
            digest.add(source.root, keepsOwners: keepsOwners)
            digest.add(number: Int64(source.below.count))
            for entry in source.below {
                entry.path.bytes.withUnsafeBytes {
                    digest.add(
                        bytes: UnsafeRawBufferPointer(rebasing: $0[min($0.count, source.root.path.bytes.count)...]))
                }
                digest.add(entry, keepsOwners: keepsOwners)
            }
        }
        return digest.finish()
    }
}

extension DefinitionDigest {
    fileprivate mutating func add(path: TreePath) { path.bytes.withUnsafeBytes { add(bytes: $0) } }

    fileprivate mutating func add(_ entry: TreeEntry, keepsOwners: Bool) {
        add(number: Int64(entry.kind.rawValue) << 32 | Int64(entry.mode))
        if keepsOwners { add(number: Int64(entry.user) << 32 | Int64(entry.group)) }
        switch entry.kind {
        case .file: entry.hash.withUnsafeBytes { add(bytes: $0) }
        case .symlink: entry.target.withUnsafeBytes { add(bytes: $0) }
        case .characterDevice, .blockDevice: add(number: Int64(entry.major) << 32 | Int64(entry.minor))
        case .directory, .fifo: break
        }
        add(number: Int64(entry.attributes.count))
        for attribute in entry.attributes.sorted() {
            add(attribute.name)
            attribute.value.withUnsafeBytes { add(bytes: $0) }
        }
    }
}

extension CopySelection {
    /// One thing to make in the image.
    struct Placement: Sendable {
        var path: TreePath
        var entry: TreeEntry
        /// A directory that gives its metadata only where it is made: the destination itself may be there already.
        var isTop = false
        var isArchive = false
    }

    /// Where everything goes.
    ///
    /// - Parameters:
    ///   - destination: relative to the image's root.
    ///   - isDirectory: the destination was written as a directory, or is one in the image.
    func placements(at destination: TreePath, isDirectory: Bool) -> [Placement] {
        var placements: [Placement] = []
        for source in sources {
            for (name, entry) in source.above {
                placements.append(Placement(path: destination.appending(name), entry: entry))
            }
            if source.root.kind == .directory {
                // A directory's content is copied, not itself, unless its path is kept.
                let top = keepsNames ? destination.appending(source.name) : destination
                placements.append(Placement(path: top, entry: source.root, isTop: !keepsNames))
                for entry in source.below {
                    placements.append(
                        Placement(path: top.appending(entry.path.relative(to: source.root.path)), entry: entry))
                }
            } else if source.isArchive {
                placements.append(Placement(path: destination, entry: source.root, isTop: true, isArchive: true))
            } else {
                let path = isDirectory || keepsNames ? destination.appending(source.name) : destination
                placements.append(Placement(path: path, entry: source.root))
            }
        }
        return placements
    }
}
