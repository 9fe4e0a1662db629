internal import Linux
internal import OCI

/// Mounts of a container that come from the host: CRIU neither dumps nor makes them, but asks where they are.
///
/// ```
/// dump      "/data"  is external                  the key that the image keeps
/// restore   "/data"  is /srv/data of the host     by the bundle that is restored
/// ```
struct ExternalMounts: Sendable, Equatable {
    /// What a document says of one.
    struct Wanted: Sendable, Equatable {
        /// As the document has it, links unresolved.
        var destination: String
        var source: String
        /// Whether what is mounted below the source comes along.
        var recursive: Bool
    }

    /// Those of a document: its binds, the host's devices in a user namespace, the cgroups of a container that shares the
    /// host's cgroup namespace.
    static func wanted(
        _ spec: RuntimeSpec, mounts: [PlannedMount], cgroups: CgroupLayout, cgroupPath: String
    ) -> [Wanted] {
        var wanted: [Wanted] = []
        for mount in mounts {
            switch mount.kind {
            case .bind(let source, let recursive):
                wanted.append(Wanted(destination: mount.destination, source: source, recursive: recursive))
            case .cgroup where spec.linux.namespace(.cgroup) == nil:
                if cgroups.isV1 {
                    wanted += cgroups.hierarchies.map {
                        Wanted(
                            destination: mount.destination + "/" + $0.name, source: $0.mountPoint + cgroupPath,
                            recursive: false)
                    }
                } else {
                    wanted.append(
                        Wanted(
                            destination: mount.destination, source: cgroups.unified + cgroupPath, recursive: false))
                }
            default: break
            }
        }
        if spec.linux.namespace(.user) != nil {
            let own = spec.linux.devices
            let standard = (0..<DeviceStep.standardCount).map(DeviceStep.standard)
            let devices = standard.filter { device in !own.contains { $0.path == device.path } } + own
            wanted += devices.map { Wanted(destination: $0.path, source: $0.path, recursive: false) }
        }
        return wanted
    }

    /// The mounts of a running container among those, with what a recursive bind has brought along.
    ///
    /// - Parameters:
    ///   - resolve: where a destination is, links followed inside the container.
    ///   - real: a path of the host with its links followed.
    /// - Returns: CRIU's pairs, the place in the container as key and value.
    static func ofContainer(
        _ wanted: [Wanted], table: MountTable, host: MountTable, resolve: (String) -> String?, real: (String) -> String?
    ) -> [CRIUOptions.Pair] {
        var places: [String] = []
        for mount in wanted {
            // Unmounted by the container since, or never a mount: nothing of the host's then.
            guard let place = resolve(mount.destination), table.at(place) != nil else { continue }
            places.append(place)
            guard mount.recursive, let source = real(mount.source) else { continue }
            for (rest, entry) in table.below(place) {
                guard let origin = host.at(source == "/" ? rest : source + rest), origin.device == entry.device,
                    origin.root == entry.root
                else { continue }
                places.append(entry.mountPoint)
            }
        }
        var seen: Set<String> = []
        return places.filter { seen.insert($0).inserted }.map { CRIUOptions.Pair($0, $0) }
    }

    /// The same for a container that is to be: which source each key stands for.
    static func ofBundle(
        _ wanted: [Wanted], host: MountTable, resolve: (String) -> String?, real: (String) -> String?
    ) -> [CRIUOptions.Pair] {
        var sources: [CRIUOptions.Pair] = []
        for mount in wanted {
            let place = resolve(mount.destination) ?? mount.destination
            let source = real(mount.source) ?? mount.source
            sources.append(CRIUOptions.Pair(place, source))
            guard mount.recursive else { continue }
            for (rest, entry) in host.below(source) {
                sources.append(CRIUOptions.Pair(place == "/" ? rest : place + rest, entry.mountPoint))
            }
        }
        var seen: Set<String> = []
        // A later mount covers an earlier one at the same place.
        return sources.reversed().filter { seen.insert($0.key).inserted }.reversed()
    }
}
