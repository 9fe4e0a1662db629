internal import CLinux
public import Failures
internal import JSON
internal import Linux
public import Logging
public import NIOPosix
internal import OCI
internal import ShimProtocol

/// Starts containers, each under a shim of its own, and finds them again after the daemon was away.
///
/// One spawn, one launch message and one answer per start. The daemon's share of a container is two descriptors;
/// everything else lives in the shim, which goes on when the daemon does not.
///
/// ```
/// <execRoot>/shims/<id>/            0700, one per shim, removed by it when it is collected
///                       shim.sock   where a daemon that comes back connects
///                       cgroup      the cgroup's path, for clearing up after a shim that was killed; of a scope of
///                                   systemd's the shim writes it, once it knows it
/// <execRoot>/seccomp/<digest>.bpf   compiled filters
/// ```
public final class ShimLauncher: Sendable {
    private let shimPath: String
    private let shims: String
    private let pool: NIOThreadPool
    private let logger: Logger
    private let reactor: ShimReactor
    private let profiles: SeccompProfiles
    private let capabilities: Set<String>

    /// - Parameters:
    ///   - shimPath: the shim program, absolute.
    ///   - execRoot: the runtime directory, `/run/skiff`; shims live in `shims/<id>/` below it.
    ///   - pool: where files are opened and processes spawned.
    public init(shimPath: String, execRoot: String, pool: NIOThreadPool, logger: Logger) throws(Failure) {
        self.shimPath = shimPath
        self.pool = pool
        self.logger = logger
        shims = "\(execRoot)/shims"
        do {
            try makeDirectories(shims, mode: 0o700)
            let permitted = try permittedCapabilities()
            capabilities = Set(
                CapabilityNames.all.enumerated().filter { permitted.contains(number: Int32($0.offset)) }.map(\.element))
        } catch {
            throw Failure(.internal, "prepare \(execRoot)", cause: error)
        }
        profiles = try SeccompProfiles(directory: "\(execRoot)/seccomp")
        reactor = try ShimReactor.start()
    }

    deinit { reactor.stop() }

    // MARK: Starting

    /// Starts a container and returns when its program runs.
    ///
    /// Not undone by cancellation: it takes milliseconds, and the caller decides what becomes of the result.
    /// - Throws: a failure whose cause is a `StartFailure` when the container could not be made; nothing is left then.
    public func launch(_ request: LaunchRequest) async throws(Failure) -> ContainerTask {
        let record = TaskRecord()
        let prepared = try await onPool { () throws(Failure) in try self.prepare(request, record) }
        let answer: ShimEvent
        do {
            answer = try await prepared.connection.ask(.launch(prepared.order), descriptors: prepared.descriptors)
        } catch {
            prepared.connection.close()
            // The shim cleared up if it could still speak.
            if error.kind == .unavailable { await clearLeftovers(of: request.id) }
            throw error
        }
        guard case .started(let pid, let startedAt) = answer else {
            prepared.connection.close()
            throw Failure(.internal, "unexpected answer of the shim of \(request.id): \(answer)")
        }
        return ContainerTask(
            id: request.id, pid: pid, startedAt: startedAt, record: record, connection: prepared.connection,
            launcher: self)
    }

    private struct Prepared: Sendable {
        let connection: ShimConnection
        let order: LaunchOrder
        let descriptors: [SharedDescriptor]
    }

    /// Decides the order, makes the shim's directory and starts the shim; blocking.
    private func prepare(_ request: LaunchRequest, _ record: TaskRecord) throws(Failure) -> Prepared {
        let directory = try path(of: request.id)
        var devices = request.sandbox.privileged ? HostDevices.all() : []
        for mapping in request.sandbox.devices { devices += try HostDevices.resolve(mapping) }
        let spec = try SandboxSpec(
            settings: request.sandbox, devices: devices, availableCapabilities: capabilities
        ).document()
        let filter =
            request.sandbox.privileged
            ? nil
            : try profiles.filter(request.sandbox.seccomp, capabilities: spec.process?.capabilities?.bounding ?? [])
        var document = spec.json
        if request.runtime != nil, !request.sandbox.privileged {
            // Another runtime compiles the filter itself, out of its document.
            document["linux"]?["seccomp"] = try profiles.document(
                request.sandbox.seccomp, capabilities: spec.process?.capabilities?.bounding ?? [])
        }
        let order = LaunchOrder(
            id: request.id, directory: directory, spec: document, rootfs: request.rootfs,
            joinsNetwork: request.networkNamespace != nil, isFiltered: filter != nil,
            cgroup: request.sandbox.cgroup.path,
            usesSystemd: request.sandbox.cgroup.driver == .systemd, log: request.log.map(LogOrder.init),
            streams: request.attachments.map(\.order),
            input: InputOrder(request.input), usesInit: request.usesInit, runtime: request.runtime)
        let descriptors =
            [request.networkNamespace, filter].compactMap { $0 } + request.attachments.map(\.descriptor)
        do {
            try makeShimDirectory(directory, cgroup: request.sandbox.cgroup)
            do {
                return Prepared(
                    connection: try spawn(request.id, record), order: order, descriptors: descriptors)
            } catch {
                Leftovers.clear(directory: directory)
                throw error
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.internal, "start the shim of \(request.id)", cause: error)
        }
    }

    private func makeShimDirectory(_ directory: String, cgroup: SandboxCgroup) throws {
        do { try makeDirectory(directory, mode: 0o700) } catch {
            guard error.errno == EEXIST else { throw error }
            // A shim that was killed left it, or one is still there.
            if let handle = try? open(directory, O_RDONLY | O_DIRECTORY),
                (try? connectForMessages(in: handle.raw, ShimEndpoint.socketName)) != nil
            {
                throw Failure(.conflict, "a shim of that id is still there")
            }
            Leftovers.clear(ofShim: directory)
            try makeDirectory(directory, mode: 0o700)
        }
        guard cgroup.driver == .cgroupfs else { return }
        try writeFile("\(directory)/\(ShimEndpoint.cgroupName)", Array(cgroup.path.utf8), mode: 0o600)
    }

    private func spawn(_ id: String, _ record: TaskRecord) throws -> ShimConnection {
        let (ours, theirs) = try SocketPair(.messages).release()
        let near = OwnedDescriptor(owning: ours)
        let far = OwnedDescriptor(owning: theirs)
        let pid = try Spawn(shimPath, arguments: ["skiff-shim", id], descriptors: [(far.raw, 3)]).start()
        try reap(pid)
        return try connect(id, near, record)
    }

    /// Reaps a shim that ends while this daemon is its parent: on the reactor's thread, when its pidfd says so.
    private func reap(_ pid: pid_t) throws {
        let process = SharedProcess(try PidFD(pid))
        let (reactor, raw) = (self.reactor, process.raw)
        process.token.resolve(
            try reactor.watch(raw, [.readable]) { _ in
                _ = process.reap()
                if let token = process.token.now { reactor.forget(raw, token: token) }
            })
    }

    private func connect(_ id: String, _ socket: consuming OwnedDescriptor, _ record: TaskRecord) throws
        -> ShimConnection
    {
        let logger = self.logger
        return try ShimConnection(id: id, socket: socket, reactor: reactor) { event in
            if case .warning(let message) = event {
                logger.warning("\(message)", metadata: ["container": "\(id)"])
            }
            record.take(event)
        } onClose: {
            record.lost(at: Clock.wallNanoseconds())
        }
    }

    // MARK: Finding again

    /// The container of that id if its shim is alive, whether its process still runs or has ended; nil otherwise, after
    /// what a dead shim left (processes, cgroup, directory) was cleared away.
    public func recover(_ id: String) async -> ContainerTask? {
        let record = TaskRecord()
        let connection = try? await onPool { () throws(Failure) in try self.reconnect(id, record) }
        if let connection, case .state(let state) = try? await connection.ask(.hello), state.id == id {
            record.take(state)
            return ContainerTask(
                id: id, pid: state.pid, startedAt: state.startedAt, record: record, connection: connection,
                launcher: self)
        }
        connection?.close()
        await clearLeftovers(of: id)
        return nil
    }

    private func reconnect(_ id: String, _ record: TaskRecord) throws(Failure) -> ShimConnection {
        let directory = try path(of: id)
        do {
            let handle = try open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            let socket = try connectForMessages(in: handle.raw, ShimEndpoint.socketName)
            // Whoever listens there must be us: law 11.
            guard try peerCredentials(socket.raw).uid == effectiveUser() else {
                throw Failure(.forbidden, "the shim of \(id) belongs to another user")
            }
            return try connect(id, socket, record)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.unavailable, "connect to the shim of \(id)", cause: error)
        }
    }

    /// The ids of all shims that have a directory, for whoever must find those nobody knows any more.
    public func known() async -> [String] {
        let shims = self.shims
        let ids = try? await onPool { () throws(Failure) in
            do {
                let directory = try open(shims, O_RDONLY | O_DIRECTORY)
                return try readDirectory(directory.raw).map(\.name.text).sorted()
            } catch {
                throw Failure(.internal, "list \(shims)", cause: error)
            }
        }
        return ids ?? []
    }

    /// Clears away what a shim that was killed left; nothing happens when there is nothing.
    func clearLeftovers(of id: String) async {
        guard let directory = try? path(of: id) else { return }
        _ = try? await onPool { () throws(Failure) in Leftovers.clear(ofShim: directory) }
    }

    // MARK: Inside

    private func path(of id: String) throws(Failure) -> String {
        let allowed = id.utf8.allSatisfy { byte in
            (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || byte == 0x2d
                || byte == 0x2e
                || byte == 0x5f
        }
        guard allowed, !id.isEmpty, id.utf8.count <= 128, !id.hasPrefix(".") else {
            throw Failure(.invalid, "\"\(id)\" cannot name a shim")
        }
        return "\(shims)/\(id)"
    }

    /// An exec as the shim is told; the sets of a privileged one are what this host can give.
    func order(for request: ExecRequest) -> ExecOrder {
        ExecOrder(
            id: request.id, arguments: request.arguments, environment: request.environment,
            workingDirectory: request.workingDirectory, user: request.user,
            capabilities: request.privileged ? CapabilityNames.all.filter(capabilities.contains) : nil,
            isFiltered: !request.privileged, terminal: request.terminal, rows: request.consoleSize?.rows,
            columns: request.consoleSize?.columns, streams: request.attachments.map(\.order),
            input: InputOrder(request.input))
    }

    private func onPool<Value: Sendable>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        do { return try await pool.runIfActive { try body() } } catch {
            throw Failure.wrapping(error, "reach the shims")
        }
    }
}

/// A child of this daemon whose end is awaited by descriptor.
private final class SharedProcess: Sendable {
    private let process: PidFD
    let token = Once<UInt64>()

    init(_ process: consuming PidFD) { self.process = process }

    var raw: Int32 { process.raw }
    func reap() -> ProcessEnd? { try? process.reap() }
}

extension LogOrder {
    fileprivate init(_ settings: LogSettings) {
        self.init(
            path: settings.path, form: Form(settings.form), maximumSize: settings.maximumSize,
            maximumFiles: settings.maximumFiles, compresses: settings.compresses, bufferSize: settings.bufferSize,
            attributes: settings.attributes)
    }
}

extension LogOrder.Form {
    fileprivate init(_ form: LogSettings.Form) {
        switch form {
        case .jsonFile: self = .jsonFile
        case .local: self = .local
        }
    }
}

extension InputOrder {
    fileprivate init(_ mode: InputMode) {
        switch mode {
        case .none: self = .none
        case .open: self = .open
        case .once: self = .once
        }
    }
}

extension StreamAttachment {
    var order: StreamOrder {
        StreamOrder(
            input: choice.input, output: choice.output, errors: choice.errors, framed: choice.framed,
            patience: choice.patience)
    }
}
