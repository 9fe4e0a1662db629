internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI

/// Which cgroup a container gets.
enum ContainerGroup {
    /// Makes the group with the document's limits.
    ///
    /// Where an ordinary user may make none and the document names none, the container goes without; limits are refused
    /// then, since they could not be kept.
    static func make(_ spec: RuntimeSpec, id: String, isRootless: Bool, _ log: Log) throws(RuntimeFailure) -> Cgroup {
        let layout: CgroupLayout
        do { layout = try CgroupLayout.detect() } catch { throw RuntimeFailure(.cgroup, error) }
        let resources = spec.linux.resources
        if let path = spec.linux.cgroupsPath, !path.isEmpty {
            // Relative paths are left to the runtime by config-linux.md, "Cgroups Path".
            let cgroup = try Cgroup(path: path.hasPrefix("/") ? path : "/" + path, layout: layout)
            try cgroup.create(resources)
            return cgroup
        }
        guard isRootless else {
            let cgroup = try Cgroup(path: "/skiff-runtime/\(id)", layout: layout)
            try cgroup.create(resources)
            return cgroup
        }
        do throws(RuntimeFailure) {
            let cgroup = try Cgroup(path: ownGroup() + "/skiff-runtime-\(id)", layout: layout)
            try cgroup.create(resources)
            return cgroup
        } catch {
            guard [EACCES, EPERM, EROFS].contains(error.errno) else { throw error }
            log.debug("no cgroup: \(error)")
            let none = Cgroup.none(layout)
            do throws(RuntimeFailure) { try none.create(resources) } catch {
                throw RuntimeFailure(
                    .cgroup,
                    "limits need a cgroup, and this user may not make one: leave linux.resources out, or have a group "
                        + "delegated and name it in linux.cgroupsPath", errno: error.errno)
            }
            return none
        }
    }

    /// The group this process is in, in the unified hierarchy; empty at its root.
    private static func ownGroup() -> String {
        let text = (try? readText("/proc/self/cgroup")) ?? ""
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return "" }
        let path = String(line.dropFirst(3))
        return path == "/" ? "" : path
    }
}

/// The container's cgroup on this host.
func group(of state: ContainerState) throws -> Cgroup {
    let layout = try CgroupLayout.detect()
    return state.cgroup.isEmpty ? .none(layout) : try Cgroup(path: state.cgroup, layout: layout)
}
