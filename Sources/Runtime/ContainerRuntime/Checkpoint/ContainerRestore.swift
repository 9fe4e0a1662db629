public import CLinux
internal import JSON
internal import Linux
public import OCI

/// Makes a container from a checkpoint.
///
/// ```
/// this process                        child, in a mount namespace of its own and in the container's cgroup
///                                       prepares the root
///   ◀────────── places of mounts ──────  with the socket for what follows; becomes criu
///   request ───────────────────────────▶
///   ◀────────── setup-namespaces ──────  hooks: prestart, createRuntime
///   ◀────────── orphan-pts-master ─────  the terminal's master
///   ◀────────── post-restore ──────────  the processes are there and stand still: the state is written
///   ◀────────── success ───────────────  they run
/// ```
public struct ContainerRestore: Sendable {
    private let id: String
    private let spec: RuntimeSpec
    private let rootfs: String
    private let options: RestoreOptions
    /// The directory hooks are told of and begin in, absolute.
    private let bundle: String
    /// A directory of the caller's that nobody else mounts anything over.
    private let place: String

    static let logFile = "restore.log"

    public init(
        id: String, spec: RuntimeSpec, rootfs: String, bundle: String, place: String, options: RestoreOptions
    ) {
        self.id = id
        self.spec = spec
        self.rootfs = rootfs
        self.bundle = bundle
        self.place = place
        self.options = options
    }

    /// What has to be found out of the host and the images before it can be asked for.
    struct Facts: Sendable {
        var externalMounts: [CRIUOptions.Pair] = []
        var streams = StreamNames([])
        var cgroupRoots: [CRIUOptions.Pair] = []
    }

    /// Restores the container with this process's standard streams in place of those it had.
    ///
    /// - Parameter restored: called with the first process's number when everything is there and nothing runs yet.
    /// - Returns: a child of this process.
    public func start(
        with program: CRIUProgram, in cgroup: Cgroup, restored: (pid_t) throws(RuntimeFailure) -> Void
    ) throws(RuntimeFailure) -> RunningProcess {
        if options.lsmProfile != nil || options.lsmMountContext != nil, program.version < CRIUVersion(3, 16) {
            throw RuntimeFailure(
                .checkpoint, "--lsm-profile and --lsm-mount-context need CRIU 3.16 or newer, not \(program.version)")
        }
        _ = try request(Facts())
        let images = try ImageDirectories(options.settings, creating: false)
        var facts = Facts()
        facts.streams = try images.readStreams()
        facts.cgroupRoots = cgroup.criuRoots
        if options.settings.usesLazyPages { try program.require(lazyPages: true) }
        guard let rootfs = realPath(rootfs) else {
            throw RuntimeFailure(.rootfs, "root file system \(rootfs): there is no such directory")
        }
        var launch = ContainerLaunch(
            id: id, spec: spec, rootfs: .directory(rootfs), stdio: .descriptors(input: 0, output: 1, error: 2))
        launch.bundle = bundle
        let mounts = try LaunchPlan(launch).mounts
        let wanted = ExternalMounts.wanted(spec, mounts: mounts, cgroups: cgroup.layout, cgroupPath: cgroup.path)
        let root = RestoreRoot(rootfs: rootfs, place: place, mounts: mounts)
        let namespaces = try inheritedNamespaces()

        let begun = try RestoreChild(
            program: program, root: root, settings: options.settings, namespaces: namespaces
        ).start(in: cgroup, destinations: wanted.map(\.destination))
        do throws(RuntimeFailure) {
            let host = try step(.checkpoint) { () throws(SystemError) in
                MountTable(try readText("/proc/self/mountinfo"))
            }
            let resolved = Dictionary(zip(wanted.map(\.destination), begun.places)) { first, _ in first }
            facts.externalMounts = ExternalMounts.ofBundle(
                wanted, host: host, resolve: { resolved[$0] ?? nil }, real: realPath)
        } catch {
            begun.exchange.abandon()
            throw error
        }
        let request = try request(facts)
        let closed = try hostRootGroup.flatMap { (group) throws(RuntimeFailure) in try images.letIn(group: group) }
        defer { images.close(to: closed) }
        var pid: pid_t = 0, master: Int32?
        do throws(RuntimeFailure) {
            let answer = try begun.exchange.finish(request) { (notification, descriptor) throws(RuntimeFailure) in
                switch notification.script {
                case "setup-namespaces": try runHooks(notification.pid ?? 0)
                case "orphan-pts-master":
                    if let master { _ = close(master) }
                    if let descriptor { master = descriptor.release() }
                case "post-restore":
                    pid = notification.pid ?? 0
                    try restored(pid)
                default: break
                }
            }
            guard answer.success, pid > 0 else {
                throw images.failure("criu could not restore the container", answer, log: Self.logFile)
            }
            let process = try step(.checkpoint) { () throws(SystemError) in try PidFD(pid) }
            return RunningProcess(pid: pid, pidfd: process, master: master)
        } catch {
            if let master { _ = close(master) }
            throw error
        }
    }

    /// The request that all this comes to.
    func request(_ facts: Facts) throws(RuntimeFailure) -> CRIURequest {
        var asked = CRIUOptions(imagesDirectory: RestoreChild.images, logFile: Self.logFile, root: place)
        try options.settings.apply(to: &asked)
        if options.settings.workPath != nil { asked.workDirectory = RestoreChild.work }
        asked.evadesDevices = true
        asked.restoresSibling = true
        asked.cgroupRoots = facts.cgroupRoots
        asked.externalMounts = facts.externalMounts
        asked.inherited = facts.streams.inherited()
        asked.configFile = CRIUSettings.configFile(spec.annotations)
        asked.lsmProfile = options.lsmProfile
        asked.lsmMountContext = options.lsmMountContext
        var number = RestoreChild.firstNamespace
        for namespace in spec.linux.namespaces {
            guard let path = namespace.path else { continue }
            if let key = namespace.kind.criuKey {
                asked.inherited.append(CRIUOptions.InheritedDescriptor(key: key, number: number))
                number += 1
                continue
            }
            switch namespace.kind {
            case .uts, .ipc, .user: asked.joined.append(CRIUOptions.Pair(namespace.kind.criuName, path))
            default:
                throw RuntimeFailure(
                    .checkpoint,
                    "linux.namespaces: CRIU cannot restore into a \(namespace.kind.rawValue) namespace by path")
            }
        }
        return .restore(asked)
    }

    /// The namespaces that CRIU gets as open files, in the order in which the request numbers them.
    private func inheritedNamespaces() throws(RuntimeFailure) -> [SharedDescriptor] {
        var opened: [SharedDescriptor] = []
        for namespace in spec.linux.namespaces where namespace.kind.criuKey != nil {
            guard let path = namespace.path else { continue }
            let (file, type) = try step(.namespaces) { () throws(SystemError) in
                let file = SharedDescriptor(try Linux.open(path, O_RDONLY))
                return (file, try fileSystemType(of: file.raw))
            }
            guard type == Int(NSFS_MAGIC) else {
                throw RuntimeFailure(.namespaces, "\(path) is not a \(namespace.kind.rawValue) namespace")
            }
            opened.append(file)
        }
        return opened
    }

    /// Who the container's group 0 is on the host, where it has a user namespace of its own.
    private var hostRootGroup: gid_t? { spec.linux.gidMappings.first { $0.container == 0 }?.host }

    private func runHooks(_ pid: Int32) throws(RuntimeFailure) {
        let state = HookState(id: id, status: .creating, pid: pid, bundle: bundle, annotations: spec.annotations)
        try HookRun(.prestart, spec.hooks.prestart, state: state, directory: bundle).run()
        try HookRun(.createRuntime, spec.hooks.createRuntime, state: state, directory: bundle).run()
    }
}

extension Cgroup {
    /// The group by controller, as `/proc/<pid>/cgroup` names them; cgroups(7).
    var criuRoots: [CRIUOptions.Pair] {
        if path.isEmpty { return [] }
        var roots = layout.hierarchies.flatMap { $0.options.map { CRIUOptions.Pair($0, path) } }
        if !layout.unified.isEmpty { roots.append(CRIUOptions.Pair("", path)) }
        return roots
    }
}
