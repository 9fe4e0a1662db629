internal import CLinux
internal import Linux
internal import OCI

/// The device nodes and links of a container's `/dev`.
///
/// See config-linux.md, "Default Devices", and runtime-linux.md.
struct DeviceStep {
    /// In a user namespace nodes cannot be made: the host's are mounted instead.
    var bindsFromHost: Bool
    /// Those the parent has made for it.
    var prepared: PreparedDevices?

    /// How many devices every container has, and each by its number: the kind of list they would be is not made at run time.
    static let standardCount = 6

    static func standard(_ number: Int) -> RuntimeSpec.Device {
        func device(_ name: String, _ major: Int64, _ minor: Int64) -> RuntimeSpec.Device {
            RuntimeSpec.Device(type: "c", path: "/dev/" + name, major: major, minor: minor, mode: 0o666)
        }
        return switch number {
        case 0: device("null", 1, 3)
        case 1: device("zero", 1, 5)
        case 2: device("full", 1, 7)
        case 3: device("random", 1, 8)
        case 4: device("urandom", 1, 9)
        default: device("tty", 5, 0)
        }
    }

    func perform(_ devices: [RuntimeSpec.Device], in root: borrowing ContainerRoot) throws(SystemError) {
        // Where /dev is the host's own, mounted in whole, nothing is made in it.
        let dev = try root.directory("/dev")
        let mounts = try prepared?.mounts(over: dev.raw) ?? [:]
        for number in 0..<Self.standardCount {
            let device = Self.standard(number)
            if devices.contains(where: { $0.path == device.path }) { continue }
            try make(device, mounts[device.path], in: root, dev: dev.raw)
        }
        for device in devices { try make(device, mounts[device.path], in: root, dev: dev.raw) }
        try link("fd", to: "/proc/self/fd", in: dev.raw)
        try link("stdin", to: "/proc/self/fd/0", in: dev.raw)
        try link("stdout", to: "/proc/self/fd/1", in: dev.raw)
        try link("stderr", to: "/proc/self/fd/2", in: dev.raw)
        if exists("/proc/kcore") { try link("core", to: "/proc/kcore", in: dev.raw) }
        if (try? Linux.open(in: dev.raw, "pts/ptmx", O_PATH)) != nil {
            if exists("ptmx", at: dev.raw) { try? unlink("ptmx", at: dev.raw) }
            try link("ptmx", to: "pts/ptmx", in: dev.raw)
        }
    }

    private func link(_ name: String, to target: String, in dev: Int32) throws(SystemError) {
        do { try makeSymlink(name, to: target, at: dev) } catch  where error.errno == EEXIST {}
    }

    /// - Parameter mount: a mount of the node, where the parent has made it.
    private func make(
        _ device: RuntimeSpec.Device, _ mount: SharedDescriptor?, in root: borrowing ContainerRoot, dev: Int32
    ) throws(SystemError) {
        let (parent, name) = device.path.parentAndName
        let directory = parent == "/dev/" ? try duplicate(dev) : try root.directory(parent)
        if bindsFromHost, device.type != "p" {
            let place = try makePlace(for: device, name, in: directory.raw, of: root)
            return try bind(device, mount, over: place.raw)
        }
        let kind: Int32 =
            switch device.type {
            case "b": S_IFBLK
            case "p": S_IFIFO
            default: S_IFCHR
            }
        let number = device.type == "p" ? 0 : skiff_makedev(UInt32(device.major), UInt32(device.minor))
        let mode = mode_t(device.mode ?? 0o666) & 0o7777
        if try makeNodeEntry(name, mode: mode_t(kind) | mode, device: number, at: directory.raw),
            device.uid == nil, device.gid == nil
        {
            // With its mode whole, since the umask is 0 here, and root's.
            return
        }
        // What is there counts only if it is the very device, /dev/null may be a link an image left (CVE-2025-31133); and
        // it is changed by descriptor, since a name may be exchanged for a link to the host's (CVE-2026-41579).
        let node = try Linux.open(in: directory.raw, name, O_PATH | O_NOFOLLOW)
        let there = try status(of: node.raw)
        guard there.kind == mode_t(kind), there.st_rdev == number else {
            throw SystemError("mknod", errno: EEXIST, subject: device.path)
        }
        if device.uid != nil || device.gid != nil {
            try setPathOwner(node.raw, uid: device.uid ?? 0, gid: device.gid ?? 0)
        }
        try setPathMode(node.raw, mode)
    }

    /// The file to mount a node over, empty where it is made: seldom does something have the name already.
    private func makePlace(
        for device: RuntimeSpec.Device, _ name: String, in directory: Int32, of root: borrowing ContainerRoot
    ) throws(SystemError) -> OwnedDescriptor {
        if try makeNodeEntry(name, mode: mode_t(S_IFREG) | 0o644, at: directory) {
            let place = try Linux.open(in: directory, name, O_PATH | O_NOFOLLOW)
            // By now somebody's link may have the name.
            if try status(of: place.raw).kind == mode_t(S_IFREG) { return place }
        }
        return try root.file(device.path)
    }

    /// Mounts the node the parent has made, or the host's own of the same path where that is the same device.
    private func bind(
        _ device: RuntimeSpec.Device, _ mount: SharedDescriptor?, over place: Int32
    ) throws(SystemError) {
        if let mount { return try MountTree(owning: mount.duplicate()).attach(over: place) }
        let tree = try MountTree(cloning: device.path, recursive: false)
        let there = try status(of: tree.raw)
        guard there.kind == mode_t(device.type == "b" ? S_IFBLK : S_IFCHR),
            there.st_rdev == skiff_makedev(UInt32(device.major), UInt32(device.minor))
        else {
            throw SystemError(
                "mknod", errno: EPERM,
                subject: "\(device.path): the host's is another device, and only root may make device nodes")
        }
        try tree.change(set: [.noSUID, .noExec])
        try tree.attach(over: place)
    }
}
