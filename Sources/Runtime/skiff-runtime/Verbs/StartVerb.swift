internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI

/// `start ID`: opens the gate a created container's program waits at.
struct StartVerb: Verb {
    static let name = "start"
    static let summary = "let a created container's program begin"

    private let id: String

    init(_ arguments: Arguments) throws { id = try arguments.only("container id") }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        switch context.states.status(of: state) {
        case .created:
            // Before the program can look for it.
            let readiness = try context.readiness(of: id)
            try Self.start(state, context)
            if let readiness { try context.passOn(readiness, of: state) }
            endProgram(keeping: state)
        case .stopped: throw RuntimeFailure(.specification, "cannot start container \(id): it has stopped")
        default: throw RuntimeFailure(.specification, "cannot start container \(id): it runs already")
        }
    }

    static func start(_ state: ContainerState, _ context: RuntimeContext) throws {
        let fifo = context.states.fifo(state.id)
        // The waiting process holds the other end: without it this open fails at once instead of waiting for ever.
        let gate = try open(fifo, O_WRONLY | O_NONBLOCK)
        try writeAll(gate.raw, [1])
        try unlink(fifo)
        context.log.debug("container \(state.id) started")
        do throws(RuntimeFailure) {
            try HookRun(
                .poststart, state.hooks.poststart, state: state.hookState(.running), directory: state.bundle
            ).run()
        } catch {
            // runtime.md, "Lifecycle": the container is stopped, and deleting it is the caller's next step.
            try? killProcesses(of: state)
            throw error
        }
    }
}
