internal import CLinux
internal import Linux
internal import OCI

/// Sources of mounts that are opened before the process is root of the container's namespaces.
///
/// ```
/// a user namespace   its root may not walk to the sources: those it cannot open itself are taken from here
/// mapped owners      the namespace of the mapping, by which the caller maps what the process opens
/// shared and slave   a mount copied before the container's own namespace is made stays the peer of the host's
/// ```
/// Nothing is opened ahead where neither is asked for. An ordinary user may copy no mount of the host: what the parent
/// was refused the child opens, which has the right in its own namespace and is still the user.
final class PreparedSources {
    /// What was opened for the mount at a place of the list.
    ///
    /// A class: Swift has one kind of list for all of them, and makes one at run time for each structure.
    private final class Opened: Sendable {
        let number: Int
        let descriptor: SharedDescriptor

        init(number: Int, descriptor: SharedDescriptor) { (self.number, self.descriptor) = (number, descriptor) }
    }

    private var trees: [Opened] = []
    private var fallbacks: [Opened] = []
    /// Whose ids the owners of which mount are shown by.
    private(set) var ownerNamespaces: [OwnerNamespace] = []
    private(set) var root: SharedDescriptor?
    /// Whether the parent may not copy mounts.
    private(set) var isRefused = false

    /// - Parameter joinedUser: the user namespace the container joins, whose mappings serve where a mount names none.
    init(_ plan: LaunchPlan, rootfs: RootfsSource, joinedUser: Int32?) throws(RuntimeFailure) {
        let inUserNamespace = plan.mappings != nil || joinedUser != nil
        do throws(RuntimeFailure) { try openRoot(plan, rootfs, inUserNamespace) } catch {
            guard error.errno == EPERM else { throw error }
            isRefused = true
        }
        for (number, mount) in plan.mounts.enumerated() {
            guard case .bind(let source, let recursive) = mount.kind, let mapping = mount.ownerMapping else { continue }
            if isRefused {
                throw RuntimeFailure(
                    .mounts, "id mapping of \(source), for \(mount.destination): only root may map owners", errno: EPERM
                )
            }
            let owners = OwnerNamespace(
                number: number, namespace: SharedDescriptor(try Self.namespace(mapping, plan, joinedUser, mount)),
                recursive: mapping.recursive, subject: "\(source), for \(mount.destination)")
            ownerNamespaces.append(owners)
            var opened: SharedDescriptor?
            if mount.needsPeer {
                let tree = SharedDescriptor(try Self.open(source, recursive, for: mount).releaseDescriptor())
                trees.append(Opened(number: number, descriptor: tree))
                opened = tree
            } else if inUserNamespace, let tree = try? MountTree(cloning: source, recursive: recursive) {
                let fallback = SharedDescriptor(tree.releaseDescriptor())
                fallbacks.append(Opened(number: number, descriptor: fallback))
                opened = fallback
            }
            guard let opened else { continue }
            try owners.map(opened.raw)
            try step(.mounts) { () throws(SystemError) in try Self.settle(opened.raw, mount, plan.propagation) }
        }
        if !isRefused { try openBinds(plan, inUserNamespace) }
    }

    /// In the child, which owns its mount namespace and is the caller still: opens what the parent was refused.
    func openAsUser(_ plan: LaunchPlan, rootfs: RootfsSource) throws(RuntimeFailure) {
        guard isRefused, plan.created.contains(.mount) else { return }
        try openRoot(plan, rootfs, true)
        try openBinds(plan, true)
    }

    private func openRoot(
        _ plan: LaunchPlan, _ rootfs: RootfsSource, _ inUserNamespace: Bool
    ) throws(RuntimeFailure) {
        guard inUserNamespace, case .directory(let path) = rootfs else { return }
        root = try step(.rootfs) { () throws(SystemError) in
            let tree = try MountTree(cloning: path, recursive: true)
            try changeMount(tree.raw, propagation: plan.propagation.ofCopies, recursive: true)
            return SharedDescriptor(tree.releaseDescriptor())
        }
    }

    private func openBinds(_ plan: LaunchPlan, _ inUserNamespace: Bool) throws(RuntimeFailure) {
        for (number, mount) in plan.mounts.enumerated() where mount.ownerMapping == nil {
            guard case .bind(let source, let recursive) = mount.kind else { continue }
            if mount.needsPeer {
                let tree = SharedDescriptor(try Self.open(source, recursive, for: mount).releaseDescriptor())
                trees.append(Opened(number: number, descriptor: tree))
            } else if inUserNamespace, let tree = try? MountTree(cloning: source, recursive: recursive) {
                // What cannot be opened is the child's to complain of, which may know it by an earlier mount.
                try step(.mounts) { () throws(SystemError) in try Self.settle(tree.raw, mount, plan.propagation) }
                fallbacks.append(Opened(number: number, descriptor: SharedDescriptor(tree.releaseDescriptor())))
            }
        }
    }

    private static func open(
        _ source: String, _ recursive: Bool, for mount: PlannedMount
    ) throws(RuntimeFailure) -> MountTree {
        try step(.mounts) { () throws(SystemError) in
            do throws(SystemError) { return try MountTree(cloning: source, recursive: recursive) } catch {
                throw error.about("\(source), for \(mount.destination)")
            }
        }
    }

    /// A copy of a mount of the host's is its peer: what is mounted in it would be seen there.
    private static func settle(
        _ tree: Int32, _ mount: PlannedMount, _ propagation: PlannedPropagation
    ) throws(SystemError) {
        if mount.needsPeer { return }
        try changeMount(tree, propagation: propagation.ofCopies, recursive: true)
    }

    /// The mount that was opened for one of the list, nil where it is to be opened now.
    func tree(_ number: Int) throws(SystemError) -> MountTree? {
        try Self.opened(number, in: trees)
    }

    /// The mount for a source that the child may not open.
    func fallback(_ number: Int) throws(SystemError) -> MountTree? {
        try Self.opened(number, in: fallbacks)
    }

    private static func opened(_ number: Int, in list: [Opened]) throws(SystemError) -> MountTree? {
        for opened in list where opened.number == number {
            return MountTree(owning: try opened.descriptor.duplicate())
        }
        return nil
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

/// A user namespace whose ids the owners of a mount are shown by.
struct OwnerNamespace: Sendable {
    /// The mount's place in the list.
    let number: Int
    let namespace: SharedDescriptor
    let recursive: Bool
    /// For messages: the source and where it goes.
    let subject: String

    /// Maps the owners of a mount that is attached nowhere yet.
    func map(_ tree: Int32) throws(RuntimeFailure) {
        try step(.mounts) { () throws(SystemError) in
            do throws(SystemError) {
                try mapOwners(of: tree, by: namespace.raw, recursive: recursive)
            } catch { throw error.about("id mapping of \(subject)") }
        }
    }
}
