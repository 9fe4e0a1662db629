internal import ContainerRuntime

/// `pause ID`: every process stops where it is.
struct PauseVerb: Verb {
    static let name = "pause"
    static let summary = "stop every process of a container where it is"

    private let id: String

    init(_ arguments: Arguments) throws { id = try arguments.only("container id") }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        let status = StateVerb.currentStatus(state, context)
        guard status == .running || status == .created else {
            throw RuntimeFailure(.specification, "cannot pause container \(id): it is \(status.rawValue)")
        }
        try group(of: state, to: "pause").freeze(true)
    }
}

/// `resume ID`: they go on.
struct ResumeVerb: Verb {
    static let name = "resume"
    static let summary = "let a paused container's processes go on"

    private let id: String

    init(_ arguments: Arguments) throws { id = try arguments.only("container id") }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        let status = StateVerb.currentStatus(state, context)
        guard status == .paused else {
            throw RuntimeFailure(.specification, "cannot resume container \(id): it is \(status.rawValue), not paused")
        }
        try group(of: state).freeze(false)
    }
}
