public import CLinux
public import Linux
public import OCI

/// Everything needed to run one more process in a container that runs.
///
/// The process is a child of the caller; it takes the container's namespaces from its first process by pidfd, in one call, so
/// that no path under `/proc` can be swapped on the way. Nobody in the container may reach it before it is as confined as its
/// program: ``PidEntry``.
///
/// ```
/// at birth      parent: pid namespace ─ clone ─▶ other namespaces, confines itself ─▶ program
/// on the way    clone ─▶ user and pid namespace ─ clone ─▶ other namespaces, confines itself ─▶ program
/// confined      clone ─▶ all namespaces, confines itself ─ clone ─▶ program
/// ```
/// An ordinary user may enter the pid namespace from the container's user namespace only, and does not return: that is on the
/// way. Whoever clones in between makes its own sibling, sends "successor" and ends.
public struct ExecLaunch: Sendable {
    /// The container's first process.
    public var initPid: pid_t
    public var process: RuntimeSpec.Process
    public var stdio: Stdio
    /// The container's compiled filter, which holds for what enters as well.
    public var filter: [UInt8]?
    /// Descriptors 3 … 2 + n of the caller that the program gets under the same numbers.
    public var preservedDescriptors: Int32
    /// The container's name, for its session keyring.
    public var id: String
    /// Of the container's document, what holds for each of its processes: personality, memory policy, filter.
    public var settings: RuntimeSpec.LinuxSettings
    /// The container as a filter's listener is told of it.
    public var bundle: String
    public var annotations: [String: String]
    /// Whether the container's processes may have `CAP_SYS_PTRACE`.
    public var mayBeTraced: Bool
    /// Whether the caller can stand still, for as long as a file of the container's may take: who confines itself first may
    /// then do so in the caller's memory, which is a sixth faster than in a copy.
    public var callerWaits: Bool

    public init(id: String, initPid: pid_t, process: RuntimeSpec.Process, stdio: Stdio) {
        self.id = id
        settings = RuntimeSpec.LinuxSettings()
        bundle = "/"
        annotations = [:]
        mayBeTraced = true
        callerWaits = false
        self.initPid = initPid
        self.process = process
        self.stdio = stdio
        preservedDescriptors = 0
    }

    /// Starts the process in the container's cgroup.
    ///
    /// Who is confined first is two processes for a moment. Where a limit has no room for them, and nobody there could make use
    /// of it, one enters as it is: a container that is full is a reason to enter it.
    ///
    /// - Parameter target: the container's first process, still running.
    public func start(target: borrowing PidFD, in cgroup: Cgroup) throws(RuntimeFailure) -> RunningProcess {
        do throws(RuntimeFailure) { return try start(target: target, in: cgroup, confinesFirst: true) } catch {
            guard error.errno == EAGAIN, error.stage == .namespaces, !mayBeTraced else { throw error }
            return try start(target: target, in: cgroup, confinesFirst: false)
        }
    }

    private func start(
        target: borrowing PidFD, in cgroup: Cgroup, confinesFirst: Bool
    ) throws(RuntimeFailure) -> RunningProcess {
        var planned = try PlannedProcess(process, settings, filter: filter)
        planned.keepsGroups = annotations[RuntimeFeatures.keepsGroups] != nil
        let affinity = try ExecAffinity(process.execCPUAffinity)
        var duties = try duties(planned)
        let group = try cgroup.entering(besides: initPid)
        let membership = try step(.cgroup) { () throws(SystemError) in try group.membership() }
        let channel = try step(.namespaces) { () throws(SystemError) in try LaunchChannel() }
        let differing = try differingNamespaces(besidesTime: !callerWaits)
        let targetRaw = target.raw
        var terminal = false
        if case .terminal = stdio { terminal = true }
        let isConfined = confinesFirst && PidEntry.isConfined(planned, differing, terminal: terminal)
        let entry = try ProcessEntry(isConfined ? [] : differing, of: targetRaw)
        let pidEntry: PidEntry = isConfined ? .confined : entry.isRefused ? .onTheWay : .atBirth
        duties.entry = pidEntry
        duties.listenerWaits = isConfined && planned.filtersLast
        // Only a child that waits can be moved before it does anything; another one stays where the caller is.
        if pidEntry != .atBirth { duties.adopter = membership.adopter }
        let birthplace = membership.adopter == nil ? membership.birthplace : nil
        // Who has to wait for the caller cannot be waited for, and a time namespace is not entered from shared memory.
        let shares =
            callerWaits && isConfined && duties.adopter == nil && duties.listener == nil && !differing.contains(.time)
            && canShareMemory && !group.diesTogether
        if shares { duties.handover = try step(.namespaces) { () throws(SystemError) in try SharedHandover() } }
        let child = ExecChild(
            launch: self, process: planned, membership: membership, target: targetRaw, namespaces: differing,
            entry: pidEntry, affinity: affinity, handover: duties.handover)
        let cloned: Cloned
        do throws(RuntimeFailure) {
            // On v2 the process is in its cgroup from its first moment: what holds before comes from its maker.
            cloned = try affinity.whileInitial { () throws(RuntimeFailure) in
                try step(.namespaces) { () throws(SystemError) in
                    guard let handover = child.handover else { return try Linux.clone([], cgroup: birthplace) }
                    let (peer, parentEnd) = (channel.childEnd, channel.parentEnd)
                    let cloned = try cloneSharingMemory(cgroup: birthplace) {
                        runChild(peer, closing: parentEnd, leaving: handover) { (peer) throws(RuntimeFailure) in
                            try child.run(peer)
                        }
                    }
                    handover.takeOver(from: cloned.pid)
                    return cloned
                }
            }
        } catch {
            try? entry.leave()
            throw error
        }
        if cloned.isChild { runChild(channel) { (peer) throws(RuntimeFailure) in try child.run(peer) } }
        let pidfd = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        try entry.leave()
        return try channel.follow(pid: cloned.pid, pidfd: pidfd, duties: duties)
    }

    private func duties(_ planned: PlannedProcess) throws(RuntimeFailure) -> LaunchDuties {
        var duties = LaunchDuties()
        if planned.installation.notifies, let seccomp = settings.seccomp {
            duties.listener = try SeccompListener(
                path: seccomp.listenerPath ?? "", metadata: seccomp.listenerMetadata ?? "",
                state: HookState(id: id, status: .running, pid: initPid, bundle: bundle, annotations: annotations))
        }
        return duties
    }

    /// The namespaces in which the container is not the caller's: entering one's own user namespace is an error.
    ///
    /// - Parameter besidesTime: whether it does not matter if that is the caller's own.
    private func differingNamespaces(besidesTime: Bool) throws(RuntimeFailure) -> Namespaces {
        guard effectiveUser() == 0, !isInUserNamespace() else {
            var differing: Namespaces = []
            for kind in RuntimeSpec.Namespace.Kind.allCases where try differs(kind) { differing.insert(kind.flag) }
            return differing
        }
        // Who has every right may enter what it is in already, and is spared the comparison where nothing else hangs on it.
        var differing: Namespaces = [.mount, .network, .ipc, .uts, .cgroup]
        if try differs(.pid) { differing.insert(.pid) }
        if try differs(.user) { differing.insert(.user) }
        if try besidesTime ? exists("/proc/self/ns/time") : differs(.time) { differing.insert(.time) }
        return differing
    }

    private func differs(_ kind: RuntimeSpec.Namespace.Kind) throws(RuntimeFailure) -> Bool {
        let name = kind.procName
        return try step(.namespaces) { () throws(SystemError) in
            let ours: stat
            do throws(SystemError) { ours = try status("/proc/self/ns/\(name)", follow: true) } catch {
                // Time namespaces came with Linux 5.6, and a kernel may be built without them.
                guard kind == .time, error.errno == ENOENT else { throw error }
                return false
            }
            do throws(SystemError) {
                return try status("/proc/\(initPid)/ns/\(name)", follow: true).st_ino != ours.st_ino
            } catch {
                guard error.errno == EACCES || error.errno == EPERM else { throw error }
                throw error.about(
                    "process \(initPid), which only root may enter while it waits for its start, or another user's")
            }
        }
    }
}

extension RuntimeSpec.Namespace.Kind {
    /// The file name in `/proc/<pid>/ns`.
    var procName: String {
        switch self {
        case .network: "net"
        case .mount: "mnt"
        default: rawValue
        }
    }
}

/// What the entering process does between `clone3` and its program.
struct ExecChild {
    let launch: ExecLaunch
    let process: PlannedProcess
    let membership: Cgroup.Membership
    let target: Int32
    /// Those in which the container is not the caller's.
    let namespaces: Namespaces
    let entry: PidEntry
    let affinity: ExecAffinity
    let handover: SharedHandover?

    func run(_ peer: Int32) throws(RuntimeFailure) -> Never {
        try step(.limits) { () throws(SystemError) in try process.setOutOfMemoryScore() }
        if entry == .onTheWay { try passOn(peer) }
        if entry == .confined, membership.adopter != nil { try LaunchChannel.awaitGo(peer) }
        try step(.namespaces) { () throws(SystemError) in
            try becomeUndumpable()
            try resetSignals()
            try startSession()
        }
        if affinity.isUnsaid { try? ProcessorSet.unconfine() }
        try step(.cgroup) { () throws(SystemError) in try membership.join() }
        try step(.limits) { () throws(SystemError) in try affinity.final?.confine() }
        // A process that nobody in the container's procfs can see has none there either.
        var procfs = entry == .confined ? Procfs.openOwn() : nil
        // Entering the mount namespace also makes its root this process's root and directory; the pid namespace is that of
        // its children only.
        let left = namespaces.subtracting(
            entry == .confined ? [] : entry == .onTheWay ? [.pid, .user] : .pid)
        if !left.isEmpty { try step(.namespaces) { () throws(SystemError) in try enter(left, of: target) } }
        if namespaces.contains(.user) {
            let mappings = try? UserMappings(
                uid: launch.settings.uidMappings, gid: launch.settings.gidMappings, of: "linux")
            let owner = UserMappings.owner(by: mappings, else: process.user)
            try step(.user) { () throws(SystemError) in
                try becomeAsAllowed(uid: owner.uid, gid: owner.gid, groups: process.keepsGroups ? nil : [])
            }
        }
        // The host's procfs is out of reach from here on: the container's own is proven before it is used.
        if entry != .confined { procfs = Procfs.openOwn() }
        var terminal: Int32?
        if case .terminal(let size) = launch.stdio {
            let pair = try step(.console) { () throws(SystemError) in
                let multiplexer = try open(
                    in: Directory.working, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, resolve: .noMagicLinks)
                guard try fileSystemType(of: multiplexer.raw) == Int(DEVPTS_SUPER_MAGIC) else {
                    throw SystemError("open", errno: ENODEV, subject: "/dev/pts of the container is not a devpts")
                }
                return try Console.openPeer(of: multiplexer, size: size)
            }
            terminal = pair.peer
            try step(.console) { () throws(SystemError) in
                try sendMessage(peer, LaunchChannel.ready, descriptors: [pair.master])
                if entry != .confined { try takeTerminal(pair.peer) }
                for number in Int32(0)...2 { try install(pair.peer, as: number) }
            }
        } else if case .descriptors(let input, let output, let error) = launch.stdio {
            try step(.console) { () throws(SystemError) in try installStreams(input, output, error) }
        }
        try step(.exec) { () throws(SystemError) in try closeOnExec(from: 3 + launch.preservedDescriptors) }
        if entry == .confined {
            closeAll(except: procfs.map { [peer, $0] } ?? [peer], from: 3 + launch.preservedDescriptors)
            terminal = terminal.map { _ in 0 }
        }
        let last = ProcessStep(
            process: process, procfs: procfs, keepsSessionKeyring: true, sessionName: launch.id,
            handOver: { (listener) throws(RuntimeFailure) in
                try step(.seccomp) { () throws(SystemError) in
                    try sendMessage(peer, LaunchChannel.listener, descriptors: [listener])
                }
            })
        let found = try last.prepare(terminal: terminal)
        let program = PreparedProgram(found.path, arguments: process.arguments, environment: found.environment)
        if entry == .confined {
            try PidEntry.splitConfined(peer, procfs: procfs, hasTerminal: terminal != nil, handover: handover)
        }
        let failure = program.run()
        throw RuntimeFailure(.exec, "exec \(process.arguments[0]): \(failure.reason)", errno: failure.errno)
    }
}

extension ExecChild {
    /// In a process that is only on the way; returns in the one it makes.
    private func passOn(_ peer: Int32) throws(RuntimeFailure) {
        let cloned = try step(.namespaces) { () throws(SystemError) in
            // Before the container's processes can see it.
            try becomeUndumpable()
            try enter(namespaces.intersection([.user, .pid]), of: target)
            return try Linux.clone([], asSibling: true)
        }
        if cloned.isChild { return try LaunchChannel.awaitGo(peer) }
        try step(.namespaces) { () throws(SystemError) in
            try sendMessage(peer, LaunchChannel.successor, descriptors: [cloned.pidfd])
        }
        exitNow(0)
    }
}

/// The processors of a process that enters: before it is in the container's cgroup, and from then on.
///
/// See config.md, "Linux Process", `execCPUAffinity`.
struct ExecAffinity: Sendable, Equatable {
    let initial: ProcessorSet?
    let final: ProcessorSet?
    /// Whether the processors are those of the cgroup, and not the caller's.
    var isUnsaid: Bool { initial == nil && final == nil }

    init(_ asked: RuntimeSpec.CPUAffinity?) throws(RuntimeFailure) {
        initial = try Self.set(asked?.initial, "initial")
        final = try Self.set(asked?.final, "final")
    }

    private static func set(_ text: String?, _ member: String) throws(RuntimeFailure) -> ProcessorSet? {
        guard let text, !text.isEmpty else { return nil }
        return ProcessorSet(try NumberList(text, of: "process.execCPUAffinity.\(member)", below: 8192).numbers)
    }

    /// Runs `body` on the initial processors, and goes back to the caller's own.
    func whileInitial(_ clone: () throws(RuntimeFailure) -> Cloned) throws(RuntimeFailure) -> Cloned {
        guard let initial else { return try clone() }
        let own = try step(.limits) { () throws(SystemError) in
            let own = try ProcessorSet.current()
            try initial.confine()
            return own
        }
        do throws(RuntimeFailure) {
            let cloned = try clone()
            // In the child it holds on.
            if !cloned.isChild { try? own.confine() }
            return cloned
        } catch {
            try? own.confine()
            throw error
        }
    }
}
