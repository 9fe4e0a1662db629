internal import Execution
public import Failures
internal import Linux

// Attach, resize, wait and logs: who looks on while a container lives.

extension ContainerService {
    func join(_ container: Container, _ request: AttachRequest) async throws(Failure) -> AttachedStream {
        let tty = container.config.tty
        let replay =
            request.logs ? try openLog(of: container, LogRequest(stdout: request.stdout, stderr: request.stderr)) : nil
        guard request.stream else { return AttachedStream(socket: nil, replay: replay, tty: tty) }
        let choice = StreamChoice(
            input: request.stdin && container.config.openStdin, output: request.stdout, errors: request.stderr,
            framed: !tty, patience: configuration.streamPatience)
        let pair: (attachment: StreamAttachment, stream: Execution.AttachedStream)
        do throws(SystemError) { pair = try StreamAttachment.pair(choice) } catch {
            throw Failure(.internal, "attach to container \(container.id): \(error)", cause: error)
        }
        // Either a task to join now, or a place in the queue of those who are handed over at the start.
        let task = try container.withLock { (state) throws(Failure) -> ContainerTask? in
            switch state.record.lifecycle.state.status {
            case .paused:
                throw Failure(.conflict, "container \(container.id) is paused, unpause the container before attach")
            case .restarting:
                throw Failure(.conflict, "container \(container.id) is restarting, wait until the container is running")
            case .removing, .dead: throw Failure(.conflict, "container \(container.id) is being removed")
            case .running where state.task != nil: return state.task
            case .running, .created, .exited:
                guard state.waitingStreams.count < Self.maximumWaitingStreams else {
                    throw Failure(
                        .conflict, "too many clients wait for container \(container.id) to start: start it first")
                }
                state.waitingStreams.append(pair.attachment)
                return nil
            }
        }
        if let task { try await task.attach(pair.attachment) }
        events.publish(Event(.container, "attach", actor: container.id, attributes: container.eventAttributes()))
        return AttachedStream(socket: OwnedDescriptor(owning: pair.stream.take()), replay: replay, tty: tty)
    }

    /// How many may be attached before a start; each holds two descriptors of the daemon.
    private static let maximumWaitingStreams = 64

    func resize(_ container: Container, to size: TerminalSize) async throws(Failure) {
        let task = try container.withLock { (state) throws(Failure) -> ContainerTask? in
            switch state.record.lifecycle.state.status {
            case .running, .paused: return state.task
            case .created:
                state.firstSize = size
                return nil
            default: throw Failure(.conflict, "container \(container.id) is not running")
            }
        }
        guard let task else { return }
        try await task.resize(size)
        events.publish(
            Event(
                .container, "resize", actor: container.id,
                attributes: container.eventAttributes(["height": String(size.rows), "width": String(size.columns)])))
    }

    func register(_ condition: WaitCondition, on container: Container) throws(Failure) -> WaitHandle {
        try container.withLock { (state) throws(Failure) -> WaitHandle in
            guard !state.isRemoved else { throw Failure(.notFound, "No such container: \(container.id)") }
            let promise = Promise<WaitResult>()
            let now = state.record.lifecycle.state
            if condition == .notRunning, !now.isRunning {
                promise.fulfil(WaitResult(exitCode: now.exitCode))
            } else {
                state.waits.removeAll { $0.promise.isAbandoned }
                state.waits.append(Container.Wait(condition: condition, promise: promise))
            }
            return WaitHandle(promise)
        }
    }

    func openLog(of container: Container, _ request: LogRequest) throws(Failure) -> LogStream {
        guard let place = configuration.log(ofContainer: container.id, driver: container.host.logDriver) else {
            throw Failure(.notImplemented, "configured logging driver does not support reading")
        }
        let follows = request.follow && container.state.isRunning
        let file = LogFile(path: place.path, form: place.form, request: request)
        return LogStream.reading(
            file, directory: place.directory, end: follows ? container.logEnd : nil,
            watcher: logWatcher, pool: pool)
    }
}

/// A registered wait.
public final class WaitHandle: Sendable {
    private let promise: Promise<WaitResult>

    init(_ promise: Promise<WaitResult>) { self.promise = promise }

    deinit { promise.abandon() }

    /// Suspends until the condition holds; cancellation gives up the wait.
    ///
    /// - Throws: `cancelled` when the task was cancelled first.
    public func result() async throws(Failure) -> WaitResult {
        guard let result = await promise.value() else { throw Failure(.cancelled, "the wait was called off") }
        return result
    }
}
