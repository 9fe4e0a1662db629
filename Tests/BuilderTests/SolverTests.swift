import DockerfileSyntax
import Synchronization
import Testing

@testable import Builder

@Suite struct SolverTests {
    /// Says what it did, and may wait for others or fail.
    private final class Recorder: VertexExecutor {
        let log = Mutex<[String]>([])
        let running = Mutex((now: 0, most: 0))
        let failing: String?
        init(failing: String? = nil) { self.failing = failing }

        func execute(_ vertex: BuildGraph<String>.Vertex, inputs: [String]) async throws -> String {
            running.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            defer { running.withLock { $0.now -= 1 } }
            for _ in 0..<20 { await Task.yield() }
            if vertex.operation == failing { throw SyntaxProblem("no") }
            if vertex.operation == "waits" {
                for await _ in AsyncStream<Never>(unfolding: { () async -> Never? in nil }) {}
            }
            let result = vertex.operation + (inputs.isEmpty ? "" : "(" + inputs.joined(separator: ",") + ")")
            log.withLock { $0.append(vertex.operation) }
            return result
        }
    }

    private func definition(_ name: String) -> Digest {
        var digest = DefinitionDigest("test")
        digest.add(name)
        return digest.finish()
    }

    private func graph(_ edges: [(String, [Int])]) -> (BuildGraph<String>, [VertexID]) {
        var graph = BuildGraph<String>()
        var ids: [VertexID] = []
        for (name, inputs) in edges {
            ids.append(graph.add(name, definition: definition(name), inputs: inputs.map { ids[$0] }))
        }
        return (graph, ids)
    }

    @Test func givesInputsInOrder() async throws {
        let (graph, ids) = graph([("a", []), ("b", []), ("c", [1, 0]), ("unused", [0])])
        let recorder = Recorder()
        let outputs = try await Solver(recorder, limit: 4).solve(graph, targets: [ids[2]])
        #expect(outputs[ids[2]] == "c(b,a)")
        #expect(outputs[ids[3]] == nil)
        #expect(Set(recorder.log.withLock { $0 }) == ["a", "b", "c"])
    }

    @Test func sharesEqualVertices() {
        let (graph, ids) = graph([("a", []), ("b", [0]), ("a", []), ("b", [2]), ("b", [])])
        #expect(ids[1] == ids[3])
        #expect(ids[4] != ids[1])
        #expect(graph.vertices.count == 3)
    }

    @Test(arguments: [1, 2, 3]) func keepsTheBound(_ limit: Int) async throws {
        let (graph, ids) = graph((0..<8).map { ("v\($0)", []) } + [("end", Array(0..<8))])
        let recorder = Recorder()
        _ = try await Solver(recorder, limit: limit).solve(graph, targets: [ids[8]])
        #expect(recorder.running.withLock { $0.most } <= limit)
        #expect(recorder.log.withLock { $0.last } == "end")
    }

    @Test func stopsAtTheFirstFailure() async {
        let (graph, ids) = graph([("bad", []), ("next", [0]), ("other", []), ("end", [1, 2])])
        let recorder = Recorder(failing: "bad")
        await #expect(throws: SyntaxProblem("no")) {
            try await Solver(recorder, limit: 1).solve(graph, targets: [ids[3]])
        }
        #expect(!recorder.log.withLock { $0.contains("next") || $0.contains("end") })
    }

    @Test func schedulesInTheOrderOfDefinition() {
        let (graph, ids) = graph([("a", []), ("b", []), ("c", [0]), ("d", [1]), ("e", [2, 3])])
        var schedule = Schedule(graph, targets: [ids[4]])
        #expect(schedule.start(limit: 2) == ids[0])
        #expect(schedule.start(limit: 2) == ids[1])
        #expect(schedule.start(limit: 2) == nil)
        schedule.finish(ids[1])
        schedule.finish(ids[0])
        #expect(schedule.start(limit: 2) == ids[2])
        #expect(schedule.start(limit: 2) == ids[3])
        schedule.finish(ids[2])
        #expect(schedule.start(limit: 2) == nil)
        schedule.finish(ids[3])
        #expect(schedule.start(limit: 2) == ids[4])
    }
}

@Suite struct SharedTasksTests {
    /// Opens once; whoever waits goes on then.
    private final class Gate: Sendable {
        private let state = Mutex<(open: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))
        func open() {
            let waiting = state.withLock { state in
                state.open = true
                defer { state.waiting = [] }
                return state.waiting
            }
            for waiter in waiting { waiter.resume() }
        }
        func wait() async {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    if !state.open { state.waiting.append(continuation) }
                    return state.open
                }
                if isOpen { continuation.resume() }
            }
        }
    }

    @Test func worksOnceForTwoWhoAsk() async throws {
        let shared = SharedTasks<String, Int, Int>()
        let gate = Gate()
        let started = Gate()
        let seen = Mutex<[Int]>([])
        async let first = shared.value(for: "k", observe: { _ in }) { emit in
            emit(1)
            started.open()
            await gate.wait()
            emit(2)
            return 7
        }
        await started.wait()
        async let second = shared.value(for: "k", observe: { event in seen.withLock { $0.append(event) } }) { _ in 8 }
        while seen.withLock({ $0.isEmpty }) { await Task.yield() }
        gate.open()
        let results = try await (first, second)
        #expect(results.0 == (7, false))
        #expect(results.1 == (7, true))
        #expect(seen.withLock { $0 } == [1, 2])
    }

    @Test func goesOnWhenTheFirstLeaves() async throws {
        let shared = SharedTasks<String, Int, Int>()
        let gate = Gate()
        let started = Gate()
        let joined = Gate()
        let first = Task {
            try await shared.value(for: "k", observe: { _ in }) { emit in
                emit(1)
                started.open()
                await gate.wait()
                try Task.checkCancellation()
                return 7
            }
        }
        await started.wait()
        let second = Task { try await shared.value(for: "k", observe: { _ in joined.open() }) { _ in 8 } }
        await joined.wait()
        first.cancel()
        await #expect(throws: CancellationError.self) { _ = try await first.value }
        gate.open()
        #expect(try await second.value == (7, true))
    }

    @Test func cancelsWhatNobodyWantsAndTriesAgain() async throws {
        let shared = SharedTasks<String, Int, Int>()
        let started = Gate()
        let ended = Mutex(false)
        let first = Task {
            try await shared.value(for: "k", observe: { _ in }) { _ in
                started.open()
                while !Task.isCancelled { await Task.yield() }
                ended.withLock { $0 = true }
                throw CancellationError()
            }
        }
        await started.wait()
        first.cancel()
        await #expect(throws: CancellationError.self) { _ = try await first.value }
        // The last one who leaves waits until all is cleared up.
        #expect(ended.withLock { $0 })
        #expect(try await shared.value(for: "k", observe: { _ in }) { _ in 9 } == (9, false))
    }
}
