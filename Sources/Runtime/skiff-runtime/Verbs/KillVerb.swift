internal import CLinux
internal import ContainerRuntime
internal import Linux

/// `kill ID [SIGNAL]`: sends a signal, TERM unless said otherwise.
struct KillVerb: Verb {
    static let name = "kill"
    static let summary = "send a signal to a container's first process, or to all"
    static let operands = "<container-id> [SIGNAL]"
    static let flags = Flags(
        """
        --all -a  send it to every process; fine when the container has ended
        --regex   the name is a regular expression, and all it is found in are meant
        """)

    private let name: String
    private let isPattern: Bool
    private let signal: Int32
    private let all: Bool

    init(_ arguments: Arguments) throws {
        all = arguments.has("all")
        guard let id = arguments.rest.first else { throw Arguments.Misuse(description: "container id is missing") }
        name = id
        isPattern = arguments.has("regex")
        if arguments.rest.count > 2 {
            throw Arguments.Misuse(description: "unexpected word \"\(arguments.rest[2])\" behind the signal")
        }
        let text = arguments.rest.count > 1 ? arguments.rest[1] : "SIGTERM"
        // Signal 0 asks whether there is a process to be sent one.
        guard let number = text == "0" ? 0 : Signals.number(text) else {
            throw Arguments.Misuse(description: "unknown signal \"\(text)\"")
        }
        signal = number
    }

    func run(_ context: RuntimeContext) throws {
        guard isPattern else { return try send(name, context) }
        for id in try context.states.ids(matching: name) { try send(id, context) }
    }

    private func send(_ id: String, _ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        let cgroup = try group(of: state)
        if all {
            for pid in try processes(of: state) { try? sendSignal(signal, to: pid) }
            if signal == SIGKILL { thaw(cgroup) }
            return
        }
        if signal == SIGKILL, sharesProcesses(state) {
            // The end of the first process does not end the others there, and they may have outlived it already.
            return try killProcesses(of: state)
        }
        guard context.states.status(of: state) != .stopped else {
            throw RuntimeFailure(.specification, "container not running")
        }
        let process = try PidFD(state.pid)
        // Between the look and the grip the number may have gone to somebody else.
        guard processStartTime(state.pid) == state.startTime else {
            throw RuntimeFailure(.specification, "container not running")
        }
        try process.send(signal)
        // A process that is frozen must be able to die of it.
        if signal == SIGKILL { thaw(cgroup) }
    }

    private func thaw(_ cgroup: Cgroup) { if cgroup.isFrozen() { try? cgroup.freeze(false) } }

    /// Whether the container has no pid namespace of its own.
    private func sharesProcesses(_ state: ContainerState) -> Bool {
        !state.ownsProcesses
    }
}
