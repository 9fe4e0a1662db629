internal import ContainerRuntime
internal import Linux
internal import OCI
internal import ShimProtocol

/// A further process in the container, with streams of its own.
final class ExecSession {
    let id: String
    let pid: Int32
    let streams: ProcessStreams
    private let loop: EventLoop
    private var deadline: UInt64?
    private(set) var exit: ExitReport?
    private var isAbandoned = false
    var isForgotten = false

    /// Its streams are delivered and gone.
    var onIdle: (() -> Void)?

    /// How long its output may still come from processes it left behind.
    private static let drainTime: Int64 = 2_000

    /// Starts the process; on a failure nothing of it is left.
    static func start(
        _ order: ExecOrder, in container: borrowing PidFD, pid initPid: Int32, named name: String, of spec: RuntimeSpec,
        filter: [UInt8]?, cgroup: ContainerCgroup, foreign: ForeignRuntime?,
        _ descriptors: inout ReceivedDescriptors, loop: EventLoop
    ) throws -> ExecSession {
        guard let process = spec.process?.entered(by: order) else {
            throw FailureReport.request("the specification has no process")
        }
        let stdio = try ProcessEnds(terminal: order.terminal, size: process.windowSize, input: order.input)
        let pid: Int32
        let master: Int32?
        if let foreign {
            (pid, master) = try foreign.exec(process, stdio.forProcess)
        } else {
            var launch = ExecLaunch(id: name, initPid: initPid, process: process, stdio: stdio.forProcess)
            launch.filter = order.isFiltered ? filter : nil
            launch.settings = spec.linux
            launch.mayBeTraced = spec.process?.mayTrace != false
            var running = try launch.start(target: container, in: cgroup.cgroup)
            pid = running.pid
            master = running.takeMaster()
        }
        let streams = try ProcessStreams(
            stdio.forShim(master: master), input: order.input, log: nil, loop: loop)
        for stream in order.streams {
            guard let socket = descriptors.take() else { break }
            try streams.attach(stream, socket)
        }
        return ExecSession(order.id, pid, streams, loop)
    }

    private init(_ id: String, _ pid: Int32, _ streams: ProcessStreams, _ loop: EventLoop) {
        self.id = id
        self.pid = pid
        self.streams = streams
        self.loop = loop
        streams.onOutputEnd = { [unowned self] in if exit != nil { finish() } }
        streams.onIdle = { [unowned self] in onIdle?() }
    }

    var isIdle: Bool { (exit != nil || isAbandoned) && streams.isIdle }

    /// The process was reaped: deliver what is left, for a while.
    func ended(_ report: ExitReport) {
        exit = report
        deadline = loop.after(Self.drainTime) { [unowned self] in finish() }
        streams.drain()
    }

    /// Nobody waits for its end any more: deliver what has come, unless that happens already.
    func abandon() {
        isAbandoned = true
        if exit == nil { finish() }
    }

    private func finish() {
        if let deadline { loop.cancelDeadline(deadline) }
        deadline = nil
        streams.finish()
    }
}

extension RuntimeSpec.Process {
    /// The container's own process with what an exec asks for instead.
    fileprivate func entered(by order: ExecOrder) -> RuntimeSpec.Process {
        var process = self
        process.arguments = order.arguments
        process.terminal = order.terminal
        process.consoleSize = nil
        if let rows = order.rows, let columns = order.columns {
            process.consoleSize = RuntimeSpec.ConsoleSize(rows: rows, columns: columns)
        }
        if let environment = order.environment { process.environment = environment }
        if let directory = order.workingDirectory { process.directory = directory }
        if let user = order.user {
            let groups = process.user.additionalGroups
            process.user = RuntimeSpec.User()
            process.user.name = user
            process.user.additionalGroups = groups
        }
        // The sets of whoever asks anew: a user that is not root loses them at exec.
        if let names = order.capabilities ?? process.capabilities?.bounding {
            process.capabilities?.bounding = names
            process.capabilities?.effective = names
            process.capabilities?.permitted = names
        }
        return process
    }
}
