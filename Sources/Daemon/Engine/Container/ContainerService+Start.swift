internal import Execution
internal import Failures
internal import Images
internal import Linux
internal import Logging
internal import NIOPosix
internal import Networking
internal import OCI
internal import Storage
internal import Synchronization

// Start: network, rootfs and files, then the shim; undone in reverse when a step fails.

extension ContainerService {
    /// Starts a container; runs in its queue.
    ///
    /// - Parameter automatic: by the restart policy or at the daemon's start.
    func run(_ container: Container, automatic: Bool) async throws(Failure) {
        guard !isClosing.load(ordering: .sequentiallyConsistent) else {
            throw Failure(.unavailable, "the daemon is shutting down")
        }
        let (record, streams, size) = try container.withLock {
            (state) throws(Failure) -> (ContainerRecord, [StreamAttachment], TerminalSize?) in
            guard !state.isRemoved else { throw Failure(.notFound, "No such container: \(container.id)") }
            try state.record.lifecycle.beginStart(automatic: automatic)
            state.restartTimer?.cancel()
            state.restartTimer = nil
            defer {
                state.waitingStreams = []
                state.firstSize = nil
            }
            return (state.record, state.waitingStreams, state.firstSize)
        }
        container.beginLog()
        do throws(Failure) {
            try await launch(container, record, streams: streams, size: size)
        } catch {
            let told = StartError(error)
            logger.info(
                "container did not start", metadata: ["container": "\(container.id)", "error": "\(told.message)"])
            let actions = container.withLock { state in
                state.record.clearEndpoints()
                return state.record.lifecycle.startFailed(exitCode: told.exitCode, message: told.message, at: .now)
            }
            await perform(actions, on: container)
            throw told.failure
        }
    }

    private func launch(
        _ container: Container, _ record: ContainerRecord, streams: [StreamAttachment], size: TerminalSize?
    ) async throws(Failure) {
        // Its place is needed, but not at the price of what it still has to tell.
        try await recordEnd(container)
        await container.withLock { $0.collection }?.value
        let other = try sharedNetwork(of: record)
        let request = try NetworkPlan.request(
            id: record.id, name: record.name, hostname: record.config.hostname, config: record.config,
            host: record.host,
            networks: record.networks)
        // 1: the network, unless it is another container's.
        let network = other == nil ? try await networks.attach(request) : nil
        let task: ContainerTask
        do throws(Failure) {
            // 2: everything on disk, in one go on a thread of the pool.
            let rootfs: OverlayMount
            do throws(Failure) { rootfs = try await prepare(record, files: network?.files) } catch {
                throw error.namingFullDisk(configuration.dataRoot)
            }
            // 3: the process.
            var settings = try plan(record, hostname: record.config.hostname, nameFilesOf: other?.id).settings()
            if let size { settings.consoleSize = size }
            task = try await launcher.launch(
                LaunchRequest(
                    id: record.id, sandbox: settings, rootfs: rootfs, networkNamespace: network?.namespace,
                    log: try logSettings(record), attachments: streams,
                    input: !record.config.openStdin ? .none : record.config.stdinOnce ? .once : .open,
                    usesInit: record.host.initProcess, runtime: configuration.runtimes[record.host.runtime]))
        } catch {
            if network != nil { await networks.detach(record.id) }
            throw error
        }
        // 4: on record, in one transaction.
        let run = Container.Run(number: nextRun())
        let actions = container.withLock { state in
            if let network {
                state.record.apply(endpoints: network.endpoints)
                state.record.sandbox = RecoveredSandbox(
                    id: record.id, pid: task.pid, request: request, endpoints: network.endpoints, ports: network.ports)
            }
            state.task = task
            state.run = run
            return state.record.lifecycle.started(
                pid: task.pid, at: Timestamp(nanoseconds: task.startedAt),
                hasHealthCheck: HealthMonitor.isWanted(record.config.healthcheck))
        }
        do throws(Failure) { try await save(container) } catch {
            // Not on record is not started: a crash now would leave a process that nobody knows.
            container.withLock { state in
                state.task = nil
                state.run = nil
            }
            try? await task.signal(Signal.kill.number, all: true)
            _ = await task.exit
            await task.collect()
            if network != nil { await networks.detach(record.id) }
            throw error
        }
        if let network { tellConnected(container, network.endpoints) }
        await perform(actions.filter { $0 != .save }, on: container)
        watch(container, task, run)
    }

    /// The container whose network this one shares; it must run.
    private func sharedNetwork(of record: ContainerRecord) throws(Failure) -> Container? {
        guard let reference = NetworkPlan.sharedWith(record.host.networkMode) else { return nil }
        let other = try index.resolve(reference)
        guard other.id != record.id else { throw Failure(.invalid, "a container cannot join its own network") }
        guard other.state.pid > 0 else {
            throw Failure(.conflict, "cannot join network of a non running container: \(other.id)")
        }
        return other
    }

    /// Folder, name files, writable snapshot, bind sources and volumes.
    private func prepare(_ record: ContainerRecord, files: NameFiles?) async throws(Failure) -> OverlayMount {
        let configuration = configuration
        let snapshots = snapshots
        let images = images
        let image = images.image(record.image)
        return try await pool.blocking { () throws(Failure) -> OverlayMount in
            let log = configuration.log(ofContainer: record.id, driver: record.host.logDriver)
            for folder in [configuration.directory(ofContainer: record.id), log?.directory].compactMap({ $0 }) {
                try describing("make \(folder)") { () throws(SystemError) in
                    if !exists(folder) { try makeDirectories(folder, mode: 0o710) }
                }
            }
            if let files { try NameFileWriter(configuration, record.id).write(files) }
            if let image { try images.check(image) }
            if !snapshots.contains(record.snapshot) {
                guard record.lifecycle.state.startedAt == .never else {
                    throw Failure(
                        .internal,
                        "what container \(record.name) wrote is gone from the disk: remove it and make it anew")
                }
                guard let image else {
                    throw Failure(
                        .notFound,
                        "the image \(record.image) of container \(record.id) is gone: make the container anew")
                }
                try snapshots.createWritable(record.snapshot, parent: image.snapshot)
            }
            for point in record.mounts {
                switch point.kind {
                case .bind:
                    guard !exists(point.source) else { break }
                    guard point.createsSource else {
                        throw Failure(
                            .invalid,
                            "invalid mount config for type \"bind\": bind source path does not exist: \(point.source)")
                    }
                    try describing("make the mount source \(point.source)") { () throws(SystemError) in
                        try makeDirectories(point.source)
                    }
                case .volume:
                    let path = configuration.mountpoint(ofVolume: point.name)
                    guard exists(path) else { throw Failure(.notFound, "get \(point.name): no such volume") }
                    // Only before the first run: what a container emptied stays empty.
                    guard point.copiesUp, record.lifecycle.state.startedAt == .never, let layer = image?.snapshot else {
                        break
                    }
                    let folder = configuration.directory(ofVolume: point.name)
                    try VolumeContent.fillOnce(path, in: folder, point.destination) { () throws(Failure) in
                        try snapshots.view(layer)
                    }
                case .tmpfs: break
                }
            }
            return try snapshots.mounts(record.snapshot)
        }
    }

    private func logSettings(_ record: ContainerRecord) throws(Failure) -> LogSettings? {
        guard let place = configuration.log(ofContainer: record.id, driver: record.host.logDriver) else { return nil }
        return try LogOptions(driver: record.host.logDriver, record.host.logOptions).settings(
            path: place.path,
            of: LogAttributes.Subject(
                id: record.id, name: record.name, imageID: record.image.description, imageName: record.config.image,
                command: record.config.processArguments, labels: record.config.labels, environment: record.config.env))
    }

    func nextRun() -> UInt64 {
        runs.withLock { number in
            number += 1
            return number
        }
    }

    /// Docker tells of every network that a started container came to.
    func tellConnected(_ container: Container, _ endpoints: [Endpoint]) {
        for endpoint in endpoints {
            tell("connect", container, network: endpoint.networkID, name: endpoint.networkName)
        }
    }

    func tell(_ action: String, _ container: Container, network id: String, name: String) {
        let type = (try? networks.resolve(id))?.driver.rawValue ?? "bridge"
        events.publish(
            Event(.network, action, actor: id, attributes: ["container": container.id, "name": name, "type": type]))
    }

    /// Follows a run to its end, in a task of its own.
    func watch(_ container: Container, _ task: ContainerTask, _ run: Container.Run) {
        Task {
            for await notice in task.notices where notice == .outOfMemory {
                let isFirst = container.withLock { state in
                    defer { state.toldOutOfMemory = true }
                    return !state.toldOutOfMemory
                }
                if isFirst {
                    events.publish(
                        Event(.container, "oom", actor: container.id, attributes: container.eventAttributes()))
                }
            }
        }
        Task {
            let status = await task.exit
            container.queue.enqueue { () throws(Failure) in await self.ended(container, task, run, status) }
        }
        if let check = container.config.healthcheck, HealthMonitor.isWanted(check) {
            let monitor = HealthMonitor(container: container, check: check, service: self, task: task)
            let health = Task { await monitor.run() }
            container.withLock { $0.health = health }
        }
    }
}

/// What a failed start tells: the text that Docker's clients look for, the exit code they derive, and the status.
struct StartError {
    let message: String
    let exitCode: Int
    let failure: Failure

    init(_ error: Failure) {
        guard let start = error.cause as? StartFailure else {
            (message, exitCode, failure) = (error.message, 128, error)
            return
        }
        let words = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
        message = start.message.hasPrefix("failed to create task") ? start.message : words + start.message
        exitCode = Int(start.exitCode)
        // What the request names and cannot be run is the request's fault: Docker answers 400 as well.
        failure = Failure(exitCode == 128 ? .internal : .invalid, message, cause: start)
    }
}
