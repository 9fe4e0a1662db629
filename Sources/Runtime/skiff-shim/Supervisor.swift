internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI
internal import ShimProtocol

/// The shim's state: who listens, which container there is, and whether it may go.
///
/// ```
/// waiting ── launch ──► running ── first process ends, output drained ──► ended ── collect ──► gone
///    └ daemon goes: end    └ launch fails: undo, say why, end
/// ```
final class Supervisor {
    let loop: EventLoop
    private var connections: [Connection] = []
    private var listener: OwnedDescriptor?
    private var listenerWatch: Watch?
    private var directory: String?
    private(set) var container: SupervisedContainer?
    private var collectors: [(connection: Connection, tag: UInt32)] = []

    /// How long an exec that is in the container's cgroup no more may keep a collected shim alive.
    private static let lingering: Int64 = 30_000

    /// What keeps the shim's program from being overwritten by its container.
    private let seal: ProgramSeal

    init(_ loop: EventLoop, _ seal: ProgramSeal) {
        self.loop = loop
        self.seal = seal
    }

    /// Serves one more daemon.
    func accept(_ socket: consuming OwnedDescriptor) throws(SystemError) {
        let connection = try Connection(socket, loop)
        connection.onRequest = { [unowned self, unowned connection] request, descriptors in
            handle(request.message, tag: request.tag, &descriptors, from: connection)
        }
        connection.onMalformed = { [unowned connection] in
            let report = FailureReport(stage: "request", errno: EINVAL, path: nil, message: $0.description)
            connection.send(.failed(report), tag: $0.tag)
        }
        connection.onClosed = { [unowned self] gone in
            connections.removeAll { $0 === gone }
            collectors.removeAll { $0.connection === gone }
            // Nothing was launched and nobody is left to launch anything.
            if container == nil, connections.isEmpty { loop.stop() }
        }
        connections.append(connection)
    }

    func broadcast(_ event: ShimEvent) { for connection in connections { connection.send(event) } }

    /// Takes the exit status of every child that has ended: the container's, its execs', and orphans that came to us.
    func reap() {
        while let (pid, end) = try? reapAnyChild() { container?.ended(pid, end) }
    }

    // MARK: Requests

    private func handle(
        _ request: ShimRequest, tag: UInt32, _ descriptors: inout ReceivedDescriptors, from connection: Connection
    ) {
        do {
            if case .launch(let order) = request {
                try launch(order, &descriptors, tag: tag, for: connection)
                return
            }
            guard let container else { throw FailureReport.request("nothing was launched") }
            switch request {
            case .launch: break
            case .hello: connection.send(.state(container.state), tag: tag)
            case .attach(let process, let stream):
                guard let socket = descriptors.take() else { throw FailureReport.request("no stream came along") }
                try container.attach(process, stream, socket)
                connection.send(.done, tag: tag)
            case .exec(let order):
                let pid = try container.exec(order, &descriptors)
                connection.send(.executing(id: order.id, pid: pid), tag: tag)
            case .signal(let number, let target):
                try container.signal(number, target)
                connection.send(.done, tag: tag)
            case .resize(let process, let rows, let columns):
                try container.resize(process, WindowSize(rows: rows, columns: columns))
                connection.send(.done, tag: tag)
            case .pause:
                try container.pause(true)
                connection.send(.done, tag: tag)
            case .resume:
                try container.pause(false)
                connection.send(.done, tag: tag)
            case .update(let resources):
                try container.update(resources)
                connection.send(.done, tag: tag)
            case .processes: connection.send(.processes(try container.processes()), tag: tag)
            case .forget(let exec):
                container.forget(exec)
                connection.send(.done, tag: tag)
            case .collect:
                guard container.exit != nil else { throw FailureReport.request("the container runs") }
                collectors.append((connection, tag))
                endIfCollected()
            }
        } catch let report as FailureReport {
            connection.send(.failed(report), tag: tag)
        } catch {
            connection.send(.failed(FailureReport(error)), tag: tag)
        }
    }

    private func launch(
        _ order: LaunchOrder, _ descriptors: inout ReceivedDescriptors, tag: UInt32, for connection: Connection
    ) throws {
        guard container == nil, directory == nil else { throw FailureReport.request("something was launched already") }
        do {
            directory = order.directory
            try listen()
            let container = try SupervisedContainer.launch(order, &descriptors, seal: seal, loop: loop)
            self.container = container
            container.onEvent = { [unowned self] in broadcast($0) }
            container.onRemoved = { [unowned self] in endIfCollected() }
            connection.send(.started(pid: container.pid, at: container.startedAt), tag: tag)
        } catch {
            removeDirectory()
            connection.send(.failed(error as? FailureReport ?? FailureReport(error)), tag: tag)
            loop.stop()
        }
    }

    private func listen() throws(SystemError) {
        guard let directory else { return }
        let handle = try open(directory, O_RDONLY | O_DIRECTORY)
        let socket = try listenForMessages(in: handle.raw, ShimEndpoint.socketName)
        listenerWatch = try loop.watch(socket.raw, [.readable]) { [unowned self] _ in acceptWaiting() }
        listener = consume socket
    }

    private func acceptWaiting() {
        guard let raw = listener?.raw else { return }
        while let socket = try? acceptConnection(raw) {
            // The directory keeps others out already; the kernel's word is the second lock.
            guard let peer = try? peerCredentials(socket.raw), peer.uid == effectiveUser() else { continue }
            try? accept(socket)
        }
    }

    // MARK: The end

    /// Answers those who collect once nothing of the container is left, and ends.
    private func endIfCollected() {
        guard let container, !collectors.isEmpty, container.isRemoved else { return }
        container.abandonLog()
        removeDirectory()
        for (connection, tag) in collectors { connection.send(.done, tag: tag) }
        collectors = []
        if container.isIdle { return loop.stop() }
        // Who has not read everything yet is waited for as long as its patience lasts.
        container.onIdle = { [unowned self] in loop.stop() }
        _ = loop.after(Self.lingering) { [unowned container] in container.abandonExecs() }
    }

    private func removeDirectory() {
        listenerWatch?.cancel()
        listenerWatch = nil
        listener = nil
        guard let directory else { return }
        try? unlink("\(directory)/\(ShimEndpoint.socketName)")
        try? unlink("\(directory)/\(ShimEndpoint.cgroupName)")
        try? unlink(directory, directory: true)
    }
}

extension FailureReport {
    static func request(_ message: String) -> FailureReport {
        FailureReport(stage: "request", errno: 0, path: nil, message: message)
    }

    init(_ error: any Error) {
        switch error {
        case let error as RuntimeFailure:
            self.init(stage: "\(error.stage)", errno: error.errno, path: nil, message: error.description)
        case let error as SystemError:
            self.init(stage: "shim", errno: error.errno, path: error.subject, message: error.description)
        default: self.init(stage: "shim", errno: 0, path: nil, message: "\(error)")
        }
    }
}
