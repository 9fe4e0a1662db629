internal import CLinux
internal import Failures
internal import Linux

/// Looks at the host's devices; blocking.
enum HostDevices {
    /// How many nodes a directory, or all of `/dev`, may hold before something is wrong.
    private static let limit = 4096

    /// The devices a mapping stands for: one node, or every node below a directory.
    ///
    /// - Throws: `invalid` with Docker's words when there is no device.
    static func resolve(_ mapping: DeviceMapping) throws(Failure) -> [HostDevice] {
        guard mapping.permissions.allSatisfy("rwm".contains), !mapping.permissions.isEmpty else {
            throw Failure(.invalid, "invalid device mode: \(mapping.permissions)")
        }
        let found: stat
        do { found = try status(mapping.hostPath, follow: true) } catch {
            throw Failure(
                .invalid,
                "error gathering device information while adding custom device \"\(mapping.hostPath)\": "
                    + (error.errno == ENOENT ? "no such file or directory" : error.reason), cause: error)
        }
        if let device = device(found, at: mapping.containerPath, mapping.permissions) { return [device] }
        guard format(found) == S_IFDIR else {
            throw Failure(
                .invalid,
                "error gathering device information while adding custom device \"\(mapping.hostPath)\": not a device node"
            )
        }
        return walk(mapping.hostPath, into: mapping.containerPath, mapping.permissions)
    }

    /// Every device of the host, for a privileged container; terminals, shared memory and message queues are its own.
    static func all() -> [HostDevice] {
        walk(
            "/dev", into: "/dev", "rwm",
            skipping: ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"])
    }

    private static func walk(
        _ path: String, into target: String, _ permissions: String, skipping: Set<String> = []
    ) -> [HostDevice] {
        var devices: [HostDevice] = []
        var waiting: [(String, String)] = [(path, target)]
        while let (path, target) = waiting.popLast(), devices.count < limit {
            guard let directory = try? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
                let entries = try? readDirectory(directory.raw)
            else { continue }
            for entry in entries where !skipping.contains(entry.name.text) {
                let (source, destination) = ("\(path)/\(entry.name.text)", "\(target)/\(entry.name.text)")
                guard let found = try? status(source) else { continue }
                if format(found) == S_IFDIR {
                    waiting.append((source, destination))
                } else if let device = device(found, at: destination, permissions) {
                    devices.append(device)
                }
            }
        }
        return devices.sorted { $0.path < $1.path }
    }

    private static func format(_ found: stat) -> Int32 { Int32(found.st_mode) & S_IFMT }

    private static func device(_ found: stat, at path: String, _ permissions: String) -> HostDevice? {
        let type: String
        switch format(found) {
        case S_IFCHR: type = "c"
        case S_IFBLK: type = "b"
        default: return nil
        }
        return HostDevice(
            path: path, type: type, major: Int64(skiff_major(found.st_rdev)), minor: Int64(skiff_minor(found.st_rdev)),
            mode: UInt32(found.st_mode & 0o7777), uid: found.st_uid, gid: found.st_gid, permissions: permissions)
    }
}
