internal import CLinux
internal import Linux
internal import OCI

/// Another's pid namespace, which a container is made to share, and enters once it is confined: ``PidEntry``.
///
/// ```
/// clone ─▶ other namespaces, mounts, hooks, root, confines itself ─ clone ─▶ gate, program
/// ```
struct SharedProcesses: Sendable {
    /// How the procfs of that namespace is mounted from outside; nil where the document has none.
    let procfs: SharedProcfs?

    /// - Returns: nil where the container has a pid namespace of its own or the caller's, where a user namespace is in between,
    ///   and where it cannot be done: what is born there is set up there.
    init?(_ launch: ContainerLaunch, _ plan: LaunchPlan, _ joined: JoinedNamespaces) throws(RuntimeFailure) {
        guard let namespace = joined.descriptor(.pid), joined.user == nil, plan.mappings == nil,
            try !joined.isCallers(.pid)
        else { return nil }
        var terminal = false
        if case .terminal = launch.stdio { terminal = true }
        guard PidEntry.isConfined(plan.process, .pid, terminal: terminal),
            launch.spec.linux.resources.pidsLimit != 1, !plan.process.isAlone
        else { return nil }
        let mounts = plan.mounts.filter { mount in
            if case .fileSystem("proc", _) = mount.kind { true } else { false }
        }
        if mounts.isEmpty {
            procfs = nil
        } else if knowsProcfs(ofNamespace: namespace.raw) {
            procfs = .byOption(namespace)
        } else if mounts.count == 1, mounts[0].data.isEmpty, let copy = SharedProcfs.copy(of: namespace.raw) {
            procfs = .asCopy(copy)
        } else {
            return nil
        }
    }
}

extension PlannedProcess {
    /// Whether a limit of its own has room for one process, and none for the two it would be for a moment.
    fileprivate var isAlone: Bool {
        limits.contains { $0.resource == Self.limit("RLIMIT_NPROC") && $0.soft <= 1 }
    }
}
