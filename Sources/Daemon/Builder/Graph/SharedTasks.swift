internal import Synchronization

/// Work that several builds may want at the same time and that is done once.
///
/// The first who asks for a key starts it; others join, see the events from the beginning, and get the same result. Each
/// piece of work runs as long as somebody waits for it: a build that is cancelled leaves, the last one that leaves cancels
/// the work. When it fails, those who joined try by themselves, since the failure may have been the other's own.
final class SharedTasks<Key: Hashable & Sendable, Event: Sendable, Value: Sendable>: Sendable {
    /// How many events are kept for those who come late; beyond that they miss the oldest.
    private let replay: Int
    private let jobs = Mutex<[Key: Job]>([:])

    init(replay: Int = 4096) { self.replay = replay }

    /// The result for the key, by our own work or another's; `joined` says which.
    func value(
        for key: Key, observe: @escaping @Sendable (Event) -> Void,
        work: @escaping @Sendable (_ emit: @escaping @Sendable (Event) -> Void) async throws -> Value
    ) async throws -> (value: Value, joined: Bool) {
        while true {
            try Task.checkCancellation()
            let (job, isOwner) = jobs.withLock { jobs -> (Job, Bool) in
                if let job = jobs[key] { return (job, false) }
                let job = Job(replay: replay)
                jobs[key] = job
                return (job, true)
            }
            guard let ticket = job.enter(observe) else {
                // Everybody left it: it is clearing up, and its end makes room.
                _ = await job.result(nil)
                continue
            }
            if isOwner { start(job, key, work) }
            let result = await withTaskCancellationHandler {
                await job.result(ticket)
            } onCancel: {
                job.leave(ticket)
            }
            job.leave(ticket)
            try Task.checkCancellation()
            switch result {
            case .success(let value): return (value, !isOwner)
            case .failure(let error): if isOwner { throw error }
            }
        }
    }

    private func start(
        _ job: Job, _ key: Key, _ work: @escaping @Sendable (@escaping @Sendable (Event) -> Void) async throws -> Value
    ) {
        job.run(
            Task {
                let result: Result<Value, any Error>
                do { result = .success(try await work { job.emit($0) }) } catch { result = .failure(error) }
                self.jobs.withLock { jobs in if jobs[key] === job { jobs[key] = nil } }
                job.finish(result)
            })
    }

    private final class Job: Sendable {
        typealias Waiter = CheckedContinuation<Result<Value, any Error>, Never>

        private struct State {
            var observers: [Int: @Sendable (Event) -> Void] = [:]
            var events: [Event] = []
            var next = 0
            var task: Task<Void, Never>?
            var isAbandoned = false
            var result: Result<Value, any Error>?
            var waiting: [Int: Waiter] = [:]
        }

        private let replay: Int
        private let state = Mutex(State())

        init(replay: Int) { self.replay = replay }

        /// Nil when everybody left before.
        func enter(_ observer: @escaping @Sendable (Event) -> Void) -> Int? {
            // Under the lock, so that a late one sees the past before the present. Observers only put into a buffer.
            state.withLock { state in
                if state.isAbandoned { return nil }
                for event in state.events { observer(event) }
                state.next += 1
                state.observers[state.next] = observer
                return state.next
            }
        }

        /// The last one who leaves stays until the work has cleared up; the others go at once.
        func leave(_ ticket: Int) {
            let (task, waiter) = state.withLock { state -> (Task<Void, Never>?, Waiter?) in
                guard state.observers.removeValue(forKey: ticket) != nil, state.result == nil else { return (nil, nil) }
                guard state.observers.isEmpty else { return (nil, state.waiting.removeValue(forKey: ticket)) }
                state.isAbandoned = true
                return (state.task, nil)
            }
            task?.cancel()
            waiter?.resume(returning: .failure(CancellationError()))
        }

        func run(_ task: Task<Void, Never>) {
            let isAbandoned = state.withLock { state in
                state.task = task
                return state.isAbandoned
            }
            if isAbandoned { task.cancel() }
        }

        func emit(_ event: Event) {
            state.withLock { state in
                if state.events.count >= replay { state.events.removeFirst(replay / 2) }
                state.events.append(event)
                for ticket in state.observers.keys { state.observers[ticket]?(event) }
            }
        }

        func finish(_ result: Result<Value, any Error>) {
            let waiting = state.withLock { state in
                state.result = result
                defer { state.waiting = [:] }
                return state.waiting.values
            }
            for waiter in waiting { waiter.resume(returning: result) }
        }

        /// Waits for the end; without a ticket also of work that everybody has left.
        func result(_ ticket: Int?) async -> Result<Value, any Error> {
            await withCheckedContinuation { (waiter: Waiter) in
                let result = state.withLock { state -> Result<Value, any Error>? in
                    if let result = state.result { return result }
                    if let ticket, state.observers[ticket] == nil, !state.isAbandoned {
                        return .failure(CancellationError())
                    }
                    state.next += 1
                    state.waiting[ticket ?? state.next] = waiter
                    return nil
                }
                if let result { waiter.resume(returning: result) }
            }
        }
    }
}
