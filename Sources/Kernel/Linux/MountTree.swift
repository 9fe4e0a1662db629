internal import CLinux

/// Mount attributes of the new mount interface; see `mount_setattr(2)`.
public struct MountAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    private init(_ flag: Int32) { rawValue = UInt64(flag) }

    public static let readOnly = MountAttributes(MOUNT_ATTR_RDONLY)
    public static let noSUID = MountAttributes(MOUNT_ATTR_NOSUID)
    public static let noDevices = MountAttributes(MOUNT_ATTR_NODEV)
    public static let noExec = MountAttributes(MOUNT_ATTR_NOEXEC)
    public static let noDirectoryAccessTime = MountAttributes(MOUNT_ATTR_NODIRATIME)
    public static let noAccessTime = MountAttributes(MOUNT_ATTR_NOATIME)
    public static let strictAccessTime = MountAttributes(MOUNT_ATTR_STRICTATIME)
    public static let noSymlinkFollow = MountAttributes(MOUNT_ATTR_NOSYMFOLLOW)
    /// The field in which the access-time choices exclude one another; zero in it means `relatime`.
    public static let accessTimeMask = MountAttributes(rawValue: UInt64(MOUNT_ATTR__ATIME))
}

/// A mount that is held by descriptor: detached until it is attached somewhere.
///
/// Nothing here takes a path inside a container: what is attached, and where, are descriptors that were resolved below the
/// root once (law 1). A tree that is never attached disappears with its descriptor.
public struct MountTree: ~Copyable {
    public let descriptor: OwnedDescriptor
    public var raw: Int32 { descriptor.raw }

    /// Takes over a descriptor of a mount that is attached nowhere yet.
    public init(owning descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// A new mount of a file system type.
    ///
    /// C functions: `fsopen`, `fsconfig`, `fsmount`.
    ///
    /// - Parameters:
    ///   - options: the type's own, `key=value` or a lone flag.
    ///   - opened: an option of the type's whose value is an open file.
    public init(
        type: String, source: String? = nil, options: [String] = [], attributes: MountAttributes = [],
        opened: (key: String, raw: Int32)? = nil
    ) throws(SystemError) {
        let context = OwnedDescriptor(owning: try check("fsopen", type) { fsopen(type, UInt32(FSOPEN_CLOEXEC)) })
        if let source {
            try check("fsconfig", "\(type) source=\(source)") {
                skiff_fsconfig(context.raw, FSCONFIG_SET_STRING.rawValue, "source", source, 0)
            }
        }
        if let (key, raw) = opened {
            try check("fsconfig", "\(type) \(key)") {
                skiff_fsconfig(context.raw, FSCONFIG_SET_FD.rawValue, key, nil, raw)
            }
        }
        for option in options where !option.isEmpty {
            if let equals = option.firstIndex(of: "=") {
                let key = String(option[..<equals]), value = String(option[option.index(after: equals)...])
                try check("fsconfig", "\(type) \(option)") {
                    skiff_fsconfig(context.raw, FSCONFIG_SET_STRING.rawValue, key, value, 0)
                }
            } else {
                try check("fsconfig", "\(type) \(option)") {
                    skiff_fsconfig(context.raw, FSCONFIG_SET_FLAG.rawValue, option, nil, 0)
                }
            }
        }
        try check("fsconfig", "create \(type)") {
            skiff_fsconfig(context.raw, FSCONFIG_CMD_CREATE.rawValue, nil, nil, 0)
        }
        descriptor = OwnedDescriptor(
            owning: try check("fsmount", type) {
                fsmount(context.raw, UInt32(FSMOUNT_CLOEXEC), UInt32(truncatingIfNeeded: attributes.rawValue))
            })
    }

    /// A second mount of what is at a path of ours.
    ///
    /// C function: `open_tree(OPEN_TREE_CLONE)`.
    public init(cloning path: String, recursive: Bool, at directory: Int32 = Directory.working) throws(SystemError) {
        var flags = UInt32(OPEN_TREE_CLONE) | UInt32(bitPattern: O_CLOEXEC)
        if recursive { flags |= UInt32(AT_RECURSIVE) }
        descriptor = OwnedDescriptor(owning: try check("open_tree", path) { open_tree(directory, path, flags) })
    }

    /// A second mount of an open file or directory.
    ///
    /// C function: `open_tree(OPEN_TREE_CLONE | AT_EMPTY_PATH)`.
    public init(cloning opened: Int32, recursive: Bool = false) throws(SystemError) {
        var flags = UInt32(OPEN_TREE_CLONE) | UInt32(bitPattern: O_CLOEXEC) | UInt32(AT_EMPTY_PATH)
        if recursive { flags |= UInt32(AT_RECURSIVE) }
        descriptor = OwnedDescriptor(owning: try check("open_tree") { open_tree(opened, "", flags) })
    }

    /// Puts the mount over an open file or directory.
    ///
    /// C function: `move_mount`.
    public func attach(over target: Int32) throws(SystemError) { try attachMount(raw, over: target) }

    /// Gives the mount away as a descriptor.
    public consuming func releaseDescriptor() -> OwnedDescriptor { descriptor }

    /// Sets and clears attributes of this mount, and of those below it.
    ///
    /// C function: `mount_setattr`.
    public func change(
        set: MountAttributes = [], clear: MountAttributes = [], recursive: Bool = false
    ) throws(SystemError) {
        try changeMount(raw, set: set, clear: clear, recursive: recursive)
    }
}

/// Whether the kernel lets a process mount the procfs of a pid namespace that it is not in: Linux 6.17 and newer.
///
/// C functions: `fsopen`, `fsconfig` with the option `pidns` of procfs.
public func knowsProcfs(ofNamespace namespace: Int32) -> Bool {
    let raw = fsopen("proc", UInt32(FSOPEN_CLOEXEC))
    if raw < 0 { return false }
    let context = OwnedDescriptor(owning: raw)
    return skiff_fsconfig(context.raw, FSCONFIG_SET_FD.rawValue, "pidns", nil, namespace) == 0
}

/// Shows the owners of files by the mappings of a user namespace.
///
/// C function: `mount_setattr(MOUNT_ATTR_IDMAP)`. Before the mount is attached, with `CAP_SYS_ADMIN` in the user namespace
/// the file system was mounted in.
public func mapOwners(of tree: Int32, by userNamespace: Int32, recursive: Bool) throws(SystemError) {
    var change = mount_attr()
    change.attr_set = UInt64(MOUNT_ATTR_IDMAP)
    change.userns_fd = UInt64(userNamespace)
    let flags = UInt32(AT_EMPTY_PATH) | (recursive ? UInt32(AT_RECURSIVE) : 0)
    try check("mount_setattr", "id mapping") {
        mount_setattr(tree, "", flags, &change, MemoryLayout<mount_attr>.size)
    }
}

/// Puts a detached mount over an open file or directory.
///
/// C function: `move_mount`.
public func attachMount(_ mount: Int32, over target: Int32) throws(SystemError) {
    try check("move_mount") {
        move_mount(mount, "", target, "", UInt32(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
    }
}

/// How mounts and unmounts travel between namespaces; see mount_namespaces(7).
public enum Propagation: UInt64, Sendable, Hashable {
    case shared = 0x10_0000
    case slave = 0x8_0000
    case `private` = 0x4_0000
    case unbindable = 0x2_0000
}

/// Sets and clears attributes, and the propagation, of the mount an open root of it stands for.
///
/// C function: `mount_setattr`.
public func changeMount(
    _ descriptor: Int32, set: MountAttributes = [], clear: MountAttributes = [], propagation: Propagation? = nil,
    recursive: Bool = false
) throws(SystemError) {
    var change = mount_attr()
    change.attr_set = set.rawValue
    change.attr_clr = clear.rawValue
    // The access-time choices are one field: setting one means clearing the field first.
    if !set.isDisjoint(with: .accessTimeMask) { change.attr_clr |= MountAttributes.accessTimeMask.rawValue }
    change.propagation = propagation?.rawValue ?? 0
    let flags = UInt32(AT_EMPTY_PATH) | (recursive ? UInt32(AT_RECURSIVE) : 0)
    try check("mount_setattr") { mount_setattr(descriptor, "", flags, &change, MemoryLayout<mount_attr>.size) }
}

/// Changes how all mounts of this namespace propagate.
///
/// C function: `mount` with `MS_REC` and a propagation flag.
public func changePropagation(ofEverything propagation: Propagation) throws(SystemError) {
    try check("mount", "propagation of /") { mount(nil, "/", nil, UInt(MS_REC) | UInt(propagation.rawValue), nil) }
}

/// Mounts a file system over the working directory, as older interfaces do: for overlays, whose list of directories is
/// relative to it.
///
/// C function: `mount`.
public func mountHere(type: String, options: String) throws(SystemError) {
    try check("mount", "\(type) \(options)") { mount(type, ".", type, 0, options) }
}

/// Makes an open directory the root of this mount namespace and lets go of the old one.
///
/// C functions: `fchdir`, `pivot_root`, `umount2(MNT_DETACH)`; see the note on `pivot_root(".", ".")` in its manual
/// page.
public func pivotRoot(to root: Int32) throws(SystemError) {
    let old = try open("/", O_PATH | O_DIRECTORY)
    try changeDirectory(root)
    try check("pivot_root") { skiff_pivot_root(".", ".") }
    try changeDirectory(old.raw)
    // The old tree must not send its unmount back to where it came from.
    try changePropagation(of: ".", .slave)
    try check("umount2", "old root") { umount2(".", Int32(MNT_DETACH)) }
    try changeDirectory("/")
}

/// Makes an open directory the root without leaving the mounts of the old one: where `pivot_root` cannot work, on an
/// initial ramfs.
///
/// C functions: `mount(MS_MOVE)`, `chroot`.
public func moveRoot(to root: Int32) throws(SystemError) {
    try changeDirectory(root)
    try hideKernelFileSystems(outside: readLink("/proc/self/fd/\(root)"))
    try check("mount", "move to /") { mount(".", "/", nil, UInt(MS_MOVE), nil) }
    try check("chroot") { chroot(".") }
    try changeDirectory("/")
}

/// Takes the old root's procfs and sysfs away.
///
/// The old mounts stay below the new root: a user namespace made inside could mount a bare procfs while one is left in
/// view that nothing covers. C functions: `umount2`, else `mount` of a tmpfs over it.
private func hideKernelFileSystems(outside root: String) throws(SystemError) {
    for line in try readText("/proc/self/mountinfo").split(separator: "\n").reversed() {
        let fields = line.split(separator: " ")
        guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 1, fields.count > 4,
            fields[dash + 1] == "proc" || fields[dash + 1] == "sysfs"
        else { continue }
        let place = String(fields[4])
        if place == root || place.hasPrefix(root + "/") { continue }
        if umount2(place, Int32(MNT_DETACH)) == 0 { continue }
        try check("mount", place) { mount("tmpfs", place, "tmpfs", 0, nil) }
    }
}

/// Changes how the mount at a path propagates, with those below it where asked for.
///
/// C function: `mount`.
public func changePropagation(of path: String, _ propagation: Propagation, recursive: Bool = true) throws(SystemError) {
    try check("mount", "propagation of \(path)") {
        mount(nil, path, nil, UInt(recursive ? MS_REC : 0) | UInt(propagation.rawValue), nil)
    }
}

/// C function: `chdir`.
public func changeDirectory(_ path: String) throws(SystemError) { try check("chdir", path) { chdir(path) } }

/// C function: `fchdir`.
public func changeDirectory(_ directory: Int32) throws(SystemError) { try check("fchdir") { fchdir(directory) } }

/// The `f_type` of the file system an open file is on; see `statfs(2)`.
public func fileSystemType(of descriptor: Int32) throws(SystemError) -> Int {
    var status = statfs()
    try check("fstatfs", "\(descriptor)") { fstatfs(descriptor, &status) }
    return Int(status.f_type)
}
