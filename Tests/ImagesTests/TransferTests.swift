import Archive
import Failures
import NIOCore
import Testing

@testable import Images

@Suite struct SharedWorkTests {
    @Test func theSecondJoinsTheFirst() async throws {
        let shared = SharedWork<String, Void, Int, Int>()
        let runs = Counter()
        let open = Latch<Void>()
        let both = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    try await shared.join("key", observe: { _ in }) { (_) async throws(Failure) in
                        runs.change(by: 1)
                        try await open.value()
                        return 7
                    }
                }
            }
            open.set(.success(()))
            var results: [Int] = []
            for try await result in group { results.append(result) }
            return results
        }
        #expect(both == [7, 7, 7, 7, 7])
        #expect(runs.most >= 1)
    }

    @Test func workEndsWhenTheLastOneLeaves() async throws {
        let shared = SharedWork<String, Void, Int, Void>()
        let begun = Latch<Void>()
        let ended = Latch<Bool>()
        let task = Task {
            try await shared.join("key", observe: { _ in }) { (_) async throws(Failure) in
                begun.set(.success(()))
                let never = Latch<Void>()
                do throws(Failure) { try await never.value() } catch {
                    ended.set(.success(Task.isCancelled))
                    throw error
                }
            }
        }
        try await begun.value()
        task.cancel()
        #expect(try await ended.value())
        await #expect(throws: Failure(.cancelled, "")) { try await task.value }
        // And the key is free again.
        try await shared.join("key", observe: { _ in }) { (_) async throws(Failure) in }
    }
}

@Suite struct TurnsTests {
    @Test func letsOnlySoManyIn() async throws {
        let turns = Turns(2)
        let inside = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await turns.run { () async throws(Failure) in
                        inside.change(by: 1)
                        await Task.yield()
                        inside.change(by: -1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(inside.most <= 2)
    }

    @Test func whoGivesUpTakesNoTurn() async throws {
        let turns = Turns(1)
        let hold = Latch<Void>()
        let inside = Latch<Void>()
        let first = Task {
            try await turns.run { () async throws(Failure) in
                inside.set(.success(()))
                try await hold.value()
            }
        }
        try await inside.value()
        let waiting = Latch<Void>()
        let second = Task {
            try await turns.run(waiting: { waiting.set(.success(())) }) { () async throws(Failure) in }
        }
        try await waiting.value()
        second.cancel()
        await #expect(throws: Failure(.cancelled, "")) { try await second.value }
        hold.set(.success(()))
        try await first.value
        try await turns.run { () async throws(Failure) in }
    }
}

@Suite struct BlockingBodyTests {
    @Test func everyByteComesThroughASmallWindow() async throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let body = BlockingBody(capacity: 4096)
        async let feeding: Void = body.feed(pieces(bytes, of: 1000))
        let read = await reading(body)
        await feeding
        #expect(try read.get() == bytes)
    }

    @Test func aBodyThatBreaksFailsTheReader() async throws {
        struct Broken: Error {}
        let stream = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
            continuation.yield(ByteBuffer(string: "abc"))
            continuation.finish(throwing: Broken())
        }
        let body = BlockingBody()
        async let feeding: Void = body.feed(stream)
        let read = await reading(body)
        await feeding
        #expect(throws: Failure(.invalid, "")) { try read.get() }
    }

    @Test func aReaderThatLeavesEndsTheFeeding() async {
        let body = BlockingBody(capacity: 10)
        body.cancel()
        await body.feed(pieces(Array(repeating: 1, count: 100_000)))
    }

    /// Reads to the end on a thread that may block.
    private func reading(_ body: BlockingBody) async -> Result<[UInt8], Failure> {
        let result = Latch<[UInt8]>()
        let thread = NIOThread(body: body, result: result)
        thread.start()
        do throws(Failure) { return .success(try await result.value()) } catch { return .failure(error) }
    }
}
