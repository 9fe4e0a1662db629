public import CLinux
public import Linux
public import OCI

/// Where a container's root file system comes from.
public enum RootfsSource: Sendable, Hashable {
    /// Layers to be mounted inside the container's own mount namespace: nothing to unmount on the host.
    case overlay(OverlayMount)
    /// A directory that is there already, absolute.
    case directory(String)
}

/// What the first process, or one that enters, has as standard streams.
public enum Stdio: Sendable {
    /// Descriptors of the caller, which keeps them.
    case descriptors(input: Int32, output: Int32, error: Int32)
    /// A new pseudo-terminal of the container's devpts; its master comes back with the running process.
    case terminal(size: WindowSize?)
}

/// When the container's program begins.
public enum StartGate: Sendable {
    case immediately
    /// When something is written into this FIFO, opened for both directions so that it never hangs up: `create`, then
    /// `start` from another process.
    case fifo(Int32)
}

/// Everything needed to make one container; ``start()`` does it.
///
/// The parent and the child talk over one socket pair:
/// ```
/// parent                                  child (clone3: new namespaces, v2: born in its cgroup)
///   writes uid/gid maps ─── "go" ──────▶  waits for it if there is a new user namespace
///                                         joins cgroups and namespaces, mounts
///   v1 groups, network ──── "made" ────▶  where they were only begun: mounts first what needs neither, then waits and joins
///   ◀─────── "map" + mount ────────────   for each mount with mapped owners: waits
///   maps its owners ─────── "go" ──────▶
///   ◀────────── "mounted" ──────────────  only with hooks or interfaces: waits
///   runs hooks, moves interfaces ─ "go" ▶
///                                         pivots, confines itself
///   ◀────────── "listener" + descriptor   where its filter tells of calls
///   ◀────────── "ready" + master ───────  with the terminal's master attached, where there is one
///   ◀────────── failure record ─────────  instead, at any step up to exec
///   ◀────────── end of file ────────────  exec succeeded: the socket is close-on-exec
/// ```
/// Behind a ``StartGate/fifo(_:)`` the parent returns at "ready": what goes wrong from then on is seen as the process's end.
///
/// A user namespace that is joined must be entered before the namespaces are made that it shall own, and nobody returns from
/// it; a user does not return from a pid namespace either. There a process on the way enters, makes the container's as its
/// own sibling, sends "successor" and ends. So does one that sets a container up outside of the pid namespace it shares, but at
/// the very end: ``PidEntry``.
/// ```
/// confined                                sends "ready" with the master, where there is one; enters, confines itself, clones
///   ◀────────── "successor" + pidfd ────  and ends
///   "go" ────────────────────────────▶    whoever is born waits for it; then "ready", if there is a gate, failure or exec
/// ```
public struct ContainerLaunch: Sendable {
    public var id: String
    public var spec: RuntimeSpec
    public var rootfs: RootfsSource
    public var stdio: Stdio
    /// The network namespace to join instead of what the document says.
    public var networkNamespace: Int32?
    /// The new network namespace the document asks for, where it was begun already: ``beginNetwork(for:)``.
    public var network = NetworkUnderway()
    /// The compiled filter, `struct sock_filter` after another; nil for none.
    public var filter: [UInt8]? {
        get { instructions.isEmpty ? nil : instructions }
        set { instructions = newValue ?? [] }
    }
    // An optional's type would be made at run time for it.
    private var instructions: [UInt8] = []
    public var gate: StartGate
    /// Descriptors 3 … 2 + n of the caller that the program gets under the same numbers.
    public var preservedDescriptors: Int32
    /// Whether pid 1 is an init of ours that reaps, with the program as its child.
    public var reapingInit: Bool
    /// Whether the process keeps the session keyring it was started with.
    public var keepsSessionKeyring: Bool
    /// Whether the root is changed without `pivot_root`, for hosts that run from an initial ramfs.
    public var avoidsPivotRoot: Bool
    /// The directory hooks are told of and begin in, absolute.
    public var bundle: String
    /// What keeps the caller's program from being overwritten; it has to be in place before the start.
    public var seal: ProgramSeal?

    public init(id: String, spec: RuntimeSpec, rootfs: RootfsSource, stdio: Stdio) {
        self.id = id
        self.spec = spec
        self.rootfs = rootfs
        self.stdio = stdio
        gate = .immediately
        preservedDescriptors = 0
        reapingInit = false
        keepsSessionKeyring = false
        avoidsPivotRoot = false
        bundle = "/"
    }

    /// Makes the container in a cgroup that is there already, and starts its process or leaves it at the gate.
    ///
    /// On a failure nothing of the process is left; the cgroup is the caller's.
    ///
    /// - Parameters:
    ///   - finish: for a group that was only begun: makes the rest of it, while the process sets itself up.
    ///   - meanwhile: what else can be done while it does; it is given the process's number, nil where that is still to
    ///     change.
    public func start(
        in cgroup: Cgroup, finish: (() throws(RuntimeFailure) -> Void)? = nil,
        meanwhile: (pid_t?) throws(RuntimeFailure) -> Void = { (_) throws(RuntimeFailure) in }
    ) throws(RuntimeFailure) -> RunningProcess {
        var plan = try LaunchPlan(self)
        let isLate = finish != nil && plan.allowsLateGroup
        // Where there is something to be done meanwhile, the process makes what it can by itself. What an ordinary user's
        // needs of the host's mounts it has rights to in its own mount namespace only.
        let isApart = isLate || gate.isFifo && plan.leavesByItself && !plan.created.contains(.user)
        let networkComes = isApart && plan.leaveNetwork(to: network)
        if let finish, !isLate { try finish() }
        let membership =
            isLate ? cgroup.birth() : try step(.cgroup) { () throws(SystemError) in try cgroup.membership() }
        let channel = try step(.namespaces) { () throws(SystemError) in try LaunchChannel() }
        let joined = try JoinedNamespaces(plan.joined, override: networkNamespace)
        try plan.refuseHostsNamespaces(joined)
        let devices = plan.mappings.flatMap { PreparedDevices(spec.linux.devices, mappings: $0) }
        let sources = try PreparedSources(plan, rootfs: rootfs, joinedUser: joined.user)
        var duties = try duties(plan)
        // A pid namespace is entered by children only: the caller steps in for the clone and out again.
        let shared = try SharedProcesses(self, plan, joined)
        let home =
            shared == nil
            ? try joined.enterForChildren(unprivileged: plan.mappings != nil || joined.user != nil)
            : JoinedNamespaces.Home()
        if shared != nil { (duties.entry, duties.listenerWaits) = (.confined, plan.process.filtersLast) }
        let passesOn = joined.user != nil || home.isRefused
        duties.passesOn = passesOn
        duties.isApart = isApart
        duties.ownerNamespaces = sources.ownerNamespaces
        // Only a child that waits can be moved before it looks at where it is.
        duties.adopter = plan.mappings != nil || passesOn ? membership.adopter : nil
        let birthplace = duties.adopter == nil ? membership.birthplace : nil
        // Not in the child: each value that is taken over there is a page of memory copied for its count.
        let child = ContainerChild(
            launch: self, plan: plan, membership: membership, joined: joined, home: home, sources: sources,
            devices: devices, interfaces: duties.interfaces, passesOn: passesOn,
            entersProcessesLate: home.isRefused, shared: shared, leavesByItself: isApart, joinsLate: isLate,
            networkComes: networkComes)
        let cloned: Cloned
        do throws(RuntimeFailure) {
            cloned = try step(.namespaces) { () throws(SystemError) in
                try Linux.clone(passesOn ? [] : isApart ? plan.atBirth : plan.created, cgroup: birthplace)
            }
        } catch {
            try? home.leave()
            throw Self.explain(error, inUserNamespace: plan.created.contains(.user) || joined.user != nil)
        }
        if cloned.isChild {
            runChild(channel) { (peer) throws(RuntimeFailure) in try child.run(peer) }
        }
        let pidfd = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        try home.leave()
        return try channel.follow(
            pid: cloned.pid, pidfd: pidfd, duties: duties, network: networkComes ? network : NetworkUnderway()
        ) {
            (hand) throws(RuntimeFailure) in
            guard isLate, let finish else { return networkComes ? try hand([]) : () }
            try finish()
            let membership = try step(.cgroup) { () throws(SystemError) in try cgroup.membership() }
            var files: [Int32] = []
            for file in membership.tasks { files.append(file.raw) }
            try withExtendedLifetime(membership) { () throws(RuntimeFailure) in try hand(files) }
        } meanwhile: { (pid) throws(RuntimeFailure) in
            if !networkComes { network.abandon() }
            try meanwhile(passesOn || shared != nil ? nil : pid)
        }
    }

    /// What a user who is refused can do about it.
    static func explain(_ failure: RuntimeFailure, inUserNamespace: Bool) -> RuntimeFailure {
        let advice: String
        switch failure.errno {
        case EPERM where !inUserNamespace:
            advice = "only root may do without a user namespace: add one to linux.namespaces, with mappings"
        case ENOSPC: advice = "how many namespaces of a kind there may be is said by user.max_<kind>_namespaces"
        case EPERM:
            advice = "whether users may make user namespaces is said by user.max_user_namespaces"
        case EACCES:
            advice = "who puts a process into a cgroup needs to write cgroup.procs of the nearest one above both"
        default: return failure
        }
        return RuntimeFailure(failure.stage, "\(failure.message); \(advice)", errno: failure.errno)
    }

    private func duties(_ plan: LaunchPlan) throws(RuntimeFailure) -> LaunchDuties {
        var duties = LaunchDuties()
        duties.mappings = plan.mappings
        duties.gated = gate.isFifo
        func run(_ list: [RuntimeSpec.Hook], at point: HookRun.Point) {
            if !list.isEmpty { duties.hooks.append(HookRun(point, list, state: hookState, directory: bundle)) }
        }
        run(spec.hooks.prestart, at: .prestart)
        run(spec.hooks.createRuntime, at: .createRuntime)
        if !plan.interfaces.isEmpty { duties.interfaces = try PreparedNetworkDevices(plan.interfaces) }
        if plan.process.installation.notifies, let seccomp = spec.linux.seccomp {
            duties.listener = try SeccompListener(
                path: seccomp.listenerPath ?? "", metadata: seccomp.listenerMetadata ?? "", state: hookState)
        }
        return duties
    }

    /// The container as hooks are told of it, without a process yet.
    var hookState: HookState {
        HookState(id: id, status: .creating, pid: 0, bundle: bundle, annotations: spec.annotations)
    }
}

extension StartGate {
    var isFifo: Bool { raw != nil }

    var raw: Int32? { if case .fifo(let raw) = self { raw } else { nil } }
}
