internal import Execution
public import Failures
public import Linux
internal import Synchronization

/// Processes started inside running containers beside their own.
public final class ExecService: Sendable {
    /// How long the result of an exec can be asked for.
    private static let memory: Int64 = 300_000_000_000

    private let containers: ContainerService
    private let execs = Mutex<[String: Exec]>([:])

    public init(containers: ContainerService) { self.containers = containers }

    /// Notes what is to be run; nothing runs yet.
    ///
    /// - Throws: `conflict` when the container does not run or is paused, `invalid` for an empty command.
    public func create(in reference: String, _ request: ExecRequest) throws(Failure) -> String {
        let container = try containers.index.resolve(reference)
        guard let program = request.command.first, !program.isEmpty else {
            throw Failure(.invalid, "No exec command specified")
        }
        for word in request.command + request.env where word.utf8.contains(0) {
            throw Failure(.invalid, "an argument of the exec holds a zero byte")
        }
        _ = try Self.runningTask(of: container)
        let exec = Exec(id: RandomID.make(), container: container, request: request)
        execs.withLock { execs in
            let limit = Timestamp.now.advanced(byNanoseconds: -Self.memory)
            for (id, old) in execs
            where old.withLock({ $0.endedAt.map { $0 < limit } ?? false }) || old.container.withLock({ $0.isRemoved }) {
                execs[id] = nil
                old.container.withLock { $0.execs[id] = nil }
            }
            execs[exec.id] = exec
        }
        container.withLock { $0.execs[exec.id] = exec }
        tell(exec, "exec_create: \(exec.commandLine)")
        return exec.id
    }

    /// Takes an exec for starting: from here on nobody else can.
    ///
    /// Nothing runs before `ExecStart.begin`, so that the edge can send its header first.
    ///
    /// - Parameters:
    ///   - detach: no streams: `ExecStart.takeSocket` gives nil.
    ///   - consoleSize: overrides the one given at creation.
    /// - Throws: `notFound` "No such exec instance: <id>", `conflict` when it has run or its container no longer runs.
    public func prepare(_ id: String, detach: Bool, consoleSize: TerminalSize? = nil) throws(Failure) -> ExecStart {
        let exec = try find(id)
        let task = try Self.runningTask(of: exec.container)
        let request = exec.request
        var pair: (attachment: StreamAttachment, stream: Execution.AttachedStream)?
        if !detach, request.attachStdin || request.attachStdout || request.attachStderr {
            let choice = StreamChoice(
                input: request.attachStdin, output: request.attachStdout || request.tty, errors: request.attachStderr,
                framed: !request.tty, patience: containers.configuration.streamPatience)
            do throws(SystemError) { pair = try StreamAttachment.pair(choice) } catch {
                throw Failure(.internal, "make the streams of exec \(id): \(error)", cause: error)
            }
        }
        try exec.withLock { (state) throws(Failure) in
            switch state.phase {
            case .created: state.phase = .taken
            case .taken, .running: throw Failure(.conflict, "Error: Exec command \(id) is already running")
            case .ended: throw Failure(.conflict, "Error: Exec command \(id) has already run")
            }
            if let consoleSize { state.firstSize = consoleSize }
        }
        return ExecStart(exec: exec, task: task, attachment: pair?.attachment, stream: pair?.stream, service: self)
    }

    /// How an exec is.
    public func inspect(_ id: String) throws(Failure) -> ExecSnapshot {
        let exec = try find(id)
        let state = exec.withLock { $0 }
        return ExecSnapshot(
            id: id, containerID: exec.container.id, request: exec.request, running: state.phase == .running,
            exitCode: state.exitCode,
            pid: state.pid, canRemove: state.phase == .ended)
    }

    /// Sets the size of an exec's terminal, waiting shortly for one that is being started.
    ///
    /// - Throws: `conflict` when it has ended or does not start in time.
    public func resize(_ id: String, to size: TerminalSize) async throws(Failure) {
        let exec = try find(id)
        let phase = exec.withLock { state in
            if state.phase == .created { state.firstSize = size }
            return state.phase
        }
        if phase == .created { return }
        guard phase != .ended, let task = await exec.started.value(withinSeconds: 10) ?? nil else {
            throw Failure(.conflict, "exec \(id) is not running")
        }
        try await task.resize(size)
        tell(exec, "exec_resize", ["height": String(size.rows), "width": String(size.columns)])
    }

    // MARK: Doing

    private func find(_ id: String) throws(Failure) -> Exec {
        guard let exec = execs.withLock({ $0[id] }) else { throw Failure(.notFound, "No such exec instance: \(id)") }
        return exec
    }

    private static func runningTask(of container: Container) throws(Failure) -> ContainerTask {
        let (status, task) = container.withLock { ($0.record.lifecycle.state.status, $0.task) }
        switch status {
        case .paused: throw Failure(.conflict, "container \(container.id) is paused, unpause the container before exec")
        case .restarting:
            throw Failure(.conflict, "container \(container.id) is restarting, wait until the container is running")
        default: break
        }
        guard status == .running, let task else { throw Failure(.conflict, "container \(container.id) is not running") }
        return task
    }

    func tell(_ exec: Exec, _ action: String, _ more: [String: String] = [:]) {
        let attributes = exec.container.eventAttributes(["execID": exec.id].merging(more) { _, new in new })
        containers.events.publish(Event(.container, action, actor: exec.container.id, attributes: attributes))
    }

    /// Starts the process and follows it to its end.
    fileprivate func begin(_ exec: Exec, _ task: ContainerTask, _ attachment: StreamAttachment?) async throws(Failure) {
        tell(exec, "exec_start: \(exec.commandLine)")
        let request = exec.request
        let config = exec.container.config
        var launch = Execution.ExecRequest(
            id: exec.id, arguments: request.command,
            environment: containers.plan(exec.container.withLock { $0.record }, hostname: config.hostname)
                .environment(tty: request.tty, adding: request.env),
            workingDirectory: request.workingDirectory.isEmpty ? nil : request.workingDirectory,
            user: request.user.isEmpty ? nil : request.user, privileged: request.privileged, terminal: request.tty,
            input: request.attachStdin ? .once : .none)
        launch.consoleSize = exec.withLock { $0.firstSize } ?? request.consoleSize
        if let attachment { launch.attachments = [attachment] }
        let running: ExecTask
        do throws(Failure) { running = try await task.exec(launch) } catch {
            let start = error.cause as? StartFailure
            let code = start.map { Int($0.exitCode) } ?? 126
            // Stored before the stream ends: the CLI inspects right after.
            exec.end(code == 128 ? 126 : code)
            let words = "OCI runtime exec failed: "
            let text = start.map { $0.message.hasPrefix(words) ? $0.message : words + $0.message } ?? error.message
            tell(exec, "exec_die", ["exitCode": String(code)])
            guard let attachment else {
                throw Failure(start == nil ? error.kind : .invalid, text, cause: error)
            }
            attachment.report(text + (exec.request.tty ? "\r\n" : "\n"))
            return
        }
        exec.withLock { state in
            state.phase = .running
            state.pid = running.pid
        }
        exec.started.fulfil(running)
        Task {
            let status = await running.exit
            exec.end(Int(status.code))
            self.tell(exec, "exec_die", ["exitCode": String(status.code)])
        }
    }
}

/// An exec about to start.
public final class ExecStart: Sendable {
    private let exec: Exec
    private let task: ContainerTask
    private let attachment: Mutex<StreamAttachment?>
    private let stream: Execution.AttachedStream?
    private let service: ExecService
    private let isBegun = Atomic(false)

    init(
        exec: Exec, task: ContainerTask, attachment: StreamAttachment?, stream: Execution.AttachedStream?,
        service: ExecService
    ) {
        (self.exec, self.task, self.stream, self.service) = (exec, task, stream, service)
        self.attachment = Mutex(attachment)
    }

    /// Never begun is never run: it can be started again.
    deinit {
        guard !isBegun.load(ordering: .relaxed) else { return }
        exec.withLock { if $0.phase == .taken { $0.phase = .created } }
    }

    public var tty: Bool { exec.request.tty }

    /// The stream as in `AttachedStream.socket`; nil when detached or taken.
    ///
    /// Its end of file may come before the exit code is stored: who tells it to somebody awaits ``ended()`` first.
    public func takeSocket() -> OwnedDescriptor? {
        guard let raw = stream?.take(), raw >= 0 else { return nil }
        return OwnedDescriptor(owning: raw)
    }

    /// Starts the process.
    ///
    /// When it cannot be started, an attached caller finds the reason in the stream and 126 or 127 in inspect and
    /// nothing is thrown; a detached one gets the failure.
    public func begin() async throws(Failure) {
        guard !isBegun.exchange(true, ordering: .relaxed) else { return }
        let attachment = attachment.withLock { $0.take() }
        try await service.begin(exec, task, attachment)
    }

    /// Returns when the exit code is stored, or when the waiting task is cancelled.
    public func ended() async { _ = await exec.ended.value() }
}
