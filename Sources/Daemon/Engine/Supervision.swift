internal import CLinux
internal import Execution
public import Failures
internal import Linux
internal import Logging
internal import Networking
internal import Storage
internal import Synchronization

/// Brings the engine back to what really is when the daemon starts, and lets go of it when the daemon ends.
///
/// The rows say what was; the shims say what is. The daemon may have died at any moment:
///
/// | row says | shim says | then |
/// | --- | --- | --- |
/// | running, paused | process runs | adopted: network, exit, health check |
/// | running, paused | process ended | its exit is recorded now, with the code and time that the shim kept |
/// | running, paused | nothing | the machine was restarted: exit 255 |
/// | created, exited | anything | a start that was cut short: ended and cleared away |
/// | restarting | – | tried again |
/// | removing | – | removed |
/// | no row | anything | nobody's: ended and cleared away |
public struct Supervision: Sendable {
    private let containers: ContainerService

    public init(containers: ContainerService) { self.containers = containers }

    /// Loads volumes and containers, adopts what runs, starts networking and then what the restart policies ask for.
    ///
    /// - Throws: when the database cannot be read or networking cannot start; what concerns one container is logged.
    public func start() async throws(Failure) {
        try await containers.volumes.load()
        let loaded = try await load()
        var found = await shims(of: loaded)

        // What nobody knows, and what was only half-started, goes first: it holds addresses and names.
        let known = Set(loaded.map(\.id))
        for id in await containers.launcher.known() where !known.contains(id) {
            if let task = await containers.launcher.recover(id) { await clear(task) }
        }
        for container in loaded where !container.state.isRunning {
            if let task = found.removeValue(forKey: container.id) { await clear(task) }
        }

        let sandboxes = loaded.compactMap { container -> RecoveredSandbox? in
            guard let task = found[container.id], task.exitNow == nil else { return nil }
            return container.withLock { state in
                state.record.sandbox?.pid = task.pid
                return state.record.sandbox
            }
        }
        for (id, failure) in try await containers.networks.start(recovering: sandboxes) {
            containers.logger.error(
                "a running container lost its network", metadata: ["container": "\(id)", "error": "\(failure)"])
        }

        for container in loaded { await settle(container, found[container.id]) }
        await sweep(known)
    }

    /// Lets the containers be: they run on under their shims, and what happens to them from here on is found at the
    /// next `start`.
    ///
    /// Returns when no operation is half-way.
    public func close() async {
        containers.isClosing.store(true, ordering: .sequentiallyConsistent)
        for container in containers.index.all() {
            container.withLock { state in
                state.restartTimer?.cancel()
                state.restartTimer = nil
                state.health?.cancel()
                state.health = nil
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for container in containers.index.all() {
                group.addTask { _ = await container.queue.enqueue { () throws(Failure) in }.value }
            }
        }
        _ = await containers.sweeper.enqueue { () throws(Failure) in }.value
    }

    private func load() async throws(Failure) -> [Container] {
        var loaded: [Container] = []
        for row in try await containers.rows.all() {
            do throws(Failure) {
                let container = Container(record: try ContainerRecord(row: row))
                containers.index.insert(container)
                loaded.append(container)
            } catch {
                containers.logger.error(
                    "a container's row cannot be read and is left alone",
                    metadata: ["container": "\(row.id)", "error": "\(error)"])
            }
        }
        return loaded
    }

    /// Asks for all shims at once, a few at a time.
    private func shims(of loaded: [Container]) async -> [String: ContainerTask] {
        let launcher = containers.launcher
        let alive = Set(await launcher.known())
        var found: [String: ContainerTask] = [:]
        await withTaskGroup(of: (String, ContainerTask?).self) { group in
            var rest = loaded.filter { alive.contains($0.id) }.makeIterator()
            func next() {
                guard let container = rest.next() else { return }
                group.addTask { (container.id, await launcher.recover(container.id)) }
            }
            for _ in 0..<8 { next() }
            for await (id, task) in group {
                found[id] = task
                next()
            }
        }
        return found
    }

    private func clear(_ task: ContainerTask) async {
        if task.exitNow == nil {
            try? await task.signal(Signal.kill.number, all: true)
            _ = await task.exit
        }
        await task.collect()
        await containers.networks.detach(task.id)
    }

    /// Puts one container into the state that is true, and sets going what follows from it.
    private func settle(_ container: Container, _ task: ContainerTask?) async {
        let state = container.state
        switch state.status {
        case .running, .paused:
            let run = Container.Run(number: containers.nextRun())
            if let task {
                container.withLock { mutable in
                    mutable.task = task
                    mutable.run = run
                    mutable.record.lifecycle.state.pid = task.pid
                    mutable.record.lifecycle.state.status = task.isPaused ? .paused : .running
                }
                // An exit that came meanwhile is there at once and takes the same way as any other.
                containers.watch(container, task, run)
            } else {
                await lost(container)
            }
        case .restarting: again(container)
        case .removing: remove(container)
        case .created, .exited, .dead:
            let lifecycle = container.withLock { $0.record.lifecycle }
            if lifecycle.autoRemove {
                remove(container)
            } else if state.status != .dead,
                lifecycle.restartPolicy.startsWithDaemon(
                    exitCode: state.exitCode, restartCount: lifecycle.restartCount,
                    stoppedByHand: lifecycle.stoppedByHand,
                    hasRun: state.startedAt != .never)
            {
                again(container)
            }
        }
    }

    /// Neither process nor shim: the machine went down under it.
    private func lost(_ container: Container) async {
        let actions = container.withLock { mutable in
            mutable.record.clearEndpoints()
            let actions = mutable.record.lifecycle.exited(code: 255, oomKilled: false, at: .now)
            mutable.record.lifecycle.state.error =
                "the container was lost while the daemon was away: how it ended is not known"
            return actions
        }
        await containers.perform(actions, on: container)
    }

    private func again(_ container: Container) {
        container.queue.enqueue { () throws(Failure) in
            do throws(Failure) {
                // By the daemon, as if nobody had stopped it; a policy's own count goes on.
                try await containers.run(container, automatic: true)
            } catch {
                containers.report(error, "a container could not be started again", container)
            }
        }
    }

    private func remove(_ container: Container) {
        container.queue.enqueue { () throws(Failure) in
            do throws(Failure) { try await containers.takeAway(container, withVolumes: true) } catch {
                containers.report(error, "a container could not be removed", container)
            }
        }
    }

    /// Folders of containers that no row knows: what a crash left of a removal.
    private func sweep(_ known: Set<String>) async {
        let folder = containers.configuration.dataRoot + "/containers"
        do throws(Failure) {
            try await containers.pool.blocking { () throws(Failure) in
                guard exists(folder) else { return }
                try describing("sweep \(folder)") { () throws(SystemError) in
                    let directory = try open(folder, O_RDONLY | O_DIRECTORY)
                    for entry in try readDirectory(directory.raw) where !known.contains(entry.name.text) {
                        try removeTree(entry.name, at: directory.raw)
                    }
                }
            }
        } catch {
            containers.logger.warning(
                "what removed containers left could not be swept", metadata: ["error": "\(error)"])
        }
    }
}
