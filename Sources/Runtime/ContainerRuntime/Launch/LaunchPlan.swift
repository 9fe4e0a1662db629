internal import Linux
internal import OCI

/// What a document asks of the kernel, worked out and checked before anything is done.
struct LaunchPlan: Sendable {
    /// Namespaces to make with the clone.
    var created: Namespaces
    /// Whether the cgroup namespace is made once the process is in its cgroup, so that its root is there.
    var createsCgroupNamespace: Bool
    /// Whether the ipc namespace is made once the process is root of its user namespace: the message queues' file system
    /// belongs to whoever makes it.
    var createsIPCNamespace: Bool
    /// What the clocks of the new time namespace are ahead by, as its file takes it; nil where none is made.
    var timeOffsets: String?
    /// Namespaces to join, in an order that works: the user namespace first.
    var joined: [RuntimeSpec.Namespace]
    var mappings: UserMappings?
    var mounts: [PlannedMount]
    var process: PlannedProcess
    var propagation: PlannedPropagation
    var parameters: KernelParameters
    var interfaces: [PreparedNetworkDevices.Device]
    /// The hostname and domain name to set, where the names are the container's own.
    var hostname: String?
    var domainname: String?

    init(_ launch: ContainerLaunch) throws(RuntimeFailure) {
        let linux = launch.spec.linux
        created = []
        createsCgroupNamespace = false
        createsIPCNamespace = false
        joined = []
        for namespace in linux.namespaces {
            if namespace.path != nil {
                if namespace.kind != .network || launch.networkNamespace == nil { joined.append(namespace) }
                continue
            }
            switch namespace.kind {
            case .cgroup: createsCgroupNamespace = true
            case .network:
                if launch.networkNamespace == nil { created.insert(.network) }
            case .time: timeOffsets = Self.text(linux.timeOffsets)
            default: created.insert(namespace.kind.flag)
            }
        }
        joined.sort { $0.kind.joinOrder < $1.kind.joinOrder }
        guard created.contains(.mount) || joined.contains(where: { $0.kind == .mount }) else {
            throw RuntimeFailure(.specification, "linux.namespaces: a container without a mount namespace is refused")
        }
        if timeOffsets == nil, !linux.timeOffsets.isEmpty {
            throw RuntimeFailure(.specification, "linux.timeOffsets need a new time namespace")
        }
        if created.contains(.user) || joined.contains(where: { $0.kind == .user }) {
            createsIPCNamespace = created.remove(.ipc) != nil
        }
        mappings = nil
        if created.contains(.user) {
            mappings = try UserMappings(uid: linux.uidMappings, gid: linux.gidMappings, of: "linux")
        } else if !linux.uidMappings.isEmpty || !linux.gidMappings.isEmpty, linux.namespace(.user) == nil {
            throw RuntimeFailure(.specification, "linux.uidMappings and linux.gidMappings need a user namespace")
        }
        try Self.refuseLaterHooks(launch)
        guard let process = launch.spec.process else { throw RuntimeFailure(.specification, "process: missing") }
        self.process = try PlannedProcess(process, linux, filter: launch.filter)
        if process.scheduler?.policy == "SCHED_DEADLINE", linux.resources.cpu.cpus?.isEmpty == false {
            throw RuntimeFailure(
                .specification,
                "process.scheduler: a SCHED_DEADLINE process scheduler can't be used together with AllowedCPUs "
                    + "(linux.resources.cpu.cpus): the kernel refuses it")
        }
        self.process.keepsGroups = launch.spec.annotations[RuntimeFeatures.keepsGroups] != nil
        if mappings != nil {
            mappings?.oomScoreAdjustment = self.process.oomScoreAdjustment
            self.process.oomScoreAdjustment = nil
        }
        mounts = []
        for mount in launch.spec.mounts {
            var planned = try PlannedMount(mount)
            // config.md, "Mounts": a relative source is the bundle's.
            if case .bind(let source, let recursive) = planned.kind, !source.hasPrefix("/") {
                planned.kind = .bind(source: launch.bundle + "/" + source, recursive: recursive)
            }
            // Some callers name the place on the host, as runc lets them.
            if case .directory(let path) = launch.rootfs, planned.destination.hasPrefix(path + "/") {
                planned.destination.removeFirst(path.count)
            }
            mounts.append(planned)
        }
        try Self.label(&mounts, linux.mountLabel)
        propagation = try PlannedPropagation(linux.rootfsPropagation)
        parameters = try KernelParameters(linux, joinsNetwork: launch.networkNamespace != nil)
        interfaces = try PreparedNetworkDevices.plan(
            linux.networkDevices, ownNamespace: linux.namespace(.network) != nil || launch.networkNamespace != nil)
        hostname = launch.spec.hostname.flatMap { $0.isEmpty ? nil : $0 }
        domainname = launch.spec.domainname.flatMap { $0.isEmpty ? nil : $0 }
        if hostname != nil || domainname != nil, linux.namespace(.uts) == nil {
            throw RuntimeFailure(
                .specification, "hostname and domainname need a uts namespace, or they would be the host's")
        }
    }

    /// Refuses hooks that belong to `start` and `delete`, which only the runtime's command line has: who starts at once, as a
    /// shim does, would pass them over.
    private static func refuseLaterHooks(_ launch: ContainerLaunch) throws(RuntimeFailure) {
        if launch.gate.isFifo { return }
        let hooks = launch.spec.hooks
        if hooks.poststart.isEmpty, hooks.poststop.isEmpty { return }
        let point = hooks.poststart.isEmpty ? HookRun.Point.poststop : .poststart
        throw RuntimeFailure(
            .specification,
            "hooks.\(point.rawValue): skiff-runtime's start and delete run these, and this container has neither")
    }

    /// Refuses what would be set in a namespace that is the container's by its path and the host's in truth: CVE-2022-0532.
    func refuseHostsNamespaces(_ joined: JoinedNamespaces) throws(RuntimeFailure) {
        try parameters.forEach { (name, kind) throws(RuntimeFailure) in
            guard try joined.isCallers(kind) else { return }
            throw RuntimeFailure(
                .specification,
                "sysctl \"\(name)\" is not allowed in the host's \(kind.rawValue) namespace, which is the one to be joined"
            )
        }
        if hostname != nil || domainname != nil, try joined.isCallers(.uts) {
            throw RuntimeFailure(
                .specification, "hostname and domainname would be the host's: its uts namespace is the one to be joined"
            )
        }
    }

    /// What the process has to be born with; the rest it can make itself, while its parent does other things.
    var atBirth: Namespaces { created.intersection([.user, .pid]) }

    /// Whether the process may join its v1 groups after it has left the caller's namespaces: not where it enters some that
    /// have something to say about cgroups, mounts or rights, and not where they may be among what it mounts.
    var allowsLateGroup: Bool { leavesByItself && !mounts.contains(where: \.isOfGroups) }

    /// Whether the process may leave the caller's namespaces by itself.
    var leavesByItself: Bool {
        created.contains(.mount) && joined.allSatisfy { [.network, .ipc, .uts].contains($0.kind) }
    }

    /// Takes the network namespace from what the process makes by itself, where it was begun already and will belong to the
    /// right user namespace.
    ///
    /// - Returns: whether it comes from there.
    mutating func leaveNetwork(to network: NetworkUnderway) -> Bool {
        guard network.isBegun, created.contains(.network), !created.contains(.user) else { return false }
        created.remove(.network)
        return true
    }

    /// The lines of `/proc/<pid>/timens_offsets`; time_namespaces(7).
    private static func text(_ offsets: [String: RuntimeSpec.TimeOffset]) -> String {
        offsets.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.seconds) \($0.value.nanoseconds)\n" }.joined()
    }

    /// Gives the file systems that have no labels of their own SELinux's label for the container's mounts.
    static func label(
        _ mounts: inout [PlannedMount], _ label: String?, modules: () -> SecurityModules = SecurityModules.detect
    ) throws(RuntimeFailure) {
        guard let label, !label.isEmpty else { return }
        guard modules().selinux else {
            throw RuntimeFailure(.specification, "linux.mountLabel: \(label): SELinux is not enabled on this host")
        }
        for index in mounts.indices {
            guard case .fileSystem(let type, _) = mounts[index].kind, ["tmpfs", "devpts", "mqueue"].contains(type),
                !mounts[index].data.contains(where: { $0.hasPrefix("context=") })
            else { continue }
            mounts[index].data.append("context=\(label)")
        }
    }
}

/// How mounts travel between the container and the host, and into the container's own nested namespaces.
///
/// See config-linux.md, "Rootfs Mount Propagation".
struct PlannedPropagation: Sendable, Equatable {
    var kind: Propagation
    /// Whether the mounts below the root follow it.
    var recursive: Bool

    /// What the host's mounts become in the container's namespace before anything is mounted there.
    ///
    /// Nothing that happens here reaches the host; with a slave root the host's mounts and unmounts still arrive.
    var ofCopies: Propagation { kind == .slave ? .slave : .private }

    init(_ text: String?) throws(RuntimeFailure) {
        let text = text ?? ""
        recursive = text.hasPrefix("r")
        switch recursive ? String(text.dropFirst()) : text {
        case "", "private": kind = .private
        case "slave": kind = .slave
        case "shared": kind = .shared
        case "unbindable": kind = .unbindable
        default: throw RuntimeFailure(.specification, "linux.rootfsPropagation: unknown value \"\(text)\"")
        }
    }
}

extension RuntimeSpec.Namespace.Kind {
    var flag: Namespaces {
        switch self {
        case .pid: .pid
        case .network: .network
        case .mount: .mount
        case .ipc: .ipc
        case .uts: .uts
        case .user: .user
        case .cgroup: .cgroup
        case .time: .time
        }
    }

    /// Rights over the others come with the user namespace; the mount namespace changes what paths mean, so it is last.
    var joinOrder: Int {
        switch self {
        case .user: 0
        case .mount: 2
        default: 1
        }
    }
}
