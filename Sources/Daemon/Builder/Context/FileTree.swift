internal import DockerfileSyntax

/// One thing in a tree to copy from, a build context's or an image's, without its content.
struct TreeEntry: Hashable, Sendable {
    enum Kind: UInt8, Hashable, Sendable { case directory, file, symlink, fifo, characterDevice, blockDevice }

    /// Where a file's bytes are.
    enum Content: Hashable, Sendable {
        /// In the spool of a context that was received.
        case spool(offset: Int64)
        /// Under its own path in the tree that was walked.
        case inPlace
    }

    var path: TreePath
    var kind: Kind
    /// Permission bits with set-id and sticky.
    var mode: UInt16
    var user: UInt32 = 0
    var group: UInt32 = 0
    var size: Int64 = 0
    var seconds: Int64 = 0
    var nanoseconds: Int32 = 0
    /// Where a symbolic link points.
    var target: [UInt8] = []
    var major: UInt32 = 0
    var minor: UInt32 = 0
    var content: Content = .inPlace
    /// SHA-256 of a file's content; empty until somebody needs it.
    var hash: [UInt8] = []
    var attributes: [Attribute] = []

    struct Attribute: Hashable, Sendable, Comparable {
        var name: String
        var value: [UInt8]
        static func < (left: Attribute, right: Attribute) -> Bool { left.name < right.name }
    }

    init(path: TreePath, kind: Kind, mode: UInt16) {
        self.path = path
        self.kind = kind
        self.mode = mode
    }
}

/// The names and metadata of a tree of files, in order, found by path and by pattern without touching a disk.
struct FileTree: Sendable {
    /// In the order of their paths; no path twice; every directory on the way is there.
    private(set) var entries: [TreeEntry]

    /// - Parameter unordered: later entries replace earlier ones of the same path, as in a tar stream; directories that
    ///   have no entry of their own are made up.
    /// - Throws: when something lies below what is no directory: whoever wrote that hopes that a link is followed.
    init(_ unordered: [TreeEntry]) throws(SyntaxProblem) {
        var ordered = unordered
        let inOrder = zip(unordered, unordered.dropFirst()).allSatisfy { $0.path < $1.path }
        if !inOrder {
            var latest: [TreePath: Int] = [:]
            latest.reserveCapacity(ordered.count)
            for (index, entry) in ordered.enumerated() { latest[entry.path] = index }
            if latest.count < ordered.count {
                ordered = ordered.enumerated().filter { latest[$1.path] == $0 }.map(\.element)
            }
            ordered.sort { $0.path < $1.path }
        }
        entries = []
        entries.reserveCapacity(ordered.count + 1)
        var open: [TreeEntry] = []
        if ordered.first?.path.isRoot != true {
            ordered.insert(TreeEntry(path: .root, kind: .directory, mode: 0o755), at: 0)
        }
        for entry in ordered {
            while let last = open.last, !entry.path.isRoot, !entry.path.isBelow(last.path) { open.removeLast() }
            // Directories between the last one that is known and this one.
            while let last = open.last, !entry.path.isRoot, !entry.path.isDirectly(in: last.path) {
                guard last.kind == .directory else { break }
                let depth = last.path.parts.count + 1
                let between = TreePath(Array(entry.path.parts.prefix(depth).joined(separator: [ASCII.slash])))
                let made = TreeEntry(path: between, kind: .directory, mode: 0o755)
                entries.append(made)
                open.append(made)
            }
            if let last = open.last, last.kind != .directory {
                throw SyntaxProblem("\"\(entry.path.text)\" is below \"\(last.path.text)\", which is not a directory")
            }
            entries.append(entry)
            open.append(entry)
        }
    }

    /// The first place whose path is not before this one.
    private func position(_ path: TreePath) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].path < path { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What is at the path itself, links not followed.
    subscript(_ path: TreePath) -> TreeEntry? {
        let index = position(path)
        guard index < entries.count, entries[index].path == path else { return nil }
        return entries[index]
    }

    /// Everything below the path, in order.
    func below(_ path: TreePath) -> ArraySlice<TreeEntry> {
        var start = position(path)
        if start < entries.count, entries[start].path == path { start += 1 }
        var low = start
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].path.isBelow(path) { low = middle + 1 } else { high = middle }
        }
        return entries[start..<low]
    }

    /// What a path leads to when links are followed, inside the tree as if its root were `/`; `nil` when to nothing.
    func resolve(_ path: TreePath, followLast: Bool = true) -> TreeEntry? {
        var left = Array(path.parts.reversed())
        var at = TreePath.root
        var links = 0
        while let part = left.popLast() {
            let next = at.appending(part)
            guard let entry = self[next] else { return nil }
            guard entry.kind == .symlink, followLast || !left.isEmpty else {
                if !left.isEmpty, entry.kind != .directory { return nil }
                at = next
                continue
            }
            links += 1
            // As many as the kernel follows.
            guard links <= 40 else { return nil }
            if entry.target.first == ASCII.slash { at = .root }
            for part in entry.target.split(separator: ASCII.slash).reversed() where !part.elementsEqual(".".utf8) {
                left.append(part)
            }
            // A `..` is taken as a step here and not by its words: before it there may be another link.
            while left.last?.elementsEqual("..".utf8) == true {
                left.removeLast()
                at = at.parent
            }
        }
        return self[at]
    }

    /// The tree without what an ignore file keeps out.
    ///
    /// A directory stays when something in it stays.
    func filtered(by ignore: Dockerignore) -> FileTree {
        guard !ignore.isEmpty else { return self }
        var kept: [TreeEntry] = []
        var needed: Set<TreePath> = []
        for entry in entries.reversed() {
            if entry.path.isRoot || needed.contains(entry.path) || !ignore.excludes(entry.path.bytes) {
                kept.append(entry)
                needed.insert(entry.path.parent)
            }
        }
        var tree = self
        tree.entries = kept.reversed()
        return tree
    }

    /// Fills in what was not known when the tree was made.
    mutating func setHash(_ hash: [UInt8], at index: Int) { entries[index].hash = hash }
}
