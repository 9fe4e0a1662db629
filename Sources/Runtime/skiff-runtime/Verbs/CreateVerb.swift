internal import CLinux
internal import ContainerRuntime
internal import Failures
internal import JSON
internal import Linux
internal import OCI

/// `create ID`: makes a container and leaves its program at the gate.
struct CreateVerb: Verb {
    static let name = "create"
    static let summary = "make a container; its program waits for start"
    static let flags = ContainerRequest.flags
    static let entersContainers = true

    private let request: ContainerRequest

    init(_ arguments: Arguments) throws { request = try ContainerRequest(arguments) }

    func run(_ context: RuntimeContext) throws {
        // The process outlives this one, which has nothing to wait for.
        _ = try request.make(context, detached: true, thenEnds: true)
    }
}

/// What `create` and `run` have in common: a bundle, a name, and how the container is handed over.
struct ContainerRequest {
    static let flags = Flags(
        """
        --bundle -b DIR          the bundle's directory (the working directory)
        --config -f FILE         another file than the bundle's config.json
        --console-socket SOCKET  where the terminal's master is sent
        --pidfd-socket SOCKET    where a descriptor of the process is sent
        --pid-file FILE          where the process's number is written
        --preserve-fds N         pass N descriptors from 3 on
        --no-pivot               change the root without pivot_root, for hosts on an initial ramfs
        --no-new-keyring         keep the session keyring
        --no-subreaper           ignored: nothing is inherited that is not reaped
        """)

    let id: String
    private let bundle: String
    private let config: String?
    private let pidFile: String?
    private let consoleSocket: String?
    private let processSocket: String?
    private let preservedDescriptors: Int32
    private let avoidsPivotRoot: Bool
    private let keepsSessionKeyring: Bool

    init(_ arguments: Arguments) throws {
        id = try arguments.only("container id")
        bundle = try realDirectory(arguments.last("bundle") ?? ".")
        config = arguments.last("config")
        pidFile = arguments.last("pid-file")
        consoleSocket = arguments.last("console-socket").flatMap { $0.isEmpty ? nil : $0 }
        processSocket = arguments.last("pidfd-socket")
        preservedDescriptors = try arguments.number("preserve-fds", in: 0...1024) ?? 0
        avoidsPivotRoot = arguments.has("no-pivot")
        keepsSessionKeyring = arguments.has("no-new-keyring")
    }

    /// A container whose program waits for start.
    struct Made: ~Copyable {
        let state: ContainerState
        let pid: pid_t
        /// The terminal's master, where no console socket took it.
        let master: Int32?
    }

    /// Makes the container; on a failure nothing of it is left.
    ///
    /// - Parameters:
    ///   - detached: whether nobody stays to relay a terminal.
    ///   - thenEnds: whether the program ends with it, and this does not return.
    func make(_ context: RuntimeContext, detached: Bool, thenEnds: Bool = false) throws -> Made {
        var network = NetworkUnderway()
        let (document, text) = try readRuntimeDocument(config ?? bundle + "/config.json") {
            if !context.isRootless { network = ContainerLaunch.beginNetwork(for: $0) }
        }
        var spec = document.spec
        guard var process = spec.process else { throw RuntimeFailure(.specification, "process: missing") }
        context.keepOutOfMemoryScore(of: &process)
        spec.process = process
        try Terminal.check(process, socket: consoleSocket, detached: detached)
        let warnings = (process.capabilities?.warnings ?? []) + spec.mounts.flatMap(\.warnings)
        for line in warnings { context.log.note(line) }
        let passed = preservedDescriptors + passSockets(to: &spec)
        let rootfs = spec.root.path.hasPrefix("/") ? spec.root.path : bundle + "/" + spec.root.path
        try context.states.reserve(id)
        context.log.debug("container \(id) of bundle \(bundle)")
        var begun: Cgroup?, made: Cgroup?
        do {
            if let manager = context.serviceManager {
                manager.introduce(to: &spec, from: try makeNotificationFolder(context.states.notifications(id)))
            }
            let filter = try document.filter(by: SeccompFilter(cache: context.states.filters))
            spec.linux.seccomp = filter?.seccomp
            var launch = ContainerLaunch(id: id, spec: spec, rootfs: .directory(rootfs), stdio: Terminal.stdio(process))
            launch.filter = filter?.program
            launch.preservedDescriptors = passed
            launch.avoidsPivotRoot = avoidsPivotRoot
            launch.keepsSessionKeyring = keepsSessionKeyring
            launch.bundle = bundle
            launch.seal = context.seal
            launch.network = network
            let gate = try makeFIFO(context.states.fifo(id))
            launch.gate = .fifo(gate.raw)
            var cgroup: Cgroup
            let isBegun: Bool
            (cgroup, isBegun) = try ContainerGroup.begin(spec, id: id, context)
            if isBegun { begun = cgroup } else { made = cgroup }
            context.log.debug("cgroup \(cgroup.path) made")
            var state = ContainerState(id: id, bundle: bundle, cgroup: cgroup.path, rootfs: rootfs, spec: spec)
            state.hierarchies = cgroup.layout.record
            (state.scope, state.resctrl) = (cgroup.scope, cgroup.resctrl)
            let resources = spec.linux.resources
            func finish() throws(RuntimeFailure) {
                try cgroup.finish()
                // Until then it could be another container's.
                made = cgroup
                try cgroup.limit(resources)
            }
            var records = ContainerRecords(state, in: context.states, pidFile: pidFile)
            var running = try launch.start(in: cgroup, finish: isBegun ? finish : nil) {
                (pid) throws(RuntimeFailure) in
                if !process.terminal { records.state.streams = StreamNames.own().names }
                try context.states.write(config: text, of: id)
                if let pid { try records.prepare(for: pid) }
                releaseProgram()
            }
            context.log.debug("process \(running.pid) waits at the gate")
            do {
                var master = running.takeMaster()
                if let raw = master {
                    if let consoleSocket {
                        master = nil
                        try Terminal.send(OwnedDescriptor(owning: raw), to: consoleSocket)
                    } else {
                        // Before the program writes anything.
                        try TerminalMode(of: raw).withoutCarriageReturns.apply(to: raw)
                    }
                }
                if let processSocket { try Terminal.send(process: running.pidfd, to: processSocket) }
                try records.commit(for: running.pid)
                if thenEnds {
                    // Who has kept a group of systemd's open until now ends with the last that knows of it.
                    (begun, made) = (nil, nil)
                    cgroup.settle()
                    endProgram(keeping: launch)
                }
                return Made(state: records.state, pid: running.pid, master: master)
            } catch {
                try? running.pidfd.send(SIGKILL)
                _ = try? running.pidfd.wait()
                throw error
            }
        } catch {
            if made == nil { begun?.abandon() }
            context.discard(id, made)
            throw error
        }
    }

    /// Sockets of the caller's for the container, as systemd passes them to a service: sd_listen_fds(3).
    ///
    /// - Returns: how many there are.
    private func passSockets(to spec: inout RuntimeSpec) -> Int32 {
        guard let text = environmentValue("LISTEN_FDS"), let count = Int32(text), (1...1024).contains(count) else {
            return 0
        }
        spec.process?.environment += ["LISTEN_FDS=\(count)", "LISTEN_PID=1"]
        return count
    }
}

/// The directory's own path, links in it followed.
func realDirectory(_ path: String) throws(SystemError) -> String {
    let directory = try open(path, O_PATH | O_DIRECTORY)
    return try readLink(directory.procPath)
}

/// A folder that whoever is root in the container can enter; around it is one that nobody else can.
private func makeNotificationFolder(_ path: String) throws(SystemError) -> String {
    try makeDirectory(path)
    let folder = try open(path, O_RDONLY | O_DIRECTORY)
    try setMode(folder.raw, 0o755)
    return path
}

/// A FIFO opened both ways, so that reading it waits for a writer instead of seeing its end.
private func makeFIFO(_ path: String) throws(SystemError) -> OwnedDescriptor {
    try check("mkfifo", path) { mkfifo(path, 0o600) }
    return try open(path, O_RDWR)
}
