internal import CLinux
internal import ContainerRuntime
internal import Linux

/// `delete [--force] ID`: removes the cgroup and the state of a container that has ended; with force it is ended first.
struct DeleteVerb {
    let id: String
    let force: Bool

    init(_ words: [String]) throws {
        let arguments = try Arguments(words, flags: ["force"], short: ["f": "force"])
        id = try arguments.only("container id")
        force = arguments.has("force")
    }

    func run(_ context: RuntimeContext) throws {
        let state: ContainerState
        do { state = try context.states.read(id) } catch {
            guard force else { throw error }
            // What is not there, or cannot be read, is gone afterwards all the same.
            try StateDirectory.validate(id)
            return try context.states.remove(id)
        }
        if context.states.status(of: state) != .stopped {
            guard force else {
                throw RuntimeFailure(
                    .specification, "cannot delete container \(id) that is not stopped: use kill first, or --force")
            }
            try Self.end(state)
        }
        try Self.remove(state, context)
    }

    /// Kills the first process and waits until it has ended; it is not our child, so the descriptor is polled.
    private static func end(_ state: ContainerState) throws {
        guard let process = try? PidFD(state.pid), processStartTime(state.pid) == state.startTime else { return }
        try? process.send(SIGKILL)
        try? group(of: state).freeze(false)
        var entry = pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0)
        try check("poll") { poll(&entry, 1, 10_000) }
    }

    static func remove(_ state: ContainerState, _ context: RuntimeContext) throws {
        let cgroup = try group(of: state)
        try? cgroup.kill()
        try cgroup.delete()
        try context.states.remove(state.id)
    }
}
