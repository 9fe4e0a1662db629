internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI

/// `delete ID`: removes the cgroup and the state of a container that has ended, or was never started.
///
/// With `--force` it is ended first. A created one is ended without being asked, as runc and crun do and as engines
/// count on.
struct DeleteVerb: Verb {
    static let name = "delete"
    static let summary = "remove what is left of a container"
    static let flags = Flags(
        """
        --force -f  end the container first; fine when there is none
        --regex     the name is a regular expression, and all it is found in are meant
        """)

    private let name: String
    private let force: Bool
    private let isPattern: Bool

    init(_ arguments: Arguments) throws {
        isPattern = arguments.has("regex")
        name = try arguments.only(isPattern ? "regular expression" : "container id")
        force = arguments.has("force")
    }

    func run(_ context: RuntimeContext) throws {
        if isPattern {
            for id in try context.states.ids(matching: name) { try delete(id, context) }
        } else {
            try delete(name, context, isLast: true)
        }
    }

    /// - Parameter isLast: whether the program ends with it.
    private func delete(_ id: String, _ context: RuntimeContext, isLast: Bool = false) throws {
        let state: ContainerState
        do { state = try context.states.read(id) } catch {
            guard force else { throw error }
            // What is not there, or cannot be read, is gone afterwards all the same.
            try StateDirectory.validate(id)
            return try context.states.remove(id)
        }
        switch context.states.status(of: state) {
        case .stopped: break
        case .created: try Self.end(state)
        default:
            guard force else {
                throw RuntimeFailure(
                    .specification, "cannot delete container \(id) that is not stopped: use kill first, or --force")
            }
            try Self.end(state)
        }
        try Self.remove(state, context)
        if isLast { endProgram(keeping: state) }
    }

    /// Kills the first process and waits until it has ended; it is not our child, so the descriptor is polled.
    static func end(_ state: ContainerState) throws {
        guard let process = try? PidFD(state.pid), processStartTime(state.pid) == state.startTime else { return }
        // Without a group or a namespace to find them by later, what descends from it goes with it.
        if state.cgroup.isEmpty { try? killProcesses(of: state) }
        try? process.send(SIGKILL)
        if let cgroup = try? group(of: state) {
            if cgroup.isFrozen() { try? cgroup.freeze(false) }
            // Somebody may have put it into a frozen group of theirs, where it could not end.
            if try poll([(process.raw, Int16(POLLIN))], timeout: 500)[0] == 0 { try? cgroup.takeBack(state.pid) }
        }
        if try poll([(process.raw, Int16(POLLIN))], timeout: 10_000)[0] == 0 {
            throw RuntimeFailure(.specification, "container \(state.id): process \(state.pid) does not end")
        }
    }

    static func remove(_ state: ContainerState, _ context: RuntimeContext) throws {
        let cgroup = try group(of: state)
        // Without a pid namespace of its own a container's processes outlive its first one.
        try cgroup.end()
        try context.states.remove(state.id)
        context.log.debug("container \(state.id) removed")
        let hooks = HookRun(
            .poststop, state.hooks.poststop, state: state.hookState(.stopped), directory: state.bundle)
        for failure in hooks.runAll() { context.log.warning("\(failure)") }
    }
}

extension StateDirectory {
    /// The names of the containers an expression is found in.
    func ids(matching pattern: String) throws -> [String] {
        guard let expression = RegularExpression(pattern) else {
            throw Arguments.Misuse(description: "\"\(pattern)\" is not a regular expression")
        }
        return try ids().filter { expression.matches($0) }
    }
}
