import Failures
import Synchronization
import Testing

@testable import Engine

@Suite struct SerialQueueTests {
    @Test func operationsRunInOrderAndNeverTogether() async throws {
        let queue = SerialQueue()
        let log = Mutex<[Int]>([])
        let inside = Atomic(0)
        let tasks = (0..<50).map { number in
            queue.enqueue { () throws(Failure) in
                let count = inside.wrappingAdd(1, ordering: .relaxed).newValue
                #expect(count == 1)
                await Task.yield()
                log.withLock { $0.append(number) }
                inside.wrappingSubtract(1, ordering: .relaxed)
            }
        }
        for task in tasks { try await task.value.get() }
        #expect(log.withLock { $0 } == Array(0..<50))
    }

    @Test func aFailureDoesNotStopTheNext() async throws {
        let queue = SerialQueue()
        await #expect(throws: Failure.self) {
            try await queue.run { () throws(Failure) in throw Failure(.conflict, "no") }
        }
        #expect(try await queue.run { () throws(Failure) in 7 } == 7)
    }

    @Test func aCallerThatGoesAwayDoesNotCutAnOperationShort() async throws {
        let queue = SerialQueue()
        let isDone = Atomic(false)
        let gate = Promise<Void>()
        let caller = Task {
            try await queue.run { () throws(Failure) in
                _ = await gate.value()
                #expect(!Task.isCancelled)
                isDone.store(true, ordering: .sequentiallyConsistent)
            }
        }
        caller.cancel()
        gate.fulfil(())
        try await caller.value
        let wasDone = isDone.load(ordering: .sequentiallyConsistent)
        #expect(wasDone)
    }
}

@Suite struct PromiseTests {
    @Test func everybodyGetsTheValueWheneverTheyCome() async {
        let promise = Promise<Int>()
        await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<10 { group.addTask { await promise.value() } }
            promise.fulfil(1)
            promise.fulfil(2)
            for await value in group { #expect(value == 1) }
        }
        #expect(await promise.value() == 1)
        #expect(promise.current == 1)
    }

    @Test func aCancelledWaiterGetsNothingAndLeavesTheOthers() async {
        let promise = Promise<Int>()
        let impatient = Task { await promise.value() }
        let patient = Task { await promise.value() }
        impatient.cancel()
        #expect(await impatient.value == nil)
        promise.fulfil(5)
        #expect(await patient.value == 5)
    }

    @Test func waitingHasAnEnd() async {
        #expect(await Promise<Int>().value(withinNanoseconds: 1) == nil)
        let promise = Promise<Int>()
        promise.fulfil(3)
        #expect(await promise.value(withinSeconds: .max) == 3)
    }

    @Test func aHandleThatIsDroppedIsForgotten() {
        let promise = Promise<WaitResult>()
        do { _ = WaitHandle(promise) }
        #expect(promise.isAbandoned)
    }
}

@Suite struct HealthRulesTests {
    private func probe(_ code: Int) -> HealthProbe {
        HealthProbe(start: Timestamp(nanoseconds: 0), end: Timestamp(nanoseconds: 1), exitCode: code, output: "")
    }

    private func rules(startPeriod: Int64 = 0, retries: Int = 3) -> HealthRules {
        var check = HealthCheck()
        check.startPeriod = startPeriod
        check.retries = retries
        return HealthRules(check)
    }

    @Test func defaultsAreDockers() {
        let rules = rules(retries: 0)
        #expect(rules.interval == 30_000_000_000)
        #expect(rules.timeout == 30_000_000_000)
        #expect(rules.startInterval == 5_000_000_000)
        #expect(rules.retries == 3)
    }

    @Test func aStreakMakesUnhealthyAndASuccessHealthy() {
        var rules = rules()
        #expect(rules.probed(probe(0), sinceStart: 1) == .healthy)
        #expect(rules.probed(probe(1), sinceStart: 2) == nil)
        #expect(rules.probed(probe(-1), sinceStart: 3) == nil)
        #expect(rules.probed(probe(2), sinceStart: 4) == .unhealthy)
        #expect(rules.probed(probe(1), sinceStart: 5) == nil)
        #expect(rules.state.failingStreak == 4)
        #expect(rules.probed(probe(0), sinceStart: 6) == .healthy)
        #expect(rules.state.failingStreak == 0)
    }

    @Test func failuresInTheStartPeriodDoNotCountUntilASuccess() {
        var rules = rules(startPeriod: 100, retries: 1)
        #expect(rules.delay(sinceStart: 0) == rules.startInterval)
        #expect(rules.probed(probe(1), sinceStart: 50) == nil)
        #expect(rules.state.failingStreak == 0)
        #expect(rules.probed(probe(0), sinceStart: 60) == .healthy)
        #expect(rules.delay(sinceStart: 60) == rules.interval)
        #expect(rules.probed(probe(1), sinceStart: 70) == .unhealthy)
        var other = self.rules(startPeriod: 100, retries: 1)
        #expect(other.probed(probe(1), sinceStart: 100) == .unhealthy)
    }

    @Test func onlyTheLastFiveProbesAreKept() {
        var rules = rules()
        for code in 0..<9 { _ = rules.probed(probe(code), sinceStart: 1) }
        #expect(rules.state.log.map(\.exitCode) == [4, 5, 6, 7, 8])
    }

    @Test func commandsAreMadeOfTheTest() {
        func command(_ test: [String]) -> [String]? {
            var check = HealthCheck()
            check.test = test
            return HealthMonitor.command(of: check, shell: nil)
        }
        #expect(command(["NONE"]) == nil)
        #expect(command([]) == nil)
        #expect(command(["CMD"]) == nil)
        #expect(command(["CMD", "a", "b"]) == ["a", "b"])
        #expect(command(["CMD-SHELL", "a b"]) == ["/bin/sh", "-c", "a b"])
    }
}

@Suite struct ProcessColumnTests {
    @Test(arguments: [[], ["-ef"], ["aux"], ["-o", "pid,comm"], ["-o pid,args"], ["-eo", "pid,user"]])
    func understands(arguments: [String]) throws {
        #expect(try ProcessColumn.columns(arguments).contains(.pid))
    }

    @Test(arguments: [["-z"], ["-o"], ["-o", "bogus"], ["-o", "comm"]])
    func refuses(arguments: [String]) {
        #expect(throws: Failure.self) { try ProcessColumn.columns(arguments) }
    }

    @Test func readsThisProcess() throws {
        let host = HostFacts()
        let me = try #require(ProcessFacts(pid: 1, host: host))
        #expect(me.pid == 1)
        #expect(!me.commandLine.isEmpty)
        for column in try ProcessColumn.columns(["aux"]) + ProcessColumn.columns([]) {
            #expect(!column.value(me, host).isEmpty)
        }
        #expect(ProcessFacts(pid: -1, host: host) == nil)
    }
}
