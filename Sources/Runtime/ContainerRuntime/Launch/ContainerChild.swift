internal import CLinux
internal import Linux
internal import OCI

/// What the new process does between `clone3` and its program.
struct ContainerChild {
    let launch: ContainerLaunch
    let plan: LaunchPlan
    let membership: Cgroup.Membership
    let joined: JoinedNamespaces
    let home: JoinedNamespaces.Home
    let sources: PreparedSources
    let devices: PreparedDevices?
    let interfaces: PreparedNetworkDevices?
    /// Whether the process that was cloned is on the way only, and whether it enters the pid namespace that is joined.
    let passesOn: Bool
    let entersProcessesLate: Bool
    /// The pid namespace that it enters once it is confined; nil where it is born in its own.
    let shared: SharedProcesses?
    /// Whether it was born in some of its new namespaces only, and makes the others.
    let leavesByItself: Bool
    /// Whether its groups are made while it mounts, and whether its network namespace is.
    let joinsLate: Bool
    let networkComes: Bool

    /// - Parameter peer: the child's end of the launch channel.
    func run(_ peer: Int32) throws(RuntimeFailure) -> Never {
        try step(.limits) { () throws(SystemError) in try plan.process.setOutOfMemoryScore() }
        if passesOn {
            try passOn(peer)
        } else if plan.mappings != nil {
            try LaunchChannel.awaitGo(peer)
        }
        // While this process is the caller still, in its own directories, and its files in procfs are its own.
        try sources.openAsUser(plan, rootfs: launch.rootfs)
        let clocks = try openClocks()
        try step(.namespaces) { () throws(SystemError) in
            // Not before the maps are written: what belongs to an undumpable process in procfs belongs to root.
            try becomeUndumpable()
            try resetSignals()
            try startSession()
        }
        if plan.mappings != nil || joined.user != nil {
            try becomeOwner()
            if plan.createsIPCNamespace { try step(.namespaces) { () throws(SystemError) in try leave(.ipc) } }
        }
        // Whoever calls may be confined itself; the container's processors are its cgroup's alone.
        try? ProcessorSet.unconfine()
        if !joinsLate { try step(.cgroup) { () throws(SystemError) in try membership.join() } }
        if leavesByItself { try leaveCallersNamespaces() }
        // A process that nobody in the container's procfs can see has none there either.
        let hosts = shared != nil && !plan.process.labels.writes.isEmpty ? Procfs.openOwn() : nil
        try joined.enterAll(besides: home)
        if plan.createsCgroupNamespace, !joinsLate {
            try step(.namespaces) { () throws(SystemError) in try leave(.cgroup) }
        }
        if let offsets = plan.timeOffsets {
            try step(.namespaces) { () throws(SystemError) in
                try enterNewTimeNamespace(offsets: offsets, through: clocks)
            }
        }
        var procfs: Int32?
        let root = try makeRoot(&procfs, peer)
        let spec = launch.spec
        if plan.created.contains(.network) {
            try step(.namespaces) { () throws(SystemError) in try bringUpLoopback() }
        }
        try step(.hostname) { () throws(SystemError) in
            if let hostname = plan.hostname { try setHostname(hostname) }
            if let domainname = plan.domainname { try setDomainname(domainname) }
        }
        try plan.parameters.write(procfs)

        var console: Int32?
        var greeting: [Int32] = []
        if case .terminal(let size) = launch.stdio {
            let pair = try step(.console) { () throws(SystemError) in try Console.make(in: root, size: size) }
            console = pair.peer
            greeting = [pair.master]
        }
        try step(.masks) { () throws(SystemError) in
            let masks = MaskStep(procfs: procfs)
            try masks.mask(spec.linux.maskedPaths, in: root)
            try masks.protect(spec.linux.readonlyPaths, in: root)
        }
        try makeWorkingDirectory(in: root)
        try step(.mounts) { () throws(SystemError) in try mountStep(peer).protect(plan.mounts, in: root) }
        try stopForHooks(peer, in: root)
        try step(.rootfs) { () throws(SystemError) in
            if spec.root.readonly { try changeMount(root.raw, set: .readOnly) }
            try root.pivot(avoidingPivotRoot: launch.avoidsPivotRoot)
            // Behind the change of root, which a shared mount would refuse.
            if plan.propagation.kind != .private {
                try changePropagation(of: "/", plan.propagation.kind, recursive: plan.propagation.recursive)
            }
        }
        try installStreams(console)

        // What is left open goes with exec; the channel does too, which tells the parent. It is done before a filter can
        // forbid it.
        try step(.exec) { () throws(SystemError) in try closeOnExec(from: 3 + launch.preservedDescriptors) }
        if shared != nil {
            try joined.enterProcesses()
            if !greeting.isEmpty { try tellReady(peer, greeting) }
            greeting = []
            console = console.map { _ in 0 }
            closeAll(
                except: [peer] + (launch.gate.raw.map { [$0] } ?? []) + (hosts.map { [$0] } ?? []),
                from: 3 + launch.preservedDescriptors)
        }
        let process = ProcessStep(
            process: plan.process, procfs: shared == nil ? procfs : hosts,
            keepsSessionKeyring: launch.keepsSessionKeyring,
            sessionName: launch.id,
            handOver: { (listener) throws(RuntimeFailure) in
                try step(.seccomp) { () throws(SystemError) in
                    try sendMessage(peer, LaunchChannel.listener, descriptors: [listener])
                }
            })
        let found = try process.prepare(terminal: console)
        let program = PreparedProgram(
            found.path, arguments: plan.process.arguments, environment: found.environment)
        if shared != nil { try PidEntry.splitConfined(peer, procfs: hosts, hasTerminal: console != nil) }
        if !greeting.isEmpty || launch.gate.isFifo { try tellReady(peer, greeting) }
        if case .fifo(let gate) = launch.gate {
            closeAll(except: [gate, peer], from: 3 + launch.preservedDescriptors)
            try awaitStart(gate)
        }
        if !spec.hooks.startContainer.isEmpty {
            try HookRun(
                .startContainer, spec.hooks.startContainer.map { $0.inheriting(found.environment) },
                state: launch.hookState.with(.created, pid: processNumber())
            ).run()
        }
        if launch.reapingInit { try step(.exec) { () throws(SystemError) in try ReapingInit.splitOff() } }
        let failure = program.run()
        throw RuntimeFailure(
            .exec, "exec \(plan.process.arguments[0]): \(failure.reason)", errno: failure.errno)
    }

    private func leaveCallersNamespaces() throws(RuntimeFailure) {
        do throws(RuntimeFailure) {
            try step(.namespaces) { () throws(SystemError) in try leave(plan.created.subtracting(plan.atBirth)) }
        } catch {
            // Whoever is in a user namespace already has not been refused that one.
            throw plan.mappings != nil && error.errno == EPERM
                ? error : ContainerLaunch.explain(error, inUserNamespace: false)
        }
    }

    private func tellReady(_ peer: Int32, _ greeting: [Int32]) throws(RuntimeFailure) {
        try step(.exec) { () throws(SystemError) in
            try sendMessage(peer, LaunchChannel.ready, descriptors: greeting)
        }
    }

    /// The file a new time namespace takes its offsets by, nil where there are none.
    ///
    /// It has to be opened while this process may be traced: later it belongs to root.
    private func openClocks() throws(RuntimeFailure) -> Int32? {
        guard let offsets = plan.timeOffsets, !offsets.isEmpty else { return nil }
        return try step(.namespaces) { () throws(SystemError) in
            try open("/proc/self/timens_offsets", O_WRONLY).release()
        }
    }

    /// Becomes root of the user namespace, or whom its document names where it has no root.
    private func becomeOwner() throws(RuntimeFailure) {
        let user = UserMappings.owner(by: plan.mappings, else: plan.process.user)
        try step(.user) { () throws(SystemError) in
            try becomeAsAllowed(uid: user.uid, gid: user.gid, groups: plan.process.keepsGroups ? nil : [])
        }
    }

    /// In a process that is only on the way: enters the user namespace, and lets the container's process be made there.
    ///
    /// Returns in that one.
    private func passOn(_ peer: Int32) throws(RuntimeFailure) {
        try joined.enterUser()
        if entersProcessesLate { try joined.enterProcesses() }
        if plan.mappings == nil, plan.timeOffsets?.isEmpty != false {
            // Before others of a pid namespace that is joined can see it; its files in procfs are not needed any more.
            try step(.namespaces) { () throws(SystemError) in try becomeUndumpable() }
        }
        let cloned = try step(.namespaces) { () throws(SystemError) in
            try Linux.clone(plan.created, asSibling: true)
        }
        if cloned.isChild { return try LaunchChannel.awaitGo(peer) }
        try step(.namespaces) { () throws(SystemError) in
            try sendMessage(peer, LaunchChannel.successor, descriptors: [cloned.pidfd])
        }
        exitNow(0)
    }

    /// Everything is mounted and the old root is still there: the parent's turn, then that of the hooks in here.
    private func stopForHooks(_ peer: Int32, in root: borrowing ContainerRoot) throws(RuntimeFailure) {
        let hooks = launch.spec.hooks
        guard
            interfaces != nil || !hooks.prestart.isEmpty || !hooks.createRuntime.isEmpty
                || !hooks.createContainer.isEmpty
        else { return }
        try LaunchChannel.stopWhenMounted(peer)
        if let interfaces { try interfaces.setUp() }
        if hooks.createContainer.isEmpty { return }
        // Where runc has them begin: they find the container's files by relative paths, and the host's by absolute ones.
        try step(.hooks) { () throws(SystemError) in try changeDirectory(root.raw) }
        // Who is not in the container's pid namespace yet has no number there, and keeps its hooks out of it as well.
        try HookRun(
            .createContainer, hooks.createContainer,
            state: launch.hookState.with(.creating, pid: shared == nil ? processNumber() : 0)
        ).run()
    }

    /// Docker makes the image's working directory where it is missing.
    private func makeWorkingDirectory(in root: borrowing ContainerRoot) throws(RuntimeFailure) {
        try step(.workingDirectory) { () throws(SystemError) in
            do throws(SystemError) { _ = try root.directory(plan.process.directory) } catch {
                // Read-only or not a directory: the change into it will say so.
                if error.errno != EROFS && error.errno != ENOTDIR && error.errno != EEXIST { throw error }
            }
        }
    }

    private func installStreams(_ console: Int32?) throws(RuntimeFailure) {
        try step(.console) { () throws(SystemError) in
            if let console {
                // The one that becomes the program takes it, where that is another.
                if shared == nil { try takeTerminal(console) }
                for number in Int32(0)...2 { try install(console, as: number) }
            } else if case .descriptors(let input, let output, let error) = launch.stdio {
                try ContainerRuntime.installStreams(input, output, error)
            }
        }
    }

    /// Waits for `start`.
    ///
    /// The FIFO is open for writing here as well, so that the read blocks instead of seeing its end.
    private func awaitStart(_ gate: Int32) throws(RuntimeFailure) {
        // The first process of a pid namespace is sent only what it has a handler for, and kill must reach it here too.
        let ending = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]
        for number in ending { skiff_exit_on_signal(number) }
        defer { for number in ending { _ = signal(number, nil) } }
        try step(.exec) { () throws(SystemError) in
            var byte: UInt8 = 0
            let count = try withUnsafeMutableBytes(of: &byte) { (buffer) throws(SystemError) in
                try read(gate, into: buffer)
            }
            if count != 1 { throw SystemError("read", errno: EPIPE, subject: "start") }
        }
    }
}
