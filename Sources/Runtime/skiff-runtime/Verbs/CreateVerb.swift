internal import CLinux
internal import ContainerRuntime
internal import Failures
internal import JSON
internal import Linux
internal import OCI

/// `create [--bundle DIR] [--pid-file F] [--console-socket S] [--preserve-fds N] [--no-pivot] [--no-new-keyring] ID`.
struct CreateVerb {
    static let flags: Set<String> = ["no-pivot", "no-new-keyring", "no-subreaper", "keep"]
    static let options: Set<String> = ["bundle", "pid-file", "console-socket", "preserve-fds", "config"]

    let id: String
    let bundle: String
    let config: String?
    let pidFile: String?
    let consoleSocket: String?
    let preservedDescriptors: Int32
    let avoidsPivotRoot: Bool
    let keepsSessionKeyring: Bool

    init(_ words: [String]) throws {
        try self.init(
            Arguments(words, flags: Self.flags, options: Self.options, short: ["b": "bundle", "f": "config"]))
    }

    init(_ arguments: Arguments) throws {
        id = try arguments.only("container id")
        bundle = try absolute(arguments.last("bundle") ?? ".")
        config = arguments.last("config")
        pidFile = arguments.last("pid-file")
        consoleSocket = arguments.last("console-socket")
        let preserve = arguments.last("preserve-fds") ?? "0"
        guard let count = Int32(preserve), (0...1024).contains(count) else {
            throw Arguments.Misuse(
                description: "flag --preserve-fds takes a number from 0 to 1024, not \"\(preserve)\"")
        }
        preservedDescriptors = count
        avoidsPivotRoot = arguments.has("no-pivot")
        keepsSessionKeyring = arguments.has("no-new-keyring")
    }

    func run(_ context: RuntimeContext) throws { _ = try create(context) }

    /// Makes the container and leaves its program at the gate; on a failure nothing of it is left.
    func create(_ context: RuntimeContext) throws -> (state: ContainerState, pid: pid_t) {
        let document = try JSON.parse(readFile(config ?? bundle + "/config.json"))
        let spec = try RuntimeSpec(json: document)
        guard let process = spec.process else { throw RuntimeFailure(.specification, "process: missing") }
        if process.terminal, consoleSocket == nil {
            throw RuntimeFailure(.specification, "a terminal is asked for, but no --console-socket to send it to")
        }
        let rootfs = spec.root.path.hasPrefix("/") ? spec.root.path : bundle + "/" + spec.root.path
        let cgroup = try Cgroup(path: spec.linux.cgroupsPath ?? "/skiff-runtime/\(id)", layout: CgroupLayout.detect())
        var state = ContainerState(
            id: id, bundle: bundle, cgroup: cgroup.path, rootfs: rootfs, config: document,
            annotations: spec.annotations)

        try context.states.reserve(id)
        var hasCgroup = false
        do {
            var launch = ContainerLaunch(id: id, spec: spec, rootfs: .directory(rootfs), stdio: Self.stdio(process))
            launch.filter = try spec.linux.seccomp.map {
                try SeccompFilter(cache: context.states.filters).program(for: $0)
            }
            launch.preservedDescriptors = preservedDescriptors
            launch.avoidsPivotRoot = avoidsPivotRoot
            launch.keepsSessionKeyring = keepsSessionKeyring
            let gate = try makeFIFO(context.states.fifo(id))
            launch.gate = .fifo(gate.raw)
            try cgroup.create(spec.linux.resources)
            hasCgroup = true
            var running = try launch.start(in: cgroup)
            state.pid = running.pid
            state.startTime = processStartTime(running.pid) ?? 0
            do {
                if let master = running.takeMaster() {
                    try sendMaster(OwnedDescriptor(owning: master), to: consoleSocket ?? "")
                }
                try context.states.write(state)
                if let pidFile { try replaceFile(pidFile, Array("\(state.pid)".utf8)) }
            } catch {
                try? running.pidfd.send(SIGKILL)
                _ = try? running.pidfd.wait()
                throw error
            }
        } catch {
            if hasCgroup {
                try? cgroup.kill()
                try? cgroup.delete()
            }
            try? context.states.remove(id)
            throw error
        }
        return (state, state.pid)
    }

    private static func stdio(_ process: RuntimeSpec.Process) -> Stdio {
        guard process.terminal else { return .descriptors(input: 0, output: 1, error: 2) }
        return .terminal(size: process.consoleSize.map { WindowSize(rows: $0.rows, columns: $0.columns) })
    }
}

/// An absolute form of a path of the caller's.
func absolute(_ path: String) throws(SystemError) -> String {
    if path.hasPrefix("/") { return path }
    let directory = try open(path, O_PATH | O_DIRECTORY)
    return try readLink(directory.procPath)
}

/// A FIFO opened both ways, so that reading it waits for a writer instead of seeing its end.
private func makeFIFO(_ path: String) throws(SystemError) -> OwnedDescriptor {
    try check("mkfifo", path) { mkfifo(path, 0o600) }
    return try open(path, O_RDWR)
}

/// Sends a terminal's master to whoever listens on a socket, with the descriptor's name as the one line of text.
func sendMaster(_ master: consuming OwnedDescriptor, to path: String) throws {
    let socket = try connectStream(toLocal: path)
    try sendMessage(socket.raw, Array("/dev/ptmx".utf8), descriptors: [master.raw])
}
