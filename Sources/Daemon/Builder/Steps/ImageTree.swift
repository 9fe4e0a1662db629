internal import CLinux
internal import DockerfileSyntax
internal import Linux

/// An image's tree, seen read-only: what a copy must know of the place it copies to, and of the one it copies from.
///
/// The tree is a committed layer, so nothing in it changes; every look still goes by descriptor and never leaves the root.
struct ImageTree: Sendable {
    /// The root, opened; `nil` for a tree of nothing.
    let root: SharedDescriptor?

    /// What is at a path that is taken as it stands: no link in it is followed.
    func status(_ path: TreePath) throws(SystemError) -> stat? {
        guard let root else { return nil }
        do {
            let entry = try open(
                in: root.raw, path, O_PATH | O_NOFOLLOW, resolve: [.inRoot, .noMagicLinks, .noSymlinks])
            return try Linux.status(of: entry.raw)
        } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR || error.errno == ELOOP { return nil }
            throw error
        }
    }

    /// Where a path leads when its links are followed inside the root: a path without links.
    ///
    /// Parts that are not there
    /// stay as they are written.
    func resolve(_ path: TreePath) throws(SystemError) -> TreePath {
        guard let root else { return path }
        var left = Array(path.parts.map(Array.init).reversed())
        var at = TreePath.root
        var links = 0
        while let part = left.popLast() {
            if part == Array("..".utf8) {
                at = at.parent
                continue
            }
            let next = at.appending(part)
            guard let found = try status(next), found.isSymlink else {
                at = next
                continue
            }
            links += 1
            guard links <= 40 else { throw SystemError("openat2", errno: ELOOP, subject: "/" + path.text) }
            let link = try open(in: root.raw, next, O_PATH | O_NOFOLLOW, resolve: .container)
            let target = Array(try readLink("", at: link.raw).utf8)
            if target.first == ASCII.slash { at = .root }
            for piece in target.split(separator: ASCII.slash).reversed() where !piece.elementsEqual(".".utf8) {
                left.append(Array(piece))
            }
        }
        return at
    }

    /// A file of the tree for reading.
    func openFile(_ path: TreePath) throws(SystemError) -> OwnedDescriptor {
        guard let root else { throw SystemError("open", errno: ENOENT, subject: path.text) }
        return try open(
            in: root.raw, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, resolve: [.inRoot, .noMagicLinks, .noSymlinks])
    }

    /// A directory of the tree, or `nil` when there is none.
    func directory(_ path: TreePath) throws(SystemError) -> SharedDescriptor? {
        do { return SharedDescriptor(try openDirectory(path)) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR || error.errno == ELOOP { return nil }
            throw error
        }
    }

    func openDirectory(_ path: TreePath) throws(SystemError) -> OwnedDescriptor {
        guard let root else { throw SystemError("open", errno: ENOENT, subject: path.text) }
        if path.isRoot { return try open(".", O_RDONLY | O_DIRECTORY, at: root.raw) }
        return try open(
            in: root.raw, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: [.inRoot, .noMagicLinks, .noSymlinks])
    }
}

/// Opens a path of bytes below `root`.
func open(in root: Int32, _ path: TreePath, _ flags: Int32, resolve: Resolution) throws(SystemError) -> OwnedDescriptor
{
    // The wrapper hands the raw number out of the closure: an owned value cannot leave it.
    let raw = try FileName(path.isRoot ? Array(".".utf8) : path.bytes).withCString { name throws(SystemError) in
        try openBelow(root, name, flags, resolve: resolve).release()
    }
    return OwnedDescriptor(owning: raw)
}
