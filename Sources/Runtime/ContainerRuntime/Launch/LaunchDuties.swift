internal import CLinux
internal import Linux
internal import OCI

/// What the process that makes a container, or lets one enter, does for its child while that sets itself up.
struct LaunchDuties {
    var mappings: UserMappings?
    /// Who puts the child into its cgroup while it waits for its mappings.
    var adopter: SystemdScope?
    /// Whether the child is on the way only: the mappings are its successor's.
    var passesOn = false
    /// When a process enters a pid namespace with others in it; of one that is confined the last is listened to with care.
    var entry = PidEntry.atBirth
    /// Whether the child waits at a gate: the exchange ends there instead of at `exec`.
    var gated = false
    /// Whether the child goes on beside this process, and so on another processor, once it has its mappings.
    var isApart = false
    /// Programs to run while the child stands there.
    var hooks: [HookRun] = []
    /// Interfaces to move into the child's network namespace.
    var interfaces: PreparedNetworkDevices?
    /// By what namespaces the owners of mounts are shown, by the mount's place in the list.
    var ownerNamespaces: [OwnerNamespace] = []
    /// Who is to be told of the calls the child's filter speaks of.
    var listener: SeccompListener?
    /// Whether that can wait for the successor, whose number is told then: its maker makes no such call.
    var listenerWaits = false

    /// Where the child is in this process's memory: what it leaves there.
    var handover: SharedHandover?

    init() {}

    /// What is due when the child has mounted everything.
    func perform(for pid: pid_t) throws(RuntimeFailure) {
        if let interfaces { try interfaces.move(to: pid) }
        for hook in hooks {
            try HookRun(
                hook.point, hook.hooks, state: hook.state.with(.creating, pid: pid), directory: hook.directory
            ).run()
        }
    }
}
