internal import CLinux
internal import ContainerRuntime
internal import Linux

/// What is written down of a container that is being made: its state, and its process's number where the caller asked.
///
/// Both are written beside their places while the process sets itself up, and put there when it is ready: nobody sees a
/// container that then fails, and nothing is left of it.
struct ContainerRecords: ~Copyable {
    var state: ContainerState
    private let states: StateDirectory
    private let pidFile: String?
    private var preparedState: FileReplacement?
    private var preparedNumber: FileReplacement?

    init(_ state: ContainerState, in states: StateDirectory, pidFile: String?) {
        self.state = state
        self.states = states
        self.pidFile = pidFile
    }

    mutating func prepare(for pid: pid_t) throws(RuntimeFailure) {
        state.pid = pid
        state.startTime = processStartTime(pid) ?? 0
        preparedState = try states.prepare(state)
        guard let pidFile else { return }
        do { preparedNumber = try FileReplacement(pidFile, Array("\(pid)".utf8)) } catch {
            throw RuntimeFailure(.specification, error)
        }
    }

    /// - Parameter pid: the container's process, which may be another than the one that was prepared for.
    mutating func commit(for pid: pid_t) throws(RuntimeFailure) {
        if state.pid != pid { try prepare(for: pid) }
        do {
            try preparedState?.commit()
            try preparedNumber?.commit()
        } catch { throw RuntimeFailure(.specification, error) }
    }
}
