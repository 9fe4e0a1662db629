/// Does what a vertex says.
///
/// The solver knows nothing of layers and containers; this is where the meaning is.
protocol VertexExecutor: Sendable {
    associatedtype Operation: Sendable
    associatedtype Output: Sendable

    /// - Parameter inputs: what the vertex's inputs came out as, in their order.
    func execute(_ vertex: BuildGraph<Operation>.Vertex, inputs: [Output]) async throws -> Output
}

/// Walks a graph: a vertex begins when its inputs are there, and as many at a time as the bound allows.
///
/// The first failure stops it: nothing new begins, what runs is cancelled and waited for. So is it when the task that
/// solves is cancelled.
struct Solver<Executor: VertexExecutor>: Sendable {
    let executor: Executor
    /// How many vertices may be on their way at the same time.
    let limit: Int

    init(_ executor: Executor, limit: Int) {
        self.executor = executor
        self.limit = max(1, limit)
    }

    /// The outputs of the targets and of all they need.
    func solve(_ graph: BuildGraph<Executor.Operation>, targets: [VertexID]) async throws -> [VertexID: Executor.Output]
    {
        var schedule = Schedule(graph, targets: targets)
        var outputs: [VertexID: Executor.Output] = [:]
        try await withThrowingTaskGroup(of: (VertexID, Executor.Output).self) { group in
            while true {
                while let id = schedule.start(limit: limit) {
                    let vertex = graph[id]
                    let inputs = vertex.inputs.compactMap { outputs[$0] }
                    group.addTask { (id, try await executor.execute(vertex, inputs: inputs)) }
                }
                // Leaving with an error cancels the others, and the group waits for them.
                guard let (id, output) = try await group.next() else { break }
                try Task.checkCancellation()
                outputs[id] = output
                schedule.finish(id)
            }
        }
        return outputs
    }
}

/// Which vertices may begin: pure, so that the order is tested without running anything.
struct Schedule {
    private var waiting: [VertexID: Int] = [:]
    private var dependents: [VertexID: [VertexID]] = [:]
    /// In the order in which they were defined, so that progress follows the Dockerfile as far as it can.
    private var ready: [VertexID] = []
    private var running = 0

    init<Operation>(_ graph: BuildGraph<Operation>, targets: [VertexID]) {
        for id in graph.closure(of: targets) {
            let inputs = Set(graph[id].inputs)
            waiting[id] = inputs.count
            for input in inputs { dependents[input, default: []].append(id) }
            if inputs.isEmpty { ready.append(id) }
        }
    }

    /// The next vertex to begin, if one is ready and the bound allows it.
    mutating func start(limit: Int) -> VertexID? {
        guard running < limit, !ready.isEmpty else { return nil }
        running += 1
        return ready.removeFirst()
    }

    mutating func finish(_ id: VertexID) {
        running -= 1
        for dependent in dependents[id] ?? [] {
            waiting[dependent, default: 0] -= 1
            if waiting[dependent] == 0 {
                ready.insert(dependent, at: ready.firstIndex { dependent < $0 } ?? ready.count)
            }
        }
    }
}
