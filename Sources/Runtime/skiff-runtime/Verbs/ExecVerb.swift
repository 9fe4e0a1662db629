internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI

/// `exec [flags] ID [COMMAND …]`: runs another program in a container; ends as the program did unless detached.
struct ExecVerb {
    private let arguments: Arguments
    private let id: String
    private let command: [String]

    init(_ words: [String]) throws {
        arguments = try Arguments(
            words, flags: ["tty", "detach", "no-new-privs", "ignore-paused", "no-subreaper"],
            options: [
                "console-socket", "cwd", "env", "user", "additional-gids", "process", "pid-file", "process-label",
                "apparmor", "cap", "preserve-fds", "cgroup",
            ],
            short: [
                "t": "tty", "d": "detach", "e": "env", "u": "user", "g": "additional-gids", "p": "process", "c": "cap",
            ])
        guard let id = arguments.rest.first else { throw Arguments.Misuse(description: "container id is missing") }
        self.id = id
        command = Array(arguments.rest.dropFirst())
    }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        switch StateVerb.currentStatus(state, context) {
        case .running, .created: break
        case .paused where arguments.has("ignore-paused"): break
        case .paused: throw RuntimeFailure(.specification, "cannot exec in a paused container")
        case .stopped: throw RuntimeFailure(.specification, "cannot exec in a stopped container")
        }
        let spec = try RuntimeSpec(json: state.config)
        let process = try self.process(spec)
        let target = try PidFD(state.pid)
        guard processStartTime(state.pid) == state.startTime else {
            throw RuntimeFailure(.specification, "cannot exec in a stopped container")
        }
        if process.terminal, arguments.last("console-socket") == nil {
            throw RuntimeFailure(.specification, "a terminal is asked for, but no --console-socket to send it to")
        }
        try becomeSubreaper()
        var launch = ExecLaunch(
            id: id, initPid: state.pid, process: process,
            stdio: process.terminal
                ? .terminal(size: process.consoleSize.map { WindowSize(rows: $0.rows, columns: $0.columns) })
                : .descriptors(input: 0, output: 1, error: 2))
        launch.filter = try spec.linux.seccomp.map { try SeccompFilter(cache: context.states.filters).program(for: $0) }
        launch.preservedDescriptors = try preservedDescriptors()
        var running = try launch.start(target: target, in: group(of: state))
        if let master = running.takeMaster() {
            try sendMaster(OwnedDescriptor(owning: master), to: arguments.last("console-socket") ?? "")
        }
        if let file = arguments.last("pid-file") { try replaceFile(file, Array("\(running.pid)".utf8)) }
        if arguments.has("detach") { return }
        exitNow(try waitForwardingSignals(to: running.pid).code)
    }

    private func preservedDescriptors() throws -> Int32 {
        guard let text = arguments.last("preserve-fds") else { return 0 }
        guard let count = Int32(text), (0...1024).contains(count) else {
            throw Arguments.Misuse(description: "flag --preserve-fds takes a number from 0 to 1024, not \"\(text)\"")
        }
        return count
    }

    /// The process of the file, or the container's own with the command line's changes.
    private func process(_ spec: RuntimeSpec) throws -> RuntimeSpec.Process {
        if let file = arguments.last("process") { return try RuntimeSpec.Process(json: JSON.parse(readFile(file))) }
        guard var process = spec.process else { throw RuntimeFailure(.specification, "process: missing") }
        if command.isEmpty { throw Arguments.Misuse(description: "the command to run is missing") }
        process.arguments = command
        process.terminal = arguments.has("tty")
        process.environment += arguments.all("env")
        if let directory = arguments.last("cwd") { process.directory = directory }
        if let user = arguments.last("user") {
            let parts = user.split(separator: ":", omittingEmptySubsequences: false)
            guard let uid = UInt32(parts[0]), let gid = parts.count > 1 ? UInt32(parts[1]) : 0, parts.count < 3 else {
                throw Arguments.Misuse(description: "flag --user takes uid[:gid], not \"\(user)\"")
            }
            process.user.uid = uid
            process.user.gid = gid
            process.user.additionalGids = []
        }
        for text in arguments.all("additional-gids") {
            guard let gid = UInt32(text) else {
                throw Arguments.Misuse(description: "flag --additional-gids takes numbers, not \"\(text)\"")
            }
            process.user.additionalGids.append(gid)
        }
        for name in arguments.all("cap") {
            let name = name.uppercased().hasPrefix("CAP_") ? name.uppercased() : "CAP_" + name.uppercased()
            process.capabilities?.bounding.append(name)
            process.capabilities?.effective.append(name)
            process.capabilities?.permitted.append(name)
        }
        if arguments.has("no-new-privs") { process.noNewPrivileges = true }
        return process
    }
}
