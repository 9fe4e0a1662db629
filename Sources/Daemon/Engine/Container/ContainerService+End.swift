internal import CLinux
internal import Execution
internal import Failures
internal import Linux
internal import Logging
internal import NIOPosix
internal import Networking
internal import Storage
internal import Synchronization

// The ways to an end: exits, stop, kill, restart, pause.

extension ContainerService {
    // MARK: Exit

    /// Records that a run ended and does what follows; runs in the container's queue.
    func ended(_ container: Container, _ task: ContainerTask, _ run: Container.Run, _ status: ExitStatus) async {
        // The shim keeps the status for the next daemon.
        guard !isClosing.load(ordering: .sequentiallyConsistent) else { return }
        // Nobody has ended what a killed shim left behind: only then has the container ended.
        if status.isLost { await task.collect() }
        let (actions, endpoints) = container.withLock { state -> ([Lifecycle.Action], [Endpoint]) in
            guard state.run === run else { return ([], []) }
            state.task = nil
            state.health?.cancel()
            state.health = nil
            let endpoints = state.record.sandbox?.endpoints ?? []
            state.record.clearEndpoints()
            var actions = state.record.lifecycle.exited(
                code: Int(status.code), oomKilled: status.oomKilled, at: Timestamp(nanoseconds: status.finishedAt))
            if status.isLost { state.record.lifecycle.state.error = Self.lostWithItsShim }
            if state.toldOutOfMemory { actions.removeAll { $0 == .emit("oom", [:]) } }
            state.toldOutOfMemory = false
            if state.isRestartingByHand { actions.removeAll { $0 == .remove } }
            return (actions, endpoints)
        }
        guard !actions.isEmpty else { return }
        // Ports and addresses are free before anybody hears of the end, and the row is written meanwhile.
        async let detached: Void = networks.detach(container.id)
        container.withLock { $0.unrecorded = task }
        do throws(Failure) { try await recordEnd(container) } catch {
            report(error, "the end of a container could not be recorded yet", container)
            recordEndLater(container)
        }
        await detached
        await perform(actions.filter { $0 != .save }, on: container)
        for endpoint in endpoints {
            tell("disconnect", container, network: endpoint.networkID, name: endpoint.networkName)
        }
        run.ended.fulfil(Int(status.code))
    }

    private static let lostWithItsShim =
        "the process that supervised the container was killed: how the container ended is not known"

    /// Puts the end of the last run on record where that is still to be done, and lets its shim go; runs in the
    /// container's queue.
    func recordEnd(_ container: Container) async throws(Failure) {
        guard let task = container.withLock({ $0.unrecorded }) else { return }
        try await save(container)
        letGo(of: task, container)
    }

    /// The shim may go; it does so while others are told.
    func letGo(of task: ContainerTask, _ container: Container) {
        container.withLock { state in
            state.unrecorded = nil
            state.collection = Task { await task.collect() }
        }
    }

    /// Tries again until the end is on record (the disk may be full for hours), the container is gone, or the daemon:
    /// the next one finds the end with the shim.
    private func recordEndLater(_ container: Container, afterSeconds delay: Int = 1) {
        Task { [weak container] in
            do { try await Task.sleep(for: .seconds(delay)) } catch { return }
            guard let container, !isClosing.load(ordering: .sequentiallyConsistent) else { return }
            let outcome = await container.queue.enqueue { () throws(Failure) in try await self.recordEnd(container) }
                .value
            if case .failure = outcome { recordEndLater(container, afterSeconds: min(delay * 2, 60)) }
        }
    }

    /// Carries out what the lifecycle decided.
    func perform(_ actions: [Lifecycle.Action], on container: Container) async {
        for action in actions {
            switch action {
            case .save:
                do throws(Failure) { try await save(container) } catch {
                    report(error, "a container could not be recorded", container)
                }
            case .emit(let name, let attributes):
                events.publish(
                    Event(.container, name, actor: container.id, attributes: container.eventAttributes(attributes)))
            case .wakeStopped(let exitCode):
                let woken = container.withLock { state in
                    let woken = state.waits.filter { $0.condition != .removed }
                    state.waits.removeAll { $0.condition != .removed }
                    return woken
                }
                for wait in woken { wait.promise.fulfil(WaitResult(exitCode: exitCode)) }
            case .scheduleRestart(let delay): schedule(container, after: delay)
            case .cancelRestart:
                container.withLock { state in
                    state.restartTimer?.cancel()
                    state.restartTimer = nil
                }
            case .endLog: container.endLog()
            case .remove:
                // Behind whatever is in the queue: this may run inside it.
                container.queue.enqueue { () throws(Failure) in
                    do throws(Failure) { try await self.takeAway(container, withVolumes: true) } catch {
                        self.report(error, "a container could not be removed", container)
                        throw error
                    }
                }
            }
        }
    }

    private func schedule(_ container: Container, after delay: Int64) {
        let timer = Task {
            do { try await Task.sleep(nanoseconds: UInt64(max(0, delay))) } catch { return }
            container.queue.enqueue { () throws(Failure) in
                // A stop, a start by hand or a removal may have come first.
                guard container.state.status == .restarting else { return }
                try await self.run(container, automatic: true)
            }
        }
        container.withLock { $0.restartTimer = timer }
    }

    func save(_ container: Container) async throws(Failure) {
        try await rows.save(try container.withLock { (state) throws(Failure) in try state.record.row() })
    }

    func report(_ error: Failure, _ what: String, _ container: Container) {
        logger.error("\(what)", metadata: ["container": "\(container.id)", "error": "\(error)"])
    }

    // MARK: Stop and kill

    func end(_ container: Container, timeout: Int?, signal: String?) async throws(Failure) {
        let text = signal.flatMap { $0.isEmpty ? nil : $0 } ?? container.config.stopSignal ?? "SIGTERM"
        let signal = try Signal(parsing: text)
        let first = try await container.queue.run { () throws(Failure) -> Container.Run? in
            switch container.state.status {
            case .running, .paused:
                try await self.signal(container, signal, purpose: .stop)
                return container.withLock { $0.run }
            case .restarting:
                await self.perform(container.withLock { $0.record.lifecycle.cancelledRestart() }, on: container)
                return nil
            default: throw Failure(.notModified, "container is not running")
            }
        }
        guard let run = first else { return }
        let seconds = timeout ?? container.config.stopTimeout ?? 10
        if seconds < 0 {
            guard await run.ended.value() != nil else {
                throw Failure(.cancelled, "the wait for container \(container.id) was called off")
            }
            return
        }
        if signal != .kill, await run.ended.value(withinSeconds: seconds) != nil { return }
        try await container.queue.run { () throws(Failure) in
            guard container.withLock({ $0.run === run && $0.task != nil }) else { return }
            if signal != .kill { try await self.signal(container, .kill, purpose: .stop) }
        }
        try await waitForDeath(of: container, run)
    }

    func send(_ signal: String?, to container: Container) async throws(Failure) {
        let signal = signal.flatMap { $0.isEmpty ? nil : $0 } ?? "SIGKILL"
        let parsed = try Signal(parsing: signal)
        let own = (try? Signal(parsing: container.config.stopSignal ?? "SIGTERM")) ?? .terminate
        let run = try await container.queue.run { () throws(Failure) -> Container.Run? in
            let purpose: Lifecycle.SignalPurpose = parsed == .kill || parsed == own ? .kill : .other
            try await self.signal(container, parsed, purpose: purpose)
            return container.withLock { $0.run }
        }
        if parsed == .kill, let run { try await waitForDeath(of: container, run) }
    }

    /// Sends one signal and tells of it; runs in the container's queue.
    func signal(_ container: Container, _ signal: Signal, purpose: Lifecycle.SignalPurpose)
        async throws(Failure)
    {
        let (task, isPaused) = try container.withLock { (state) throws(Failure) -> (ContainerTask?, Bool) in
            try state.record.lifecycle.signalled(purpose, name: state.record.name, id: container.id)
            return (state.task, state.record.lifecycle.state.isPaused)
        }
        guard let task else { return }
        events.publish(
            Event(
                .container, "kill", actor: container.id,
                attributes: container.eventAttributes(["signal": String(signal.number)])))
        try await task.signal(signal.number)
        // A frozen process only dies once it may run. With SIGKILL the shim sees to that itself, and it may be over by now.
        if isPaused, purpose != .other {
            if signal != .kill { try await task.resume() }
            await perform(container.withLock { $0.record.lifecycle.unpaused() }.filter { $0 == .save }, on: container)
        }
    }

    /// SIGKILL cannot be refused, only delayed by the kernel: not for ever.
    func waitForDeath(of container: Container, _ run: Container.Run) async throws(Failure) {
        guard await run.ended.value(withinSeconds: 60) != nil else {
            throw Failure(
                .internal,
                "container \(container.id) did not end within 60 seconds of SIGKILL: look for a process in uninterruptible sleep"
            )
        }
    }

    func restart(_ container: Container, timeout: Int?, signal: String?) async throws(Failure) {
        container.withLock { $0.isRestartingByHand = true }
        defer { container.withLock { $0.isRestartingByHand = false } }
        do throws(Failure) { try await end(container, timeout: timeout, signal: signal) } catch {
            guard error.kind == .notModified else { throw error }
        }
        try await container.queue.run { () throws(Failure) in
            try await self.run(container, automatic: false)
            self.events.publish(
                Event(.container, "restart", actor: container.id, attributes: container.eventAttributes()))
        }
    }

    // MARK: Pause

    func freeze(_ container: Container) async throws(Failure) {
        try await container.queue.run { () throws(Failure) in
            let task = try container.withLock { (state) throws(Failure) -> ContainerTask? in
                try state.record.lifecycle.canPause(container.id)
                return state.task
            }
            try await task?.pause()
            await self.perform(container.withLock { $0.record.lifecycle.paused() }, on: container)
        }
    }

    func thaw(_ container: Container) async throws(Failure) {
        try await container.queue.run { () throws(Failure) in
            let task = try container.withLock { (state) throws(Failure) -> ContainerTask? in
                try state.record.lifecycle.canUnpause(container.id)
                return state.task
            }
            try await task?.resume()
            await self.perform(container.withLock { $0.record.lifecycle.unpaused() }, on: container)
        }
    }
}
