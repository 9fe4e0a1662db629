internal import Linux

/// Bind sources as the parent sees them, for a container whose own root may not reach them.
enum PreparedSources {
    /// Opens what can be opened; what cannot is the child's to complain of, which may know it by an earlier mount.
    static func open(_ mounts: [PlannedMount]) -> [String: SharedDescriptor] {
        var sources: [String: SharedDescriptor] = [:]
        for mount in mounts {
            guard case .bind(let source, let recursive) = mount.kind,
                let kept = try? MountTree(cloning: source, recursive: recursive).descriptor.duplicate()
            else { continue }
            sources[source] = SharedDescriptor(kept)
        }
        return sources
    }
}
