internal import CLinux
internal import Linux

/// The places a sandbox mounts on that the image does not have: the runtime makes them in the writable layer, and they are
/// no part of what the step made.
struct MountStubs: Sendable {
    /// What every sandbox has, and what name files are mounted on.
    static let standard = ["/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]

    /// Paths that were not there, those deeper first.
    private let missing: [TreePath]
    /// Directories that are there and get a new name in them.
    private let touched: [TreePath]
    private let below: ImageTree

    init(_ targets: [String], below: ImageTree) throws(SystemError) {
        var missing: Set<TreePath> = []
        var touched: Set<TreePath> = []
        for target in targets {
            var path = TreePath(target)
            while !path.isRoot {
                let real = try below.resolve(path)
                guard try below.status(real) == nil else {
                    if try below.status(real)?.isDirectory == true { touched.insert(real) }
                    break
                }
                missing.insert(real)
                path = path.parent
            }
        }
        self.missing = missing.sorted(by: >)
        self.touched = touched.sorted(by: >)
        self.below = below
    }

    /// Takes away what is still as the runtime made it: an empty directory, a file of no bytes.
    ///
    /// Nothing else is touched,
    /// and no link is followed.
    func remove(from upper: Int32) throws(SystemError) {
        for path in missing {
            guard let (parent, name) = try place(path, in: upper) else { continue }
            try name.withCString { pointer throws(SystemError) in
                guard let status = try statusEntry(pointer, at: parent.raw) else { return }
                if status.isDirectory {
                    // A directory that the step filled stays.
                    _ = unlinkat(parent.raw, pointer, AT_REMOVEDIR)
                } else if status.isRegular, status.st_size == 0 {
                    try check("unlink", path.text) { unlinkat(parent.raw, pointer, 0) }
                }
            }
        }
        // Then directories that were copied up only for such a name's sake.
        for path in touched where !path.isRoot { try removeIfUnchanged(path, in: upper) }
    }

    private func removeIfUnchanged(_ path: TreePath, in upper: Int32) throws(SystemError) {
        guard let (parent, name) = try place(path, in: upper), let lower = try below.status(path) else { return }
        let raw: Int32
        do {
            raw = try name.withCString { pointer throws(SystemError) in
                try openEntry(pointer, O_RDONLY | O_DIRECTORY, at: parent.raw).release()
            }
        } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR || error.errno == ELOOP { return }
            throw error
        }
        let directory = OwnedDescriptor(owning: raw)
        let status = try status(of: directory.raw)
        guard status.permissions == lower.permissions, status.st_uid == lower.st_uid, status.st_gid == lower.st_gid
        else { return }
        guard try attribute("trusted.overlay.opaque", of: directory.raw) == nil,
            try readDirectory(directory.raw).isEmpty
        else { return }
        try name.withCString { pointer throws(SystemError) in _ = unlinkat(parent.raw, pointer, AT_REMOVEDIR) }
    }

    /// The open directory a path of the upper directory is in.
    private func place(_ path: TreePath, in upper: Int32) throws(SystemError) -> (SharedDescriptor, FileName)? {
        do {
            let parent = try open(in: upper, path.parent, O_RDONLY | O_DIRECTORY, resolve: [.beneath, .noSymlinks])
            return (SharedDescriptor(parent), FileName(Array(path.name)))
        } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR || error.errno == ELOOP { return nil }
            throw error
        }
    }
}
