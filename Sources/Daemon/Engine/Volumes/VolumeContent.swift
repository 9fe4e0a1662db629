internal import Archive
internal import CLinux
internal import Failures
internal import Linux
internal import Storage

/// Fills a new volume with what the image has at its mount point, as Docker does for volumes that are still empty.
///
/// The image is read through a detached read-only mount and by descriptor: no link in it leads anywhere else
/// (law 1 of the security laws; CVE-2020-1726 is why an occupied volume is never touched).
enum VolumeContent {
    /// Whether nothing is in the volume yet.
    static func isEmpty(_ path: String) throws(SystemError) -> Bool {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).isEmpty
    }

    /// Fills a volume that nobody has used yet, unless something is in it.
    ///
    /// The copy is marked beside the volume while it goes on: what a crash or a full disk left half-way is dropped, and the
    /// next start begins again.
    static func fillOnce(
        _ path: String, in folder: String, _ destination: String, from image: () throws(Failure) -> OwnedDescriptor
    ) throws(Failure) {
        let mark = folder + "/filling"
        do throws(SystemError) {
            if exists(mark) { try clear(path) } else if try !isEmpty(path) { return }
            try writeFile(mark, [], mode: 0o600)
        } catch { throw .onDisk("cannot fill volume \(path)", error, at: path) }
        let root = try image()
        do throws(Failure) { try fill(path, from: root.raw, destination) } catch {
            try? clear(path)
            try? unlink(mark)
            throw error.namingFullDisk(path)
        }
        do throws(SystemError) { try unlink(mark) } catch {
            throw .onDisk("cannot fill volume \(path)", error, at: path)
        }
    }

    private static func clear(_ path: String) throws(SystemError) {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        for entry in try readDirectory(directory.raw) { try removeTree(entry.name, at: directory.raw) }
    }

    /// Copies `destination` of the image behind `root` into the volume; nothing when the image has no directory there.
    static func fill(_ path: String, from root: Int32, _ destination: String) throws(Failure) {
        let source: OwnedDescriptor
        do throws(SystemError) { source = try open(in: root, destination, O_RDONLY | O_DIRECTORY) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return }
            throw Failure(.internal, "open \(destination) in the image: \(error)", cause: error)
        }
        let target = try describing("open volume \(path)") { () throws(SystemError) in
            try open(path, O_RDONLY | O_DIRECTORY)
        }
        var options = TreeCopy.Options()
        options.copiesRoot = true
        try TreeCopy(options: options).copy(from: source.raw, to: target.raw)
    }
}

/// The bytes that a tree takes on disk, following no link; at most a million entries are counted.
func treeSize(_ root: Int32) throws(SystemError) -> Int64 {
    var bytes: Int64 = 0
    var budget = 1_000_000
    try addSize(of: root, depth: 0, to: &bytes, budget: &budget)
    return bytes
}

private func addSize(of directory: Int32, depth: Int, to bytes: inout Int64, budget: inout Int) throws(SystemError) {
    // Each level holds a descriptor.
    guard depth < 128 else { return }
    for entry in try readDirectory(directory) {
        budget -= 1
        if budget < 0 { return }
        let status = try entry.name.withCString { (name) throws(SystemError) in try statusEntry(name, at: directory) }
        guard let status else { continue }
        bytes += Int64(status.st_blocks) * 512
        guard status.isDirectory else { continue }
        let child = try entry.name.withCString { (name) throws(SystemError) -> Int32 in
            try openEntry(name, O_RDONLY | O_DIRECTORY, at: directory, unless: ENOENT)?.release() ?? -1
        }
        guard child >= 0 else { continue }
        let owned = OwnedDescriptor(owning: child)
        try addSize(of: owned.raw, depth: depth + 1, to: &bytes, budget: &budget)
    }
}
