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
    /// Namespaces to join, in an order that works: the user namespace first.
    var joined: [(kind: RuntimeSpec.Namespace.Kind, path: String)]
    var mappings: IDMappings?
    var mounts: [PlannedMount]
    var process: PlannedProcess
    var propagation: Propagation

    init(_ launch: ContainerLaunch) throws(RuntimeFailure) {
        let linux = launch.spec.linux
        created = []
        createsCgroupNamespace = false
        createsIPCNamespace = false
        joined = []
        for namespace in linux.namespaces {
            if let path = namespace.path {
                if namespace.kind != .network || launch.networkNamespace == nil {
                    joined.append((namespace.kind, path))
                }
                continue
            }
            switch namespace.kind {
            case .cgroup: createsCgroupNamespace = true
            case .network: if launch.networkNamespace == nil { created.insert(.network) }
            case .time:
                throw RuntimeFailure(.specification, "linux.namespaces: a new time namespace is not supported yet")
            default: created.insert(namespace.kind.flag)
            }
        }
        joined.sort { $0.kind.joinOrder < $1.kind.joinOrder }
        guard created.contains(.mount) || joined.contains(where: { $0.kind == .mount }) else {
            throw RuntimeFailure(.specification, "linux.namespaces: a container without a mount namespace is refused")
        }
        mappings = nil
        if created.contains(.user) {
            let asked = IDMappings(uid: linux.uidMappings, gid: linux.gidMappings)
            guard !asked.uid.isEmpty, !asked.gid.isEmpty else {
                throw RuntimeFailure(
                    .specification, "linux.uidMappings and linux.gidMappings are needed with a new user namespace")
            }
            mappings = asked
            createsIPCNamespace = created.remove(.ipc) != nil
        } else if !linux.uidMappings.isEmpty, linux.namespace(.user) == nil {
            throw RuntimeFailure(.specification, "linux.uidMappings need a user namespace")
        }
        guard let process = launch.spec.process else { throw RuntimeFailure(.specification, "process: missing") }
        self.process = try PlannedProcess(process, filter: launch.filter)
        if mappings != nil {
            mappings?.oomScoreAdjustment = self.process.oomScoreAdjustment
            self.process.oomScoreAdjustment = nil
        }
        mounts = []
        for mount in launch.spec.mounts {
            var planned = try PlannedMount(mount)
            // Some callers name the place on the host, as runc lets them.
            if case .directory(let path) = launch.rootfs, planned.destination.hasPrefix(path + "/") {
                planned.destination.removeFirst(path.count)
            }
            mounts.append(planned)
        }
        switch linux.rootfsPropagation ?? "" {
        case "", "rprivate", "private": propagation = .private
        case "rslave", "slave": propagation = .slave
        case "rshared", "shared": propagation = .shared
        case "runbindable", "unbindable": propagation = .unbindable
        case let other: throw RuntimeFailure(.specification, "linux.rootfsPropagation: unknown value \"\(other)\"")
        }
        try Self.checkSysctls(linux, launch)
    }

    /// Kernel parameters are allowed only where the namespace they belong to is the container's own: security law 3 and
    /// CVE-2022-0811.
    private static func checkSysctls(_ linux: RuntimeSpec.LinuxSettings, _ launch: ContainerLaunch)
        throws(RuntimeFailure)
    {
        for key in linux.sysctl.keys {
            let path = key.replacingSlashes
            guard
                path.utf8.allSatisfy({
                    $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
                        || $0 == UInt8(ascii: "/") || $0.isASCIIAlphanumeric
                }), !path.contains("..")
            else { throw RuntimeFailure(.specification, "sysctl \"\(key)\": not the name of a kernel parameter") }
            let needed: RuntimeSpec.Namespace.Kind
            if path.hasPrefix("net.") {
                needed = .network
            } else if path.hasPrefix("fs.mqueue.") || ipcParameters.contains(path) {
                needed = .ipc
            } else if path == "kernel.domainname" {
                needed = .uts
            } else if path == "kernel.hostname" {
                throw RuntimeFailure(
                    .specification, "sysctl \"\(key)\": hostname says it, or the host's would be meant")
            } else {
                throw RuntimeFailure(.specification, "sysctl \"\(key)\" is not in a separate kernel namespace")
            }
            let own = linux.namespace(needed) != nil || (needed == .network && launch.networkNamespace != nil)
            guard own else {
                throw RuntimeFailure(
                    .specification, "sysctl \"\(key)\" is not allowed in the host's \(needed.rawValue) namespace")
            }
        }
    }

    private static let ipcParameters: Set<String> = [
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
        "kernel.shmmni", "kernel.shm_rmid_forced",
    ]
}

extension UInt8 {
    var isASCIIAlphanumeric: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

extension String {
    /// sysctl(8) accepts `net/ipv4/ip_forward` for `net.ipv4.ip_forward`.
    var replacingSlashes: String { String(map { $0 == "/" ? "." : $0 }) }
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
