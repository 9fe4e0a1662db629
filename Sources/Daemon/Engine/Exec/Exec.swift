internal import Execution
internal import Synchronization

/// One exec in memory: created, then started at most once, then ended.
final class Exec: Sendable {
    let id: String
    let container: Container
    let request: ExecRequest
    /// Fulfilled when the process runs, or could not be started.
    let started = Promise<ExecTask?>()
    /// Fulfilled when the exit code is stored.
    let ended = Promise<Int>()
    private let state = Mutex(State())

    struct State {
        var phase = Phase.created
        var pid: Int32 = 0
        var exitCode: Int?
        var endedAt: Timestamp?
        /// The terminal's size set before the start.
        var firstSize: TerminalSize?
    }

    enum Phase: Sendable, Hashable { case created, taken, running, ended }

    init(id: String, container: Container, request: ExecRequest) {
        (self.id, self.container, self.request) = (id, container, request)
    }

    func withLock<Result: Sendable, Problem: Error>(
        _ body: (inout State) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try state.withLock { (state) throws(Problem) -> Result in try body(&state) }
    }

    /// What the caller asked for, on one line.
    var commandLine: String { request.command.joined(separator: " ") }

    func end(_ code: Int) {
        withLock { state in
            state.phase = .ended
            state.exitCode = code
            state.endedAt = .now
        }
        started.fulfil(nil)
        ended.fulfil(code)
    }
}
