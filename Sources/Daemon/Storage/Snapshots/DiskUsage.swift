internal import CLinux
public import Linux

extension SnapshotUsage {
    /// Counts everything below an open directory, following no link; files with several names count once.
    ///
    /// Blocks.
    public static func counting(_ directory: Int32) throws(SystemError) -> SnapshotUsage {
        try DiskUsage.of(directory)
    }
}

/// How much a directory tree takes.
enum DiskUsage {
    private struct Inode: Hashable {
        var device: UInt64
        var number: UInt64
    }

    /// Counts everything below an open directory, following no link; files with several names count once.
    static func of(_ directory: Int32) throws(SystemError) -> SnapshotUsage {
        var usage = SnapshotUsage(bytes: 0, inodes: 1)
        var seen: Set<Inode> = []
        try add(directory, to: &usage, &seen, depth: 0)
        return usage
    }

    private static func add(
        _ directory: Int32, to usage: inout SnapshotUsage, _ seen: inout Set<Inode>, depth: Int
    ) throws(SystemError) {
        // Deeper than any path reaches: what is there is not worth the descriptors.
        guard depth < 512 else { return }
        for entry in try readDirectory(directory) {
            var below: SharedDescriptor?
            try entry.name.withCString { name throws(SystemError) in
                guard let status = try statusEntry(name, at: directory) else { return }
                if status.isDirectory {
                    usage.inodes += 1
                    if let opened = try openEntry(name, O_RDONLY | O_DIRECTORY, at: directory, unless: ENOENT) {
                        below = SharedDescriptor(opened)
                    }
                    return
                }
                if status.st_nlink > 1 {
                    let inode = Inode(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
                    guard seen.insert(inode).inserted else { return }
                }
                usage.inodes += 1
                if status.isRegular { usage.bytes += Int64(status.st_size) }
            }
            if let below { try add(below.raw, to: &usage, &seen, depth: depth + 1) }
        }
    }
}
