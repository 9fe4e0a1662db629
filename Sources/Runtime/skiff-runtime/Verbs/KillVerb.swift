internal import CLinux
internal import ContainerRuntime
internal import Linux

/// `kill [--all] ID [SIGNAL]`: sends a signal, TERM unless said otherwise.
struct KillVerb {
    let id: String
    let signal: Int32
    let all: Bool

    init(_ words: [String]) throws {
        var arguments = try Arguments(words, flags: ["all"], short: ["a": "all"])
        all = arguments.has("all")
        guard let id = arguments.rest.first else { throw Arguments.Misuse(description: "container id is missing") }
        self.id = id
        // runc accepts its flag behind the id as well.
        let rest = arguments.rest.dropFirst()
        arguments = try Arguments(
            rest.filter { $0.hasPrefix("-") && Int32($0) == nil }, flags: ["all"], short: ["a": "all"])
        let text = rest.first { !$0.hasPrefix("-") } ?? "SIGTERM"
        guard let number = Signals.number(text) else {
            throw Arguments.Misuse(description: "unknown signal \"\(text)\"")
        }
        signal = number
    }

    func run(_ context: RuntimeContext) throws {
        let state = try context.states.read(id)
        if all {
            for pid in try group(of: state).processes() { try? sendSignal(signal, to: pid) }
            return
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
        // A process that waits at the gate, or is frozen, must be able to die of it.
        if signal == SIGKILL, let cgroup = try? group(of: state), cgroup.isFrozen() { try? cgroup.freeze(false) }
    }
}
