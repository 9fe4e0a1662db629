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
    static func make(_ spec: RuntimeSpec, id: String, _ context: RuntimeContext) throws(RuntimeFailure) -> Cgroup {
        let resctrl = try ResctrlGroup.make(spec.linux.intelRDT, id: id)
        do throws(RuntimeFailure) {
            var cgroup = try makeCgroup(spec, id: id, context)
            cgroup.resctrl = resctrl
            return cgroup
        } catch {
            try? resctrl?.delete()
            throw error
        }
    }

    private static func makeCgroup(
        _ spec: RuntimeSpec, id: String, _ context: RuntimeContext
    ) throws(RuntimeFailure) -> Cgroup {
        let layout: CgroupLayout
        do { layout = try CgroupLayout.detect() } catch { throw RuntimeFailure(.cgroup, error) }
        let resources = spec.linux.resources, isRootless = context.isRootless, log = context.log
        if context.usesSystemd {
            let request = try SystemdScope.Request(
                path: spec.linux.cgroupsPath, id: id, isUser: context.isRootless, annotations: spec.annotations)
            return try Cgroup.start(request, resources, layout: layout)
        }
        if let path = spec.linux.cgroupsPath, !path.isEmpty {
            // Relative paths are left to the runtime by config-linux.md, "Cgroups Path".
            let cgroup = try Cgroup(path: path.hasPrefix("/") ? path : "/" + path, layout: layout)
            do throws(RuntimeFailure) { try create(cgroup, resources, isRootless, log) } catch {
                guard isRootless, refusals.contains(error.errno) else { throw error }
                throw RuntimeFailure(
                    .cgroup,
                    "linux.cgroupsPath \(path): \(error.message); this user may not: have a group delegated, or leave the "
                        + "path and all limits out", errno: error.errno)
            }
            return cgroup
        }
        guard isRootless else {
            let cgroup = try Cgroup(path: "/skiff-runtime/\(id)", layout: layout)
            try cgroup.create(resources)
            return cgroup
        }
        var refusal: RuntimeFailure?
        if let parent = DelegatedGroup.parent(layout) {
            do throws(RuntimeFailure) {
                let cgroup = try Cgroup(path: parent + "/skiff-runtime-\(id)", layout: layout)
                try create(cgroup, resources, isRootless, log)
                return cgroup
            } catch {
                guard refusals.contains(error.errno) else { throw error }
                refusal = error
            }
        }
        let limits = resources.limitNames
        guard limits.isEmpty else {
            let cause = refusal.map { " (\($0.message))" } ?? ""
            throw RuntimeFailure(
                .cgroup,
                "linux.resources: \(limits.joined(separator: ", ")) cannot be kept without a cgroup, and this user may make "
                    + "none\(cause): have one delegated, or leave the limits out", errno: refusal?.errno ?? EPERM)
        }
        if !resources.devices.isEmpty { log.note("linux.resources.devices does not hold: \(Self.noGroup)") }
        log.debug(Self.noGroup)
        return .none(layout)
    }

    /// Makes the group, or only what the process is born in, where the rest is left for ``Cgroup/finish()``.
    ///
    /// - Returns: the group, and whether it is to be finished.
    static func begin(
        _ spec: RuntimeSpec, id: String, _ context: RuntimeContext
    ) throws(RuntimeFailure) -> (cgroup: Cgroup, isBegun: Bool) {
        guard !context.isRootless, !context.usesSystemd, spec.linux.intelRDT == nil else {
            return (try make(spec, id: id, context), false)
        }
        let layout: CgroupLayout
        do { layout = try CgroupLayout.detect() } catch { throw RuntimeFailure(.cgroup, error) }
        let path = spec.linux.cgroupsPath.flatMap { $0.isEmpty ? nil : $0 } ?? "/skiff-runtime/\(id)"
        let cgroup = try Cgroup(path: path.hasPrefix("/") ? path : "/" + path, layout: layout)
        if try cgroup.begin() { return (cgroup, true) }
        try cgroup.create(spec.linux.resources)
        return (cgroup, false)
    }

    private static let noGroup = "this user may not make a cgroup, so nothing of the container is counted or limited"

    private static let refusals = [EACCES, EPERM, EROFS]

    private static func create(
        _ cgroup: Cgroup, _ resources: RuntimeSpec.Resources, _ isRootless: Bool, _ log: Log
    ) throws(RuntimeFailure) {
        let restricted = try cgroup.create(resources, devicesMayBeRefused: isRootless)
        if !restricted, !resources.devices.isEmpty {
            log.note("linux.resources.devices does not hold: only root may install device rules")
        }
    }
}

/// The container's cgroup on this host.
func group(of state: ContainerState) throws -> Cgroup {
    let layout = try CgroupLayout.find(state.hierarchies)
    var group =
        state.cgroup.isEmpty ? Cgroup.none(layout) : try Cgroup(path: state.cgroup, layout: layout, scope: state.scope)
    group.resctrl = state.resctrl
    return group
}

/// The same, for what a container without one cannot have done to it.
///
/// - Parameter action: what that is, for the message.
func group(of state: ContainerState, to action: String) throws -> Cgroup {
    guard state.cgroup.isEmpty else { return try group(of: state) }
    throw RuntimeFailure(
        .specification, "cannot \(action) container \(state.id): it has no cgroup, since its user may make none")
}

/// The processes of a container, also of one without a cgroup.
func processes(of state: ContainerState) throws -> [pid_t] {
    guard state.cgroup.isEmpty else { return try group(of: state).processes() }
    guard processStartTime(state.pid) == state.startTime else { return [] }
    return ProcessTree.processes(of: state.pid, ownsProcesses: state.ownsProcesses)
}

/// Kills all of them.
func killProcesses(of state: ContainerState) throws {
    guard state.cgroup.isEmpty else { return try group(of: state).kill() }
    for pid in try processes(of: state) { try? sendSignal(SIGKILL, to: pid) }
}
