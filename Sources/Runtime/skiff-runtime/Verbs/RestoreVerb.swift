internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `restore ID`: makes a container from a bundle and a checkpoint, and waits unless detached.
struct RestoreVerb: Verb {
    static let name = "restore"
    static let summary = "make a container from a checkpoint, with CRIU"
    static let flags = Flags(
        CheckpointFlags.shared,
        """
        --bundle -b DIR              the bundle's directory (the working directory)
        --console-socket SOCKET      where the terminal's master is sent
        --pid-file FILE              where the process's number is written
        --detach -d                  do not wait
        --no-subreaper               do not take over processes whose parent has ended
        --no-pivot                   ignored: CRIU changes the root
        --lsm-profile PROFILE        TYPE:NAME, in place of the profile or label that was dumped
        --lsm-mount-context CONTEXT  the SELinux context of mounts, in place of the dumped one
        """)

    private let id: String
    private let bundle: String
    private let options: RestoreOptions
    private let consoleSocket: String?
    private let pidFile: String?
    private let detach: Bool
    private let reaps: Bool

    init(_ arguments: Arguments) throws {
        id = try arguments.only("container id")
        bundle = try realDirectory(arguments.last("bundle") ?? ".")
        var options = RestoreOptions(try CheckpointFlags.settings(arguments))
        options.lsmProfile = arguments.last("lsm-profile").flatMap { $0.isEmpty ? nil : $0 }
        options.lsmMountContext = arguments.last("lsm-mount-context").flatMap { $0.isEmpty ? nil : $0 }
        self.options = options
        consoleSocket = arguments.last("console-socket").flatMap { $0.isEmpty ? nil : $0 }
        pidFile = arguments.last("pid-file")
        detach = arguments.has("detach")
        reaps = !arguments.has("no-subreaper")
    }

    func run(_ context: RuntimeContext) throws {
        let (document, text) = try readDocumentWithText(bundle + "/config.json")
        let spec = try RuntimeSpec(json: document)
        guard let process = spec.process else { throw RuntimeFailure(.specification, "process: missing") }
        try Terminal.check(process, socket: consoleSocket, detached: detach)
        let program = try CRIUProgram(context.criu, searchPath: environmentValue("PATH"))
        if !detach, reaps { try becomeSubreaper() }
        let (state, master) = try restore(spec, text, program, context)
        if detach { return }
        if let master, isTerminal(0), let size = try? windowSize(0) { try? setWindowSize(master, size) }
        let end = try Foreground.wait(for: state.pid, master: master)
        try DeleteVerb.remove(state, context)
        exitNow(end.code)
    }

    /// Whether a process can gain no privileges by running a program; older versions of CRIU forget that.
    ///
    /// File: `/proc/<pid>/status`.
    private static func mayGainNothing(_ pid: pid_t) -> Bool {
        guard let text = try? readText("/proc/\(pid)/status", limit: 1 << 16) else { return true }
        return !text.split(separator: "\n").contains("NoNewPrivs:\t0")
    }

    /// Makes the container; on a failure nothing of it is left.
    ///
    /// - Returns: with the terminal's master, where there is one that no socket took.
    private func restore(
        _ spec: RuntimeSpec, _ text: [UInt8], _ program: CRIUProgram, _ context: RuntimeContext
    ) throws -> (state: ContainerState, master: Int32?) {
        let states = context.states
        let rootfs = spec.root.path.hasPrefix("/") ? spec.root.path : bundle + "/" + spec.root.path
        try states.reserve(id)
        var made: Cgroup?
        do {
            let cgroup = try ContainerGroup.make(spec, id: id, context)
            made = cgroup
            var state = ContainerState(id: id, bundle: bundle, cgroup: cgroup.path, rootfs: rootfs, spec: spec)
            state.hierarchies = cgroup.layout.record
            (state.scope, state.resctrl) = (cgroup.scope, cgroup.resctrl)
            if spec.process?.terminal != true { state.streams = StreamNames.own().names }
            let restore = ContainerRestore(
                id: id, spec: spec, rootfs: rootfs, bundle: bundle, place: states.directory(id), options: options)
            var running = try restore.start(with: program, in: cgroup) { (pid) throws(RuntimeFailure) in
                state.pid = pid
                state.startTime = processStartTime(pid) ?? 0
                try states.write(config: text, of: state.id)
                try states.write(state)
            }
            context.log.debug("container \(id) restored as process \(running.pid)")
            if spec.process?.noNewPrivileges == true, !Self.mayGainNothing(running.pid) {
                context.log.warning("container \(id): CRIU \(program.version) has not restored noNewPrivileges")
            }
            do {
                var master = running.takeMaster()
                if let raw = master, let consoleSocket {
                    master = nil
                    try Terminal.send(OwnedDescriptor(owning: raw), to: consoleSocket)
                }
                if let pidFile { try replaceFile(pidFile, Array("\(state.pid)".utf8)) }
                return (state, master)
            } catch {
                try? running.pidfd.send(SIGKILL)
                _ = try? running.pidfd.wait()
                throw error
            }
        } catch {
            context.discard(id, made)
            throw error
        }
    }
}
