internal import CLinux

/// The directories of an overlay that is mounted only for whoever holds its descriptor.
///
/// Nothing of it is ever seen in a mount table that outlives the call: on newer kernels the mount is made detached
/// (`fsopen`, `fsmount`), on older ones inside a mount namespace that ends with the thread that made it. A daemon that is
/// killed half-way leaves nothing.
public struct OverlayView: Sendable, Hashable {
    /// The absolute directory the names start at.
    public var base: String
    /// The top one first.
    public var lower: [String]
    public var upper: String?
    public var work: String?

    public init(base: String, lower: [String], upper: String? = nil, work: String? = nil) {
        self.base = base
        self.lower = lower
        self.upper = upper
        self.work = work
    }

    /// How the mount is made.
    public enum Method: Sendable, Hashable, CaseIterable {
        /// `fsconfig` with one `lowerdir+` per directory: Linux 6.7 and newer.
        case detached
        /// `mount(2)` in a namespace of its own, then `open_tree`: Linux 5.2 and newer.
        case borrowedNamespace
    }

    /// Mounts it and opens its root for reading; without `upper` it is read-only.
    ///
    /// It is gone when the descriptor is closed.
    public func open() throws(SystemError) -> OwnedDescriptor {
        guard upper != nil || lower.count > 1 else { return try openSingle() }
        // The kernel takes at most 255 bytes for one value: a longer path goes the other way.
        let longest = ([upper ?? "", work ?? ""] + lower).map(\.utf8.count).max() ?? 0
        if base.utf8.count + longest + 1 < 256 {
            do { return try open(.detached) } catch {
                // EINVAL: no such parameter, so the kernel is older; ENOSYS: no such call.
                guard error.errno == EINVAL || error.errno == ENOSYS else { throw error }
            }
        }
        return try open(.borrowedNamespace)
    }

    /// Mounts it in one particular way, for tests of both.
    public func open(_ method: Method) throws(SystemError) -> OwnedDescriptor {
        let mount =
            switch method {
            case .detached: try openDetached()
            case .borrowedNamespace: try openInBorrowedNamespace()
            }
        return try reopened(mount)
    }

    /// An overlay needs two directories: one alone is shown as it is, read-only.
    private func openSingle() throws(SystemError) -> OwnedDescriptor {
        guard let only = lower.first else { throw SystemError("mount", errno: EINVAL, subject: base) }
        let tree = OwnedDescriptor(
            owning: try check("open_tree", only) {
                open_tree(Directory.working, "\(base)/\(only)", UInt32(OPEN_TREE_CLONE) | UInt32(O_CLOEXEC))
            })
        var change = mount_attr()
        change.attr_set = UInt64(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
        try check("mount_setattr", only) {
            mount_setattr(tree.raw, "", UInt32(AT_EMPTY_PATH), &change, MemoryLayout<mount_attr>.size)
        }
        return try reopened(tree)
    }

    private func openDetached() throws(SystemError) -> OwnedDescriptor {
        let context = OwnedDescriptor(
            owning: try check("fsopen", "overlay") { fsopen("overlay", UInt32(FSOPEN_CLOEXEC)) })
        func set(_ key: String, _ value: String) throws(SystemError) {
            try check("fsconfig", "\(key)=\(value)") {
                skiff_fsconfig(context.raw, FSCONFIG_SET_STRING.rawValue, key, value, 0)
            }
        }
        for name in lower { try set("lowerdir+", "\(base)/\(name)") }
        if let upper, let work {
            try set("upperdir", "\(base)/\(upper)")
            try set("workdir", "\(base)/\(work)")
        }
        for (key, value) in OverlayView.fixedOptions { try set(key, value) }
        try check("fsconfig", "create overlay on \(base)") {
            skiff_fsconfig(context.raw, FSCONFIG_CMD_CREATE.rawValue, nil, nil, 0)
        }
        let attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (upper == nil ? MOUNT_ATTR_RDONLY : 0)
        return OwnedDescriptor(
            owning: try check("fsmount", base) { fsmount(context.raw, UInt32(FSMOUNT_CLOEXEC), UInt32(attributes)) })
    }

    /// What an upper directory must not hold: entries that only this kernel's state explains.
    private static let fixedOptions = [("redirect_dir", "off"), ("metacopy", "off"), ("index", "off")]

    private func openInBorrowedNamespace() throws(SystemError) -> OwnedDescriptor {
        var options = "lowerdir=" + lower.joined(separator: ":")
        if let upper, let work { options += ",upperdir=\(upper),workdir=\(work)" }
        for (key, value) in OverlayView.fixedOptions { options += ",\(key)=\(value)" }
        guard options.utf8.count < 4096 else { throw SystemError("mount", errno: E2BIG, subject: base) }
        let base = base
        let flags = UInt(MS_NOSUID | MS_NODEV) | (upper == nil ? UInt(MS_RDONLY) : 0)
        let raw = try onOwnThread { () throws(SystemError) -> Int32 in
            // Only this thread sees what follows, and the namespace ends with it.
            try check("unshare") { unshare(CLONE_NEWNS) }
            try check("mount", "private /") { mount(nil, "/", nil, UInt(MS_REC | MS_PRIVATE), nil) }
            try check("chdir", base) { chdir(base) }
            try check("mount", "overlay on \(base)") { mount("overlay", ".", "overlay", flags, options) }
            return try check("open_tree", base) {
                open_tree(Directory.working, base, UInt32(OPEN_TREE_CLONE) | UInt32(O_CLOEXEC))
            }
        }
        return OwnedDescriptor(owning: raw)
    }

    /// The root opened for reading; the file system lives as long as a descriptor in it.
    private func reopened(_ mount: borrowing OwnedDescriptor) throws(SystemError) -> OwnedDescriptor {
        try Linux.open(".", O_RDONLY | O_DIRECTORY, at: mount.raw)
    }
}

/// Runs `body` on a thread that exists only for it, so that what it does to its namespaces ends with it.
///
/// Blocks until then.
public func onOwnThread(_ body: @escaping () throws(SystemError) -> Int32) throws(SystemError) -> Int32 {
    final class Work {
        let body: () throws(SystemError) -> Int32
        var outcome: Result<Int32, SystemError> = .failure(SystemError("pthread_create", errno: EAGAIN))
        init(_ body: @escaping () throws(SystemError) -> Int32) { self.body = body }
    }
    let work = Work(body)
    var thread = pthread_t()
    let context = Unmanaged.passRetained(work)
    let number = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
            do throws(SystemError) { work.outcome = .success(try work.body()) } catch { work.outcome = .failure(error) }
            return nil
        }, context.toOpaque())
    guard number == 0 else {
        context.release()
        throw SystemError("pthread_create", errno: number)
    }
    pthread_join(thread, nil)
    return try work.outcome.get()
}
