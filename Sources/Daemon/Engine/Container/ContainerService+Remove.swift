internal import Failures
internal import Linux
internal import NIOPosix
internal import Networking
internal import Storage

// Another name, and the removal of everything that is a container's own.

extension ContainerService {
    func rename(_ container: Container, to text: String) async throws(Failure) {
        guard !text.isEmpty, text != "/" else { throw Failure(.invalid, "neither old nor new names may be empty") }
        let name = try ContainerName.validated(text)
        try await container.queue.run { () throws(Failure) in
            let old = container.name
            guard name != old else {
                throw Failure(.invalid, "Renaming a container with the same name as its current name")
            }
            guard !container.withLock({ $0.isRemoved }) else {
                throw Failure(.notFound, "No such container: \(container.id)")
            }
            try self.index.reserve(name, for: container.id)
            container.withLock { $0.record.name = name }
            do throws(Failure) { try await self.save(container) } catch {
                container.withLock { $0.record.name = old }
                self.index.release(name, of: container.id)
                throw error
            }
            self.index.release(old, of: container.id)
            self.networks.rename(container.id, to: name)
            self.events.publish(
                Event(
                    .container, "rename", actor: container.id,
                    attributes: container.eventAttributes(["oldName": "/" + old])))
        }
    }

    func remove(_ container: Container, force: Bool, withVolumes: Bool) async throws(Failure) {
        // Twice at most: a restart policy cannot bring back what was killed by hand.
        for _ in 0..<3 {
            let run = try await container.queue.run { () throws(Failure) -> Container.Run? in
                guard !container.withLock({ $0.isRemoved }) else {
                    throw Failure(.notFound, "No such container: \(container.id)")
                }
                let step = try container.withLock { (state) throws(Failure) in
                    try state.record.lifecycle.removalStep(force: force, id: container.id)
                }
                guard step == .killFirst else {
                    try await self.takeAway(container, withVolumes: withVolumes)
                    return nil
                }
                try await self.signal(container, .kill, purpose: .kill)
                return container.withLock { $0.run }
            }
            guard let run else { return }
            try await waitForDeath(of: container, run)
            // With AutoRemove the daemon was faster; that is what was asked for.
            if container.withLock({ $0.isRemoved }) { return }
        }
        throw Failure(
            .conflict, "container \(container.id) was started again while it was being removed: stop it first")
    }

    /// Forgets a container and deletes what is its own; runs in its queue.
    ///
    /// Its row goes first: what a crash leaves then has no owner and is swept at the next start. Only its anonymous volumes
    /// go before, and then the row says so: a volume without a container may well be somebody's.
    func takeAway(_ container: Container, withVolumes: Bool) async throws(Failure) {
        guard !container.withLock({ $0.isRemoved }) else { return }
        let actions = container.withLock { $0.record.lifecycle.beginRemoval() }
        let record = container.withLock { $0.record }
        let own = withVolumes ? record.mounts.filter { $0.kind == .volume && $0.isAnonymous }.map(\.name) : []
        await perform(own.isEmpty ? actions.filter { $0 != .save } : actions, on: container)
        if !own.isEmpty { await volumes.discard(own, of: container) }
        do throws(Failure) { try await rows.remove(container.id) } catch {
            await perform(container.withLock { $0.record.lifecycle.removalFailed(error.message) }, on: container)
            for wait in container.withLock({ $0.takeWaits() }) {
                wait.promise.fulfil(WaitResult(exitCode: record.lifecycle.state.exitCode, error: error.message))
            }
            throw error
        }
        if let task = container.withLock({ $0.unrecorded }) { letGo(of: task, container) }
        await container.withLock { $0.collection }?.value
        container.withLock { state in
            state.isRemoved = true
            // Their other ends see the end.
            state.waitingStreams = []
        }
        index.remove(container)
        container.endLog()
        events.publish(Event(.container, "destroy", actor: container.id, attributes: container.eventAttributes()))
        for wait in container.withLock({ $0.takeWaits() }) {
            wait.promise.fulfil(WaitResult(exitCode: record.lifecycle.state.exitCode))
        }
        sweep(container)
    }

    /// Deletes what a removed container left on disk, behind the answer.
    ///
    /// The file system takes a millisecond per directory, and nobody can ask for any of it any more. What a crash leaves
    /// is found without an owner at the next start.
    private func sweep(_ container: Container) {
        let configuration = configuration
        let snapshots = snapshots
        let pool = pool
        sweeper.enqueue { () throws(Failure) in
            do throws(Failure) {
                try await pool.blocking { () throws(Failure) in
                    try snapshots.remove(ContainerRecord.snapshotKey(container.id))
                    let folder = configuration.directory(ofContainer: container.id)
                    guard exists(folder) else { return }
                    try describing("remove \(folder)") { () throws(SystemError) in try removeTree(folder) }
                }
            } catch {
                self.report(error, "something of a removed container is left until the next start", container)
            }
        }
    }
}
