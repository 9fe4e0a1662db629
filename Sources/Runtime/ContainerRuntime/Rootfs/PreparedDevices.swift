internal import CLinux
internal import Linux
internal import OCI

/// Device nodes for a container in a user namespace, where nobody may make any.
///
/// The parent makes them in a tmpfs of its own before the clone; the child, which inherits the descriptor, mounts each
/// where it belongs. A parent without the right to make nodes leaves them to the host's own of the same path.
struct PreparedDevices: Sendable {
    private let tree: SharedDescriptor
    private let names: [String: String]

    /// - Returns: nil where no nodes can be made.
    init?(_ devices: [RuntimeSpec.Device], mappings: UserMappings) {
        let made = devices.filter { $0.type != "p" }
        guard !made.isEmpty,
            let tree = try? MountTree(
                type: "tmpfs", source: "tmpfs", options: ["mode=700", "size=4k"], attributes: [.noSUID, .noExec])
        else { return nil }
        var names: [String: String] = [:]
        for (index, device) in made.enumerated() {
            let name = "\(index)", kind = mode_t(device.type == "b" ? S_IFBLK : S_IFCHR)
            let mode = mode_t(device.mode ?? 0o666) & 0o7777
            do {
                _ = try makeNodeEntry(
                    name, mode: kind | mode, device: skiff_makedev(UInt32(device.major), UInt32(device.minor)),
                    at: tree.raw)
                try setModeEntry(name, mode, at: tree.raw)
                try setOwnerEntry(
                    name, uid: Self.outside(device.uid ?? 0, mappings.uid),
                    gid: Self.outside(device.gid ?? 0, mappings.gid), at: tree.raw)
            } catch { return nil }
            names[device.path] = name
        }
        guard let kept = try? tree.descriptor.duplicate() else { return nil }
        self.tree = SharedDescriptor(kept)
        self.names = names
    }

    /// The id on the host; one that is not mapped is nobody's, and the overflow id says so.
    private static func outside(_ id: UInt32, _ mappings: [RuntimeSpec.IDMapping]) -> UInt32 {
        for mapping in mappings where id >= mapping.container && id - mapping.container < mapping.size {
            return mapping.host &+ (id - mapping.container)
        }
        return 65534
    }

    /// In the child: a mount of each node, by the node's path in the container.
    ///
    /// A tree that is attached nowhere can be cloned only since Linux 6.15, so it is for a moment.
    ///
    /// - Parameter directory: what is covered meanwhile.
    func mounts(over directory: Int32) throws(SystemError) -> [String: SharedDescriptor] {
        let whole = MountTree(owning: try tree.duplicate())
        try whole.attach(over: directory)
        var mounts: [String: SharedDescriptor] = [:]
        for (path, name) in names {
            mounts[path] = SharedDescriptor(
                try MountTree(cloning: name, recursive: false, at: whole.raw).descriptor.duplicate())
        }
        try detachMount("/proc/self/fd/\(whole.raw)")
        return mounts
    }
}
