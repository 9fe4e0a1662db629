internal import Failures
internal import Synchronization

/// Work that several want at the same time and that is done once: the second who asks joins the first.
///
/// Each job runs in a task of its own and lives as long as somebody wants it: when the last one leaves, it is cancelled.
/// Whoever asks for the same key while a cancelled job is still clearing up waits for that and starts afresh.
final class SharedWork<Key: Hashable & Sendable, Context: Sendable, Event: Sendable, Value: Sendable>: Sendable {
    typealias Observer = @Sendable (Event) -> Void

    /// One piece of work and those who wait for it.
    final class Job: Sendable {
        struct State {
            var observers: [Int: Observer] = [:]
            var last: Event?
            var next = 0
            var task: Task<Void, Never>?
            var abandoned = false
        }

        let context: Context
        let ended = Latch<Value>()
        let state = Mutex(State())

        init(context: Context) { self.context = context }

        func emit(_ event: Event) {
            let observers = state.withLock { state in
                state.last = event
                return Array(state.observers.values)
            }
            for observer in observers { observer(event) }
        }

        /// Nil when everybody left before.
        func enter(_ observer: @escaping Observer) -> Int? {
            let entered = state.withLock { state -> (Int, Event?)? in
                if state.abandoned { return nil }
                state.next += 1
                state.observers[state.next] = observer
                return (state.next, state.last)
            }
            if let last = entered?.1 { observer(last) }
            return entered?.0
        }

        func leave(_ ticket: Int) {
            let task = state.withLock { state -> Task<Void, Never>? in
                guard state.observers.removeValue(forKey: ticket) != nil, state.observers.isEmpty else { return nil }
                state.abandoned = true
                return state.task
            }
            task?.cancel()
        }
    }

    private let jobs = Mutex<[Key: Job]>([:])

    /// Takes part in the work of `key`, starting it where nobody does it yet, and gives `use` what it is made with
    /// and how to wait for its end.
    func join<Outcome: Sendable>(
        _ key: Key, context: @Sendable () -> Context, observe: @escaping Observer,
        work: @escaping @Sendable (Context, @escaping Observer) async throws(Failure) -> Value,
        use: @Sendable (_ context: Context, _ ended: Latch<Value>) async throws(Failure) -> Outcome
    ) async throws(Failure) -> Outcome {
        while true {
            try checkCancellation()
            let (job, isNew) = jobs.withLock { jobs -> (Job, Bool) in
                if let job = jobs[key] { return (job, false) }
                let job = Job(context: context())
                jobs[key] = job
                return (job, true)
            }
            guard let ticket = job.enter(observe) else {
                // Its last friend left: let it clear up, then begin again.
                _ = try? await job.ended.value()
                await Task.yield()
                continue
            }
            if isNew { start(job, key, work) }
            defer { job.leave(ticket) }
            do { return try await use(job.context, job.ended) } catch {
                // Somebody else's way to the same thing failed, with their names and their credentials: try our own.
                if isNew || Task.isCancelled || job.ended.result == nil { throw error }
            }
        }
    }

    /// Takes part in the work and waits for its end.
    func join(
        _ key: Key, observe: @escaping Observer,
        work: @escaping @Sendable (@escaping Observer) async throws(Failure) -> Value
    ) async throws(Failure) -> Value where Context == Void {
        try await join(
            key, context: {}, observe: observe, work: { (_, emit) async throws(Failure) in try await work(emit) },
            use: { (_, ended) async throws(Failure) in try await ended.value() })
    }

    /// Waits for the end of a job that its last friend has left; comes back at once where there is none.
    func settle(_ key: Key) async {
        guard let job = jobs.withLock({ $0[key] }), job.state.withLock({ $0.abandoned }) else { return }
        _ = try? await job.ended.value()
    }

    private func start(
        _ job: Job, _ key: Key,
        _ work: @escaping @Sendable (Context, @escaping Observer) async throws(Failure) -> Value
    ) {
        let task = Task {
            let result: Result<Value, Failure>
            do throws(Failure) {
                result = .success(try await work(job.context) { [weak job] in job?.emit($0) })
            } catch {
                result = .failure(error)
            }
            self.jobs.withLock { jobs in if jobs[key] === job { jobs[key] = nil } }
            job.ended.set(result)
        }
        let abandoned = job.state.withLock { state in
            state.task = task
            return state.abandoned
        }
        if abandoned { task.cancel() }
    }
}
