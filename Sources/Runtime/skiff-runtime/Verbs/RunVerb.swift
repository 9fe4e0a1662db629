internal import CLinux
internal import ContainerRuntime
internal import Linux

/// `run ID`: create, start, and wait unless detached; ends as the program did.
struct RunVerb: Verb {
    static let name = "run"
    static let summary = "create and start a container, and wait for its end"
    static let entersContainers = true
    static let flags = Flags(
        ContainerRequest.flags,
        """
        --detach -d  do not wait
        --keep       keep the container's state once it has ended
        """)

    private let request: ContainerRequest
    private let detach: Bool
    private let keep: Bool

    init(_ arguments: Arguments) throws {
        request = try ContainerRequest(arguments)
        detach = arguments.has("detach")
        keep = arguments.has("keep")
    }

    func run(_ context: RuntimeContext) throws {
        if !detach { try becomeSubreaper() }
        let made = try request.make(context, detached: detach)
        let readiness: ContainerReadiness?
        do {
            readiness = try context.readiness(of: made.state.id)
            try StartVerb.start(made.state, context)
        } catch {
            try? DeleteVerb.end(made.state)
            try? DeleteVerb.remove(made.state, context)
            throw error
        }
        if detach {
            if let readiness { try context.passOn(readiness, of: made.state) }
            return
        }
        let end = try Foreground.wait(
            for: made.pid, master: made.master, readiness: readiness,
            whenReady: { context.tellReady(mainProcess: nil) })
        if !keep { try DeleteVerb.remove(made.state, context) }
        exitNow(end.code)
    }
}
