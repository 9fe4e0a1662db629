internal import ShimProtocol
internal import Synchronization

/// What is known about a container from its shim's events, from before its `ContainerTask` exists.
final class TaskRecord: Sendable {
    let exit = Once<ExitStatus>()
    let notices: AsyncStream<TaskNotice>
    private let noticeWriter: AsyncStream<TaskNotice>.Continuation
    private let state = Mutex(State())

    private struct State {
        var isPaused = false
        var execs: [String: ExecRecord] = [:]
    }

    init() { (notices, noticeWriter) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16)) }

    var isPaused: Bool { state.withLock { $0.isPaused } }
    func setPaused(_ paused: Bool) { state.withLock { $0.isPaused = paused } }

    /// Registers an exec before its start is asked for, so that an end that comes at once is not lost.
    func expect(exec id: String) -> ExecRecord {
        let record = ExecRecord()
        state.withLock { $0.execs[id] = record }
        return record
    }

    func forget(exec id: String) { state.withLock { $0.execs[id] = nil } }

    var execs: [(id: String, record: ExecRecord)] { state.withLock { $0.execs.map { ($0.key, $0.value) } } }

    /// Takes in an event; on the reactor's thread.
    func take(_ event: ShimEvent) {
        switch event {
        case .outOfMemory: noticeWriter.yield(.outOfMemory)
        case .exited(let report): ended(ExitStatus(report))
        case .execEnded(let id, let report):
            let record = state.withLock { $0.execs[id] }
            record?.exit.resolve(ExitStatus(report))
        default: break
        }
    }

    /// Takes in everything a shim had to tell after a restart of the daemon.
    func take(_ shim: ShimState) {
        state.withLock { state in
            state.isPaused = shim.isPaused
            for exec in shim.execs where state.execs[exec.id] == nil { state.execs[exec.id] = ExecRecord() }
        }
        for exec in shim.execs {
            let record = state.withLock { $0.execs[exec.id] }
            record?.pid.resolve(exec.pid)
            if let report = exec.exit { record?.exit.resolve(ExitStatus(report)) }
        }
        if let report = shim.exit { ended(ExitStatus(report)) }
    }

    /// The shim is gone: what has not ended will never be heard of again.
    func lost(at now: Int64) { ended(ExitStatus(code: 137, signal: 9, finishedAt: now, isLost: true)) }

    private func ended(_ status: ExitStatus) {
        exit.resolve(status)
        noticeWriter.finish()
        // Everything in the container ended with it; an exec whose own end was told keeps that.
        let execs = state.withLock { Array($0.execs.values) }
        if status.isLost { for exec in execs { exec.exit.resolve(status) } }
    }
}

/// What is known about an exec.
final class ExecRecord: Sendable {
    let pid = Once<Int32>()
    let exit = Once<ExitStatus>()
}

extension ExitStatus {
    init(_ report: ExitReport) {
        self.init(code: report.code, signal: report.signal, oomKilled: report.oomKilled, finishedAt: report.at)
    }
}
