internal import CLinux
internal import Linux

/// Hides and write-protects paths of a container that is otherwise complete.
struct MaskStep {
    /// The container's own procfs: paths below `/proc` are looked up in it, wherever a racing writer has moved what it is
    /// mounted on (CVE-2019-19921).
    let procfs: Int32?

    /// Covers files with the null device and directories with an empty, read-only tmpfs; what is missing is skipped.
    func mask(_ paths: [String], in root: borrowing ContainerRoot) throws(SystemError) {
        if paths.isEmpty { return }
        let null = try openNullDevice(in: root)
        // One empty file system serves all directories: the first mount of it is copied, which older kernels allow only
        // once it is attached.
        var empty: Int32 = -1
        defer { if empty >= 0 { _ = close(empty) } }
        for path in paths {
            guard let target = try openIfThere(path, in: root) else { continue }
            if try status(of: target.raw).isDirectory {
                if empty < 0 {
                    let tree = try MountTree(
                        type: "tmpfs", source: "tmpfs", options: ["nr_blocks=1", "nr_inodes=1"],
                        attributes: [.readOnly, .noSUID, .noDevices, .noExec])
                    try tree.attach(over: target.raw)
                    empty = try tree.descriptor.duplicate().release()
                } else {
                    try MountTree(cloning: empty).attach(over: target.raw)
                }
            } else {
                try MountTree(cloning: null.raw).attach(over: target.raw)
            }
        }
    }

    /// Makes what is at the paths, with all below, read-only.
    func protect(_ paths: [String], in root: borrowing ContainerRoot) throws(SystemError) {
        for path in paths {
            guard let target = try openIfThere(path, in: root) else { continue }
            let tree = try MountTree(cloning: target.raw, recursive: true)
            try tree.change(set: .readOnly, recursive: true)
            try tree.attach(over: target.raw)
        }
    }

    private func openIfThere(_ path: String, in root: borrowing ContainerRoot) throws(SystemError) -> OwnedDescriptor? {
        do {
            if let procfs, path.hasPrefix("/proc/") {
                return try Linux.open(in: procfs, String(path.dropFirst(6)), O_PATH)
            }
            return try root.open(path)
        } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
            throw error
        }
    }

    /// The container's `/dev/null`, proven to be character device 1:3 (CVE-2025-31133).
    private func openNullDevice(in root: borrowing ContainerRoot) throws(SystemError) -> OwnedDescriptor {
        let null = try root.open("/dev/null", O_PATH | O_NOFOLLOW)
        let status = try status(of: null.raw)
        guard status.isCharacterDevice, status.st_rdev == skiff_makedev(1, 3) else {
            throw SystemError("open", errno: ENODEV, subject: "/dev/null of the container is not the null device")
        }
        return null
    }
}
