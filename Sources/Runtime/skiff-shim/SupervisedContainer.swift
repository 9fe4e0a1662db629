internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux
internal import OCI
internal import ShimProtocol

/// The one container of this shim: its processes, their streams, its cgroup, and how it ended.
final class SupervisedContainer {
    private let order: LaunchOrder
    private let loop: EventLoop
    private let spec: RuntimeSpec
    private let filter: [UInt8]?
    private let streams: ProcessStreams
    private let log: (any OutputLog)?
    private let cgroup: ContainerCgroup
    /// Whoever made the container, when it was not our own library.
    private let foreign: ForeignRuntime?
    let pid: Int32
    private let pidfd: PidFD
    let startedAt: Int64

    private var execs: [String: ExecSession] = [:]
    private var end: (end: ProcessEnd, at: Int64)?
    private var isPaused = false
    /// Whether a client has had its processes killed.
    private var wasKilled = false
    private var isFinishing = false
    /// What deletes the container of another runtime.
    private var deletion: pid_t?
    private(set) var exit: ExitReport?
    private(set) var isRemoved = false
    private var drainDeadline: UInt64?

    var onEvent: ((ShimEvent) -> Void)?
    /// Its cgroup is gone.
    var onRemoved: (() -> Void)?
    /// Nobody reads its streams any more.
    var onIdle: (() -> Void)?

    /// How long output may still come after the first process ended, from processes that are not in its pid namespace.
    private static let drainTime: Int64 = 3_000
    /// Between attempts to remove a cgroup that still has dying processes in it.
    private static let removalInterval: Int64 = 20

    /// Makes the container; on a failure nothing of it is left.
    static func launch(
        _ order: LaunchOrder, _ descriptors: inout ReceivedDescriptors, seal: ProgramSeal, loop: EventLoop
    ) throws -> SupervisedContainer {
        let spec = try RuntimeSpec(json: order.spec)
        guard let process = spec.process else { throw FailureReport.request("the specification has no process") }
        var network: SharedDescriptor?
        if order.joinsNetwork {
            guard let namespace = descriptors.take() else {
                throw FailureReport.request("no network namespace came along")
            }
            network = SharedDescriptor(namespace)
        }
        // Only its number goes into the launch.
        defer { withExtendedLifetime(network) {} }
        var filter: [UInt8]?
        if order.isFiltered {
            guard let file = descriptors.take() else { throw FailureReport.request("no filter came along") }
            filter = try readWhole(file.raw, limit: 1 << 20)
        }
        let log = try order.log.map { try makeLog($0, loop) }
        let stdio = try ProcessEnds(terminal: process.terminal, size: process.windowSize, input: order.input)

        let cgroup = try ContainerCgroup(order, annotations: spec.annotations)
        var foreign: ForeignRuntime?
        do {
            let pid: Int32
            let master: Int32?
            if let program = order.runtime {
                // Its cgroup is the runtime's to make, at the path the document names.
                let runtime = try ForeignRuntime(program, order)
                foreign = runtime
                cgroup.expect()
                (pid, master) = try runtime.launch(
                    spec, seccomp: order.spec["linux"]?["seccomp"], network: network?.raw, stdio.forProcess
                ) { try cgroup.find(around: $0) }
            } else {
                try cgroup.create(spec.linux.resources)
                var launch = ContainerLaunch(
                    id: order.id, spec: spec, rootfs: .overlay(order.rootfs), stdio: stdio.forProcess)
                launch.networkNamespace = network?.raw
                launch.filter = filter
                launch.reapingInit = order.usesInit
                launch.seal = seal
                var running = try launch.start(in: cgroup.cgroup)
                pid = running.pid
                master = running.takeMaster()
                cgroup.settle()
            }
            let startedAt = Clock.wallNanoseconds()
            let streams = try ProcessStreams(
                stdio.forShim(master: master), input: order.input, log: log, loop: loop)
            let container = try SupervisedContainer(
                order, spec, filter, streams, log, cgroup, foreign, pid: pid, startedAt: startedAt, loop: loop)
            for stream in order.streams {
                guard let socket = descriptors.take() else { break }
                try streams.attach(stream, socket)
            }
            return container
        } catch {
            cgroup.killAll()
            while (try? reapAnyChild()) != nil {}
            foreign?.clear()
            _ = cgroup.removeNow()
            throw error
        }
    }

    private static func makeLog(_ order: LogOrder, _ loop: EventLoop) throws(SystemError) -> any OutputLog {
        guard let limit = order.bufferSize else { return try DirectLog(order) }
        return try BufferedLog(order, limit: limit, loop: loop)
    }

    private init(
        _ order: LaunchOrder, _ spec: RuntimeSpec, _ filter: [UInt8]?, _ streams: ProcessStreams,
        _ log: (any OutputLog)?,
        _ cgroup: ContainerCgroup, _ foreign: ForeignRuntime?, pid: Int32, startedAt: Int64, loop: EventLoop
    ) throws {
        self.order = order
        self.spec = spec
        self.filter = filter
        self.streams = streams
        self.log = log
        self.cgroup = cgroup
        self.foreign = foreign
        self.pid = pid
        pidfd = try PidFD(pid)
        self.startedAt = startedAt
        self.loop = loop
        streams.onOutputEnd = { [unowned self] in finishIfEnded() }
        streams.onIdle = { [unowned self] in if isIdle { onIdle?() } }
        streams.onImpatience = { [unowned self] seconds in
            onEvent?(.warning("a client attached to \(order.id) read nothing for \(seconds) s and was cut off"))
        }
        log?.onFailure = { [unowned self] in onEvent?(.warning("write the log of \(order.id): \($0)")) }
        cgroup.watchMemory(loop) { [unowned self] in onEvent?(.outOfMemory) }
    }

    var state: ShimState {
        ShimState(
            id: order.id, pid: pid, startedAt: startedAt, isPaused: isPaused, oomKilled: cgroup.outOfMemory, exit: exit,
            execs: execs.values.filter { !$0.isForgotten }.map {
                ShimState.Exec(id: $0.id, pid: $0.pid, exit: $0.exit)
            })
    }

    var isIdle: Bool { streams.isIdle && execs.values.allSatisfy(\.isIdle) }

    // MARK: Requests

    func attach(_ process: String?, _ order: StreamOrder, _ socket: consuming OwnedDescriptor) throws {
        try streams(of: process).attach(order, socket)
    }

    func exec(_ order: ExecOrder, _ descriptors: inout ReceivedDescriptors) throws -> Int32 {
        guard end == nil else { throw FailureReport.request("the container has ended") }
        guard !isPaused else { throw FailureReport.request("the container is paused") }
        guard execs[order.id] == nil else { throw FailureReport.request("exec \(order.id) exists") }
        let session = try ExecSession.start(
            order, in: pidfd, pid: pid, named: self.order.id, of: spec, filter: filter, cgroup: cgroup,
            foreign: foreign,
            &descriptors, loop: loop)
        execs[order.id] = session
        session.onIdle = { [unowned self, unowned session] in
            if session.isForgotten { execs[session.id] = nil }
            if exit != nil, isIdle { onIdle?() }
        }
        return session.pid
    }

    /// Waits no longer for execs that got away from the container's end.
    func abandonExecs() {
        for session in execs.values { session.abandon() }
        if isIdle { onIdle?() }
    }

    func signal(_ number: Int32, _ target: ShimRequest.SignalTarget) throws {
        switch target {
        case .initial:
            guard end == nil else { throw FailureReport.request("the container has ended") }
            // Nothing is asked of a runtime that the kernel does for certain.
            if let foreign, number != SIGKILL { try foreign.signal(number) } else { try sendSignal(number, to: pid) }
            if number == SIGKILL { wasKilled = true }
        case .all:
            if number == SIGKILL { wasKilled = true }
            for pid in try cgroup.processes() { try? sendSignal(number, to: pid) }
        case .exec(let id):
            guard let session = execs[id], session.exit == nil else {
                throw FailureReport.request("exec \(id) does not run")
            }
            try sendSignal(number, to: session.pid)
        }
        // The frozen do not even die.
        if number == SIGKILL, isPaused, end == nil {
            try cgroup.freeze(false)
            isPaused = false
        }
    }

    func resize(_ process: String?, _ size: WindowSize) throws { try streams(of: process).resize(size) }

    func pause(_ paused: Bool) throws {
        // What was killed while it was paused may have ended before the one who killed it lets it go on.
        if !paused, end != nil { return }
        guard end == nil else { throw FailureReport.request("the container has ended") }
        if paused == isPaused { return }
        if let foreign { try foreign.pause(paused) } else { try cgroup.freeze(paused) }
        isPaused = paused
    }

    func update(_ resources: JSON) throws { try cgroup.apply(RuntimeSpec.Resources(json: resources)) }

    func processes() throws -> [Int32] { try cgroup.processes() }

    /// Its status was collected: nothing that can wait goes on.
    func abandonLog() { log?.abandon() }

    func forget(_ exec: String) {
        guard let session = execs[exec], session.exit != nil else { return }
        session.isForgotten = true
        if session.isIdle { execs[exec] = nil }
    }

    private func streams(of process: String?) throws -> ProcessStreams {
        guard let process else { return streams }
        guard let session = execs[process] else { throw FailureReport.request("there is no exec \(process)") }
        return session.streams
    }

    // MARK: The end

    /// A child of the shim was reaped.
    func ended(_ child: Int32, _ how: ProcessEnd) {
        let now = Clock.wallNanoseconds()
        if child == pid {
            end = (how, now)
            // At once: systemd removes a scope when it sees that it is empty, and the kernel's counters go with it.
            if cgroup.noticesKill(killed: how.signal == SIGKILL && !wasKilled) { onEvent?(.outOfMemory) }
            // A container in another's pid namespace leaves processes behind, who would hold its pipes and its cgroup.
            if spec.linux.namespace(.pid) == nil || spec.linux.namespace(.pid)?.path != nil { cgroup.killAll() }
            drainDeadline = loop.after(Self.drainTime) { [unowned self] in
                cgroup.killAll()
                finish()
            }
            streams.drain()
        } else if let session = execs.values.first(where: { $0.pid == child && $0.exit == nil }) {
            let report = ExitReport(code: how.code, signal: how.signal, oomKilled: false, at: now)
            onEvent?(.execEnded(id: session.id, report))
            session.ended(report)
        } else if child == deletion {
            clear()
        } else {
            log?.ended(child, how)
        }
    }

    private func finishIfEnded() { if end != nil { finish() } }

    /// Everything was read: tell once it is in the log.
    private func finish() {
        guard end != nil, !isFinishing else { return }
        isFinishing = true
        if let drainDeadline { loop.cancelDeadline(drainDeadline) }
        streams.endOutput()
        if let log { log.close { [unowned self] in tell() } } else { tell() }
    }

    /// Everything is in the log: tell, then clear away.
    private func tell() {
        guard let end, exit == nil else { return }
        // The kernel's notice may still be on its way: what it says is told before the end.
        if cgroup.noticesKill() { onEvent?(.outOfMemory) }
        let report = ExitReport(
            code: end.end.code, signal: end.end.signal, oomKilled: cgroup.outOfMemory, at: end.at)
        exit = report
        onEvent?(.exited(report))
        streams.finish()
        cgroup.stopWatching()
        deletion = foreign?.beginDeletion()
        if deletion == nil { clear() }
    }

    private func clear() {
        foreign?.removeFiles()
        removeCgroup()
    }

    private func removeCgroup() {
        if cgroup.removeNow() {
            isRemoved = true
            onRemoved?()
        } else {
            cgroup.killAll()
            _ = loop.after(Self.removalInterval) { [unowned self] in removeCgroup() }
        }
    }
}

extension RuntimeSpec.Process {
    var windowSize: WindowSize? { consoleSize.map { WindowSize(rows: $0.rows, columns: $0.columns) } }
}
