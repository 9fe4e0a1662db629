internal import CLinux
internal import Linux
internal import OCI

/// Sources of mounts that are opened before the process leaves the caller's namespaces.
///
/// ```
/// a user namespace   its root may not walk to the sources: those it cannot open itself are taken from here
/// mapped owners      its root may not map them
/// shared and slave   a mount copied before the container's own namespace is made stays the peer of the host's
/// ```
/// Nothing is opened ahead where neither is asked for.
struct PreparedSources: Sendable {
    /// By the mount's place in the list.
    private var trees: [Int: SharedDescriptor] = [:]
    private var fallbacks: [Int: SharedDescriptor] = [:]
    private(set) var root: SharedDescriptor?

    /// - Parameter joinedUser: the user namespace the container joins, whose mappings serve where a mount names none.
    init(_ plan: LaunchPlan, rootfs: RootfsSource, joinedUser: Int32?) throws(RuntimeFailure) {
        let inUserNamespace = plan.mappings != nil || joinedUser != nil
        for (number, mount) in plan.mounts.enumerated() {
            guard case .bind(let source, let recursive) = mount.kind else { continue }
            guard mount.ownerMapping != nil || mount.needsPeer else {
                // What cannot be opened is the child's to complain of, which may know it by an earlier mount.
                if inUserNamespace, let tree = try? MountTree(cloning: source, recursive: recursive) {
                    fallbacks[number] = SharedDescriptor(tree.releaseDescriptor())
                }
                continue
            }
            let tree = try step(.mounts) { () throws(SystemError) in
                do throws(SystemError) { return try MountTree(cloning: source, recursive: recursive) } catch {
                    throw error.about("\(source), for \(mount.destination)")
                }
            }
            if let mapping = mount.ownerMapping {
                let namespace = try Self.namespace(mapping, plan, joinedUser, mount)
                try step(.mounts) { () throws(SystemError) in
                    do throws(SystemError) {
                        try tree.mapOwners(by: namespace.raw, recursive: mapping.recursive)
                    } catch { throw error.about("id mapping of \(source), for \(mount.destination)") }
                }
            }
            trees[number] = SharedDescriptor(tree.releaseDescriptor())
        }
        if inUserNamespace, case .directory(let path) = rootfs {
            root = try step(.rootfs) { () throws(SystemError) -> SharedDescriptor? in
                do throws(SystemError) {
                    return SharedDescriptor(try MountTree(cloning: path, recursive: true).releaseDescriptor())
                } catch {
                    // An ordinary user may mount nothing here, and is the same to the directory inside as outside.
                    guard error.errno == EPERM else { throw error }
                    return nil
                }
            }
        }
    }

    /// The mount that was opened for one of the list, nil where it is to be opened now.
    func tree(_ number: Int) throws(SystemError) -> MountTree? {
        guard let opened = trees[number] else { return nil }
        return MountTree(owning: try opened.duplicate())
    }

    /// The mount for a source that the child may not open.
    func fallback(_ number: Int) throws(SystemError) -> MountTree? {
        guard let opened = fallbacks[number] else { return nil }
        return MountTree(owning: try opened.duplicate())
    }

    private static func namespace(
        _ mapping: PlannedMount.OwnerMapping, _ plan: LaunchPlan, _ joinedUser: Int32?, _ mount: PlannedMount
    ) throws(RuntimeFailure) -> OwnedDescriptor {
        if let own = mapping.mappings { return try own.makeNamespace() }
        if let joinedUser { return try step(.mounts) { () throws(SystemError) in try duplicate(joinedUser) } }
        guard let mappings = plan.mappings else {
            throw RuntimeFailure(
                .specification, "mount \(mount.destination): idmap needs mappings, its own or a user namespace's")
        }
        return try mappings.makeNamespace()
    }
}
