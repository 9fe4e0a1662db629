internal import Failures

/// Decides what a container's life does next; does nothing itself.
///
/// ```
///            start                       exit, policy says again
/// created ──────────► running ─────────────────────────► restarting ──┐
///    │                 │   ▲ ▲                              │   │     │ delay over
///    │            pause▼   │ └──────────────────────────────┼───┘◄────┘
///    │                paused                                │stop
///    │                 │ exit                               ▼
///    └──► removing ◄───┴──────────────► exited ◄────────────┘   dead: a removal that failed
/// ```
///
/// Every transition checks, changes the state and returns the actions that the shell performs in order. `stop` is not a
/// state: the process is asked to end, and what follows is its exit.
struct Lifecycle: Sendable, Hashable {
    /// What the shell has to do after a transition, in order.
    enum Action: Sendable, Hashable {
        /// Write the record: one transaction.
        case save
        case emit(String, [String: String])
        /// Answer those who wait for the end of a run.
        case wakeStopped(exitCode: Int)
        case scheduleRestart(afterNanoseconds: Int64)
        case cancelRestart
        /// Take it away, its anonymous volumes with it.
        case remove
        /// Its log has ended for whoever follows it.
        case endLog
    }

    /// A signal that somebody asked for.
    enum SignalPurpose: Sendable, Hashable { case stop, kill, other }

    var state = ContainerState()
    var restartPolicy = RestartPolicy.never
    var autoRemove = false
    var restartCount = 0
    /// Somebody ended this run on purpose.
    var stoppedByHand = false
    /// A `stop` is under way: its event comes with the exit.
    var stopRequested = false
    private var delay = RestartDelay()

    // MARK: Start

    /// Whether a start may go ahead.
    ///
    /// - Parameter automatic: by the restart policy; a start by hand forgets how often that tried.
    mutating func beginStart(automatic: Bool) throws(Failure) {
        switch state.status {
        case .created, .exited: break
        case .restarting:
            guard automatic else { throw Failure(.notModified, "container is restarting already") }
        case .running: throw Failure(.notModified, "container is running already")
        case .paused: throw Failure(.conflict, "cannot start a paused container, try unpause instead")
        case .removing, .dead: throw Failure(.conflict, "container is marked for removal and cannot be started")
        }
        if !automatic {
            restartCount = 0
            delay = RestartDelay()
        }
        stoppedByHand = false
        stopRequested = false
    }

    mutating func started(pid: Int32, at time: Timestamp, hasHealthCheck: Bool) -> [Action] {
        state.status = .running
        state.pid = pid
        state.exitCode = 0
        state.error = ""
        state.oomKilled = false
        state.startedAt = time
        state.finishedAt = .never
        state.health = hasHealthCheck ? HealthState() : nil
        return [.save, .emit("start", [:])]
    }

    /// The process never ran: a new container stays created, another keeps that it has run.
    mutating func startFailed(exitCode: Int, message: String, at time: Timestamp) -> [Action] {
        let automatic = state.status == .restarting
        state.status = state.startedAt == .never ? .created : .exited
        state.pid = 0
        state.exitCode = exitCode
        state.error = message
        if automatic { state.finishedAt = time }
        var actions: [Action] = [.save]
        if automatic || state.status == .exited { actions += [.wakeStopped(exitCode: exitCode), .endLog] }
        if autoRemove { actions.append(.remove) }
        return actions
    }

    // MARK: End

    /// The process ended: by itself, by a signal, or while nobody watched.
    mutating func exited(code: Int, oomKilled: Bool, at time: Timestamp) -> [Action] {
        let run = max(0, time.nanoseconds - (state.startedAt == .never ? time : state.startedAt).nanoseconds)
        var actions: [Action] = []
        state.pid = 0
        state.exitCode = code
        state.oomKilled = oomKilled
        state.finishedAt = time
        let again = restartPolicy.restarts(exitCode: code, restartCount: restartCount, stoppedByHand: stoppedByHand)
        state.status = again ? .restarting : .exited
        actions.append(.save)
        if oomKilled { actions.append(.emit("oom", [:])) }
        actions.append(.emit("die", ["exitCode": String(code), "execDuration": String(run / 1_000_000_000)]))
        if stopRequested {
            stopRequested = false
            actions.append(.emit("stop", [:]))
        }
        actions.append(.wakeStopped(exitCode: code))
        if again {
            restartCount += 1
            actions.append(.scheduleRestart(afterNanoseconds: delay.next(afterRun: run)))
        } else {
            actions.append(.endLog)
            if autoRemove { actions.append(.remove) }
        }
        return actions
    }

    /// A stop while it waits for its next try: there is no process to end.
    mutating func cancelledRestart() -> [Action] {
        state.status = .exited
        stoppedByHand = true
        return [.cancelRestart, .save, .emit("stop", [:]), .endLog] + (autoRemove ? [.remove] : [])
    }

    /// Whether a signal may be sent, and what it means for what follows the exit.
    mutating func signalled(_ purpose: SignalPurpose, name: String, id: String) throws(Failure) {
        guard state.status == .running || state.status == .paused else {
            throw Failure(.conflict, "cannot kill container: \(name): container \(id) is not running")
        }
        switch purpose {
        case .stop:
            stoppedByHand = true
            stopRequested = true
        case .kill: stoppedByHand = true
        case .other: break
        }
    }

    // MARK: Pause

    func canPause(_ id: String) throws(Failure) {
        switch state.status {
        case .running: return
        case .paused: throw Failure(.conflict, "container \(id) is already paused")
        case .restarting: throw Failure(.conflict, "container \(id) is restarting, wait until the container is running")
        default: throw Failure(.conflict, "container \(id) is not running")
        }
    }

    func canUnpause(_ id: String) throws(Failure) {
        guard state.status == .paused else { throw Failure(.conflict, "container \(id) is not paused") }
    }

    mutating func paused() -> [Action] {
        state.status = .paused
        return [.save, .emit("pause", [:])]
    }

    mutating func unpaused() -> [Action] {
        state.status = .running
        return [.save, .emit("unpause", [:])]
    }

    // MARK: Removal

    /// What must happen before a container can be taken away.
    enum RemovalStep: Sendable, Hashable {
        case remove
        /// End its process first, then ask again.
        case killFirst
    }

    func removalStep(force: Bool, id: String) throws(Failure) -> RemovalStep {
        switch state.status {
        case .created, .exited, .dead: return .remove
        case .restarting:
            guard force else { throw Self.stillRunning(id, "restarting") }
            return .remove
        case .running, .paused:
            guard force else { throw Self.stillRunning(id, state.status.rawValue) }
            return .killFirst
        case .removing: throw Failure(.conflict, "removal of container \(id) is already in progress")
        }
    }

    private static func stillRunning(_ id: String, _ state: String) -> Failure {
        let step = state == "paused" ? "unpause and then stop the container" : "stop the container"
        return Failure(
            .conflict,
            "cannot remove container \"\(id)\": container is \(state): \(step) before removing or force remove")
    }

    mutating func beginRemoval() -> [Action] {
        let waiting = state.status == .restarting
        state.status = .removing
        stoppedByHand = true
        return (waiting ? [.cancelRestart, .endLog] : []) + [.save]
    }

    mutating func removalFailed(_ message: String) -> [Action] {
        state.status = .dead
        state.error = message
        return [.save]
    }
}
