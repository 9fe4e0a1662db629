internal import CLinux
internal import JSON
internal import Linux
public import OCI

/// Writes a running container into files.
///
/// CRIU stops its processes, writes down what they are, and ends them, unless they shall go on. On a failure they go on in any
/// case.
public struct ContainerCheckpoint: Sendable {
    private let state: ContainerState
    private let spec: RuntimeSpec
    private let options: CheckpointOptions

    static let logFile = "dump.log"

    public init(_ state: ContainerState, spec: RuntimeSpec, options: CheckpointOptions) {
        self.state = state
        self.spec = spec
        self.options = options
    }

    /// What has to be found out of the host and the container before it can be asked for.
    struct Facts: Sendable {
        /// Namespaces that the document joins, with their inodes.
        var joined: [(kind: RuntimeSpec.Namespace.Kind, inode: UInt64)] = []
        var externalMounts: [CRIUOptions.Pair] = []
        var streams = StreamNames([])
        var freezer: String?
    }

    /// Takes the checkpoint; returns when everything is on disk, or sent to the page server.
    ///
    /// - Parameter status: written into when a lazy dump's pages can be asked for: one zero byte. The caller's to close.
    public func take(with program: CRIUProgram, in cgroup: Cgroup, status: Int32? = nil) throws(RuntimeFailure) {
        // All that can be refused is, before anything is made.
        _ = try request(Facts(), imagesDirectory: -1, workDirectory: nil)
        let images = try ImageDirectories(options.settings, creating: true)
        try images.checkParent(options.parentPath, of: options.settings.imagePath)
        let facts = try facts(cgroup)
        let request = try request(facts, imagesDirectory: images.images.raw, workDirectory: images.work?.raw)
        if options.isPreDump { try program.require(memoryTracking: true) }
        if options.settings.usesLazyPages { try program.require(lazyPages: true) }
        if !options.isPreDump { try images.write(facts.streams) }
        let wasFrozen = cgroup.isFrozen()
        do throws(RuntimeFailure) {
            let answer = try CRIUExchange(path: program.path).finish(request) {
                (notification, _) throws(RuntimeFailure) in
                guard notification.script == "status-ready", let status else { return }
                try step(.checkpoint) { () throws(SystemError) in try writeAll(status, [0]) }
            }
            guard answer.success else {
                throw images.failure("criu could not dump the container", answer, log: Self.logFile)
            }
        } catch {
            if !options.isPreDump { images.removeStreams() }
            // CRIU lets go on what it stopped, unless it was killed.
            if !wasFrozen, cgroup.isFrozen() { try? cgroup.freeze(false) }
            throw error
        }
    }

    /// The request that all this comes to.
    func request(_ facts: Facts, imagesDirectory: Int32, workDirectory: Int32?) throws(RuntimeFailure) -> CRIURequest {
        var asked = CRIUOptions(imagesDirectory: imagesDirectory, logFile: Self.logFile, root: state.rootfs)
        try options.settings.apply(to: &asked)
        asked.workDirectory = workDirectory
        asked.pid = state.pid
        asked.leavesRunning = options.leavesRunning
        asked.skipsConnectionsInFlight = options.skipsConnectionsInFlight
        asked.remapsLinks = options.remapsLinks
        asked.pageServer = try options.server()
        if let parent = options.parentPath, !parent.isEmpty {
            guard !parent.hasPrefix("/") else {
                throw RuntimeFailure(
                    .checkpoint, "--parent-path must be relative to the images' directory, not \"\(parent)\"")
            }
            asked.parentImages = parent
            asked.tracksMemory = true
        }
        if options.isPreDump { asked.tracksMemory = true }
        asked.freezer = facts.freezer
        asked.configFile = CRIUSettings.configFile(spec.annotations)
        for (kind, inode) in facts.joined {
            if let key = kind.criuKey { asked.externals.append("\(kind.criuName)[\(inode)]:\(key)") }
        }
        if options.isPreDump { return .preDump(asked) }
        asked.externalMounts = facts.externalMounts
        asked.externals += facts.streams.externals
        return .dump(asked)
    }

    private func facts(_ cgroup: Cgroup) throws(RuntimeFailure) -> Facts {
        var facts = Facts()
        for namespace in spec.linux.namespaces {
            guard let path = namespace.path, namespace.kind.criuKey != nil else { continue }
            let status = try step(.checkpoint) { () throws(SystemError) in try Linux.status(path, follow: true) }
            facts.joined.append((namespace.kind, UInt64(status.st_ino)))
        }
        facts.freezer = cgroup.freezer
        if options.isPreDump { return facts }
        let (container, host, root) = try step(.checkpoint) { () throws(SystemError) in
            (
                MountTable(try readText("/proc/\(state.pid)/mountinfo")),
                MountTable(try readText("/proc/self/mountinfo")),
                SharedDescriptor(try Linux.open("/proc/\(state.pid)/root", O_PATH | O_DIRECTORY))
            )
        }
        var launch = ContainerLaunch(
            id: state.id, spec: spec, rootfs: .directory(state.rootfs),
            stdio: .descriptors(input: 0, output: 1, error: 2))
        launch.bundle = state.bundle
        let wanted = ExternalMounts.wanted(
            spec, mounts: try LaunchPlan(launch).mounts, cgroups: cgroup.layout, cgroupPath: cgroup.path)
        facts.externalMounts = ExternalMounts.ofContainer(
            wanted, table: container, host: host,
            resolve: { destination in
                guard let opened = try? Linux.open(in: root.raw, destination.relative, O_PATH) else { return nil }
                return try? readLink(opened.procPath)
            }, real: realPath)
        facts.streams = StreamNames(state.streams).outside(container)
        return facts
    }
}

extension RuntimeSpec.Namespace.Kind {
    /// CRIU's word for the type, the one of `/proc/<pid>/ns`.
    var criuName: String {
        switch self {
        case .network: "net"
        case .mount: "mnt"
        default: rawValue
        }
    }

    /// The name under which a namespace from outside is dumped and found again, runc's; nil where CRIU has none.
    var criuKey: String? {
        switch self {
        case .network: "extRootNetNS"
        case .pid: "extRootPidNS"
        default: nil
        }
    }
}

extension Cgroup {
    /// The directory by which all processes are stopped; nil without one.
    var freezer: String? {
        if path.isEmpty { return nil }
        return layout.isV1 ? layout.mountPoint(of: "freezer").map { $0 + path } : layout.unified + path
    }
}

/// A path of the host with its links followed; nil where nothing is.
func realPath(_ path: String) -> String? {
    guard let opened = try? Linux.open(path, O_PATH) else { return nil }
    return try? readLink(opened.procPath)
}
