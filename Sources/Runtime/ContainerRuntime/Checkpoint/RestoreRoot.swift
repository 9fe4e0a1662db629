internal import CLinux
internal import Linux

/// The root file system that CRIU restores a container into, in a mount namespace of CRIU's own.
///
/// CRIU makes the container's mounts, but not the places for them, and wants the root to be a mount whose parent is not
/// covered. All of it goes with the namespace: there is nothing to unmount, however the restore ends.
struct RestoreRoot: Sendable {
    /// The root file system's directory, absolute, with no links in it.
    var rootfs: String
    /// A directory of ours that the root is put over.
    var place: String
    var mounts: [PlannedMount]

    /// Makes what is missing and mounts the root.
    ///
    /// - Parameter destinations: whose places are asked for.
    /// - Returns: where each destination is in the container, links followed; nil where that is only known once CRIU has
    ///   restored a file system above it.
    func prepare(_ destinations: [String]) throws(RuntimeFailure) -> [String?] {
        let places = try step(.mounts) { () throws(SystemError) -> [String?] in
            try changePropagation(ofEverything: .slave)
            // Binds are mounted for a moment, since places of other mounts may lie in them.
            let root = try ContainerRoot(.directory(rootfs))
            for mount in mounts where !isRestored(mount.destination) {
                do throws(SystemError) { try makePlace(mount, in: root) } catch {
                    throw error.about("\(error.subject.map { $0 + ", " } ?? "")for \(mount.destination)")
                }
            }
            return destinations.map { isRestored($0) ? nil : locate($0, in: root) }
        }
        try step(.rootfs) { () throws(SystemError) in
            try detachMount(rootfs)
            let below = try Linux.open(place, O_PATH | O_DIRECTORY)
            try MountTree(cloning: rootfs, recursive: true).attach(over: below.raw)
        }
        return places
    }

    /// Whether a place lies in a file system that comes back with its content: nothing has to be made there.
    private func isRestored(_ destination: String) -> Bool {
        mounts.contains { mount in
            guard case .fileSystem = mount.kind else { return false }
            return destination.hasPrefix(mount.destination + "/")
        }
    }

    private func makePlace(_ mount: PlannedMount, in root: borrowing ContainerRoot) throws(SystemError) {
        switch mount.kind {
        case .change: break
        case .fileSystem, .cgroup: _ = try root.directory(mount.destination)
        case .bind(let source, let recursive):
            let tree = try MountTree(cloning: source, recursive: recursive)
            let isDirectory = try status(of: tree.raw).isDirectory
            let target = isDirectory ? try root.directory(mount.destination) : try root.file(mount.destination)
            try tree.attach(over: target.raw)
        }
    }

    private func locate(_ destination: String, in root: borrowing ContainerRoot) -> String? {
        guard let opened = try? root.open(destination), let path = try? readLink(opened.procPath),
            path.hasPrefix(rootfs + "/")
        else { return nil }
        return String(path.dropFirst(rootfs.utf8.count))
    }
}
