internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `exec ID COMMAND …`: runs another program in a container; ends as the program did unless detached.
struct ExecVerb: Verb {
    static let name = "exec"
    static let summary = "run another program in a container"
    static let operands = "<container-id> COMMAND …, or <container-id> with --process"
    static let scattersFlags = false
    static let entersContainers = true
    // Programs end with 1 often enough; runc tells its own failures by this.
    static let failureCode: Int32 = 255
    static let flags = Flags(
        """
        --console-socket SOCKET   where the terminal's master is sent
        --pidfd-socket SOCKET     where a descriptor of the process is sent
        --cwd DIR                 the working directory
        --env -e NAME=VALUE       a variable of the environment; may be repeated
        --tty -t                  give it a terminal
        --user -u UID[:GID]       who runs it
        --additional-gids -g GID  one more group; may be repeated
        --process -p FILE         a process as in config.json, in place of the command
        --detach -d               do not wait
        --pid-file FILE           where the process's number is written
        --process-label LABEL     the SELinux label
        --apparmor PROFILE        the AppArmor profile
        --no-new-privs            no program may gain privileges
        --cap -c CAP              one more capability; may be repeated
        --preserve-fds N          pass N descriptors from 3 on
        --cgroup PATH             a cgroup below the container's; on v1 [CONTROLLER,…:]PATH, may be repeated
        --ignore-paused           wait where the container is paused, until it is resumed
        --no-subreaper            ignored: nothing is inherited that is not reaped
        """)

    private let arguments: Arguments
    private let id: String
    private let command: [String]

    init(_ arguments: Arguments) throws {
        guard let id = arguments.rest.first else { throw Arguments.Misuse(description: "container id is missing") }
        self.id = id
        self.arguments = arguments
        command = Array(arguments.rest.dropFirst())
    }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        let own = try group(of: state)
        // Before it is asked whether the number is the container's still: from here on it is this process's.
        let target: PidFD
        do throws(SystemError) { target = try PidFD(state.pid) } catch {
            // Nobody has the number, or it is a thread's now.
            guard [ESRCH, EINVAL, ENOENT].contains(error.errno) else { throw error }
            throw RuntimeFailure(.specification, "cannot exec in a stopped container")
        }
        switch StateVerb.currentStatus(state, context, own) {
        case .running, .created: break
        case .paused where arguments.has("ignore-paused"): break
        case .paused:
            throw RuntimeFailure(.specification, "cannot exec in a paused container (use --ignore-paused to wait)")
        case .stopped: throw RuntimeFailure(.specification, "cannot exec in a stopped container")
        }
        let document = try context.states.document(forEntering: id)
        var spec = document.spec
        let filter = try document.filter(by: SeccompFilter(cache: context.states.filters))
        spec.linux.seccomp = filter?.seccomp
        var process = try self.process(spec)
        context.keepOutOfMemoryScore(of: &process)
        for line in process.capabilities?.warnings ?? [] { context.log.note(line) }
        let detach = arguments.has("detach")
        let consoleSocket = arguments.last("console-socket").flatMap { $0.isEmpty ? nil : $0 }
        try Terminal.check(process, socket: consoleSocket, detached: detach)
        if !detach { try becomeSubreaper() }
        var launch = ExecLaunch(id: id, initPid: state.pid, process: process, stdio: Terminal.stdio(process))
        launch.filter = filter?.program
        launch.settings = spec.linux
        launch.bundle = state.bundle
        launch.annotations = state.annotations
        launch.callerWaits = true
        launch.mayBeTraced = spec.process?.mayTrace != false
        launch.preservedDescriptors = try arguments.number("preserve-fds", in: 0...1024) ?? 0
        let cgroup = try context.groupToEnter(own, CgroupPlace(arguments.all("cgroup")))
        var running = try launch.start(target: target, in: cgroup)
        context.log.debug("process \(running.pid) entered container \(id)")
        let master = running.takeMaster()
        do {
            if let master {
                if let consoleSocket {
                    try Terminal.send(OwnedDescriptor(owning: master), to: consoleSocket)
                } else {
                    try TerminalMode(of: master).withoutCarriageReturns.apply(to: master)
                }
            }
            if let socket = arguments.last("pidfd-socket") { try Terminal.send(process: running.pidfd, to: socket) }
            if let file = arguments.last("pid-file") { try replaceFile(file, Array("\(running.pid)".utf8)) }
        } catch {
            try? running.pidfd.send(SIGKILL)
            _ = try? running.pidfd.wait()
            throw error
        }
        if detach { return }
        context.seal?.release()
        exitNow(try Foreground.wait(for: running.pid, master: master).code)
    }

    /// The process of the file, or the container's own with the command line's changes.
    private func process(_ spec: RuntimeSpec) throws -> RuntimeSpec.Process {
        var process: RuntimeSpec.Process
        if let file = arguments.last("process") {
            process = try RuntimeSpec.Process(json: readDocument(file))
            if arguments.has("tty") { process.terminal = true }
            return process
        }
        guard let own = spec.process else { throw RuntimeFailure(.specification, "process: missing") }
        process = own
        if command.isEmpty { throw Arguments.Misuse(description: "the command to run is missing") }
        process.arguments = command
        process.terminal = arguments.has("tty")
        process.consoleSize = nil
        process.environment += arguments.all("env")
        if let directory = arguments.last("cwd") { process.directory = directory }
        if let label = arguments.last("process-label") { process.selinuxLabel = label }
        if let profile = arguments.last("apparmor") { process.apparmorProfile = profile }
        if arguments.has("no-new-privs") { process.noNewPrivileges = true }
        try changeUser(&process.user)
        addCapabilities(&process)
        return process
    }

    private func changeUser(_ user: inout RuntimeSpec.User) throws(Arguments.Misuse) {
        if let text = arguments.last("user") {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard let uid = UInt32(parts[0]), parts.count < 3 else {
                throw Arguments.Misuse(description: "flag --user takes uid[:gid], not \"\(text)\"")
            }
            user.uid = uid
            user.name = nil
            if parts.count > 1 {
                guard let gid = UInt32(parts[1]) else {
                    throw Arguments.Misuse(description: "flag --user takes uid[:gid], not \"\(text)\"")
                }
                user.gid = gid
            }
        }
        for text in arguments.all("additional-gids") {
            guard let gid = UInt32(text) else {
                throw Arguments.Misuse(description: "flag --additional-gids takes numbers, not \"\(text)\"")
            }
            user.additionalGids.append(gid)
        }
    }

    private func addCapabilities(_ process: inout RuntimeSpec.Process) {
        for name in arguments.all("cap") {
            let name = name.uppercased().hasPrefix("CAP_") ? name.uppercased() : "CAP_" + name.uppercased()
            var sets = process.capabilities ?? RuntimeSpec.Capabilities()
            sets.bounding.append(name)
            sets.effective.append(name)
            sets.permitted.append(name)
            // A capability can be ambient only where it is inheritable too.
            if sets.inheritable.contains(name) { sets.ambient.append(name) }
            process.capabilities = sets
        }
    }
}
