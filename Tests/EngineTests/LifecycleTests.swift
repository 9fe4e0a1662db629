import Failures
import Testing

@testable import Engine

@Suite struct LifecycleTests {
    static let start = Timestamp(nanoseconds: 1_000_000_000_000)

    static func after(_ seconds: Int64) -> Timestamp { start.advanced(byNanoseconds: seconds * 1_000_000_000) }

    /// A container that runs.
    static func running(_ policy: RestartPolicy = .never, autoRemove: Bool = false) throws -> Lifecycle {
        var life = Lifecycle()
        life.restartPolicy = policy
        life.autoRemove = autoRemove
        try life.beginStart(automatic: false)
        _ = life.started(pid: 42, at: start, hasHealthCheck: false)
        return life
    }

    @Test func startRecordsAndTells() throws {
        var life = Lifecycle()
        try life.beginStart(automatic: false)
        #expect(life.started(pid: 42, at: Self.start, hasHealthCheck: true) == [.save, .emit("start", [:])])
        #expect(life.state.status == .running)
        #expect(life.state.pid == 42)
        #expect(life.state.health?.status == .starting)
    }

    @Test(arguments: [
        (ContainerStatus.running, Failure.Kind.notModified), (.paused, .conflict), (.removing, .conflict),
        (.dead, .conflict),
        (.restarting, .notModified),
    ])
    func startIsRefused(in status: ContainerStatus, as kind: Failure.Kind) {
        var life = Lifecycle()
        life.state.status = status
        let error = #expect(throws: Failure.self) { try life.beginStart(automatic: false) }
        #expect(error?.kind == kind)
    }

    @Test func aFailedFirstStartStaysCreated() throws {
        var life = Lifecycle()
        try life.beginStart(automatic: false)
        #expect(life.startFailed(exitCode: 127, message: "no", at: Self.start) == [.save])
        #expect(life.state.status == .created)
        #expect(life.state.exitCode == 127)
        #expect(life.state.error == "no")
    }

    @Test func aFailedStartOfAnAutoRemovedContainerRemovesIt() throws {
        var life = Lifecycle()
        life.autoRemove = true
        try life.beginStart(automatic: false)
        #expect(life.startFailed(exitCode: 127, message: "no", at: Self.start) == [.save, .remove])
    }

    @Test func aFailedRestartByPolicyEndsIt() throws {
        var life = try Self.running(RestartPolicy(.always))
        _ = life.exited(code: 1, oomKilled: false, at: Self.after(1))
        try life.beginStart(automatic: true)
        let actions = life.startFailed(exitCode: 127, message: "no", at: Self.after(2))
        #expect(life.state.status == .exited)
        #expect(actions == [.save, .wakeStopped(exitCode: 127), .endLog])
    }

    @Test func naturalExitTellsDieAlone() throws {
        var life = try Self.running()
        let actions = life.exited(code: 3, oomKilled: false, at: Self.after(5))
        #expect(
            actions == [
                .save, .emit("die", ["exitCode": "3", "execDuration": "5"]), .wakeStopped(exitCode: 3), .endLog,
            ])
        #expect(life.state.status == .exited)
        #expect(life.state.pid == 0)
        #expect(life.state.finishedAt == Self.after(5))
    }

    @Test func outOfMemoryIsToldBeforeDeath() throws {
        var life = try Self.running()
        let names = life.exited(code: 137, oomKilled: true, at: Self.after(1)).compactMap { action -> String? in
            if case .emit(let name, _) = action { name } else { nil }
        }
        #expect(names == ["oom", "die"])
        #expect(life.state.oomKilled)
    }

    @Test func policyRestartsWithBackOffAndWakesFirstStop() throws {
        var life = try Self.running(RestartPolicy(.always))
        var delays: [Int64] = []
        var time = Self.start
        for _ in 0..<12 {
            time = time.advanced(byNanoseconds: 1_000_000)
            let actions = life.exited(code: 1, oomKilled: false, at: time)
            #expect(life.state.status == .restarting)
            #expect(actions.contains(.wakeStopped(exitCode: 1)))
            #expect(!actions.contains(.endLog))
            for case .scheduleRestart(let delay) in actions { delays.append(delay) }
            try life.beginStart(automatic: true)
            _ = life.started(pid: 1, at: time, hasHealthCheck: false)
        }
        #expect(
            delays.map { $0 / 1_000_000 } == [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000])
        #expect(life.restartCount == 12)
        // A good run of ten seconds starts the delays over.
        let actions = life.exited(code: 1, oomKilled: false, at: time.advanced(byNanoseconds: 10_000_000_000))
        #expect(actions.contains(.scheduleRestart(afterNanoseconds: 100_000_000)))
    }

    @Test func aStartByHandForgetsTheCount() throws {
        var life = try Self.running(RestartPolicy(.onFailure, maximumRetries: 1))
        _ = life.exited(code: 1, oomKilled: false, at: Self.after(1))
        try life.beginStart(automatic: true)
        _ = life.started(pid: 2, at: Self.after(2), hasHealthCheck: false)
        _ = life.exited(code: 1, oomKilled: false, at: Self.after(3))
        #expect(life.state.status == .exited)
        #expect(life.restartCount == 1)
        try life.beginStart(automatic: false)
        #expect(life.restartCount == 0)
    }

    @Test func stopTellsStopAndDieAndKeepsThePolicyOut() throws {
        var life = try Self.running(RestartPolicy(.always))
        try life.signalled(.stop, name: "x", id: "x")
        let actions = life.exited(code: 143, oomKilled: false, at: Self.after(1))
        #expect(actions.contains(.emit("stop", [:])))
        #expect(actions.contains(.emit("die", ["exitCode": "143", "execDuration": "1"])))
        #expect(life.state.status == .exited)
    }

    @Test func killTellsNoStop() throws {
        var life = try Self.running(RestartPolicy(.always))
        try life.signalled(.kill, name: "x", id: "x")
        let actions = life.exited(code: 137, oomKilled: false, at: Self.after(1))
        #expect(!actions.contains(.emit("stop", [:])))
        #expect(life.state.status == .exited)
    }

    @Test func aHarmlessSignalLeavesThePolicy() throws {
        var life = try Self.running(RestartPolicy(.always))
        try life.signalled(.other, name: "x", id: "x")
        _ = life.exited(code: 0, oomKilled: false, at: Self.after(1))
        #expect(life.state.status == .restarting)
    }

    @Test func stopDuringBackOffTellsStopAlone() throws {
        var life = try Self.running(RestartPolicy(.always))
        _ = life.exited(code: 1, oomKilled: false, at: Self.after(1))
        #expect(life.cancelledRestart() == [.cancelRestart, .save, .emit("stop", [:]), .endLog])
        #expect(life.state.status == .exited)
    }

    @Test func autoRemoveFollowsTheExit() throws {
        var life = try Self.running(autoRemove: true)
        #expect(life.exited(code: 0, oomKilled: false, at: Self.after(1)).last == .remove)
    }

    @Test(arguments: [ContainerStatus.created, .exited, .restarting, .removing, .dead])
    func signalsNeedAProcess(status: ContainerStatus) {
        var life = Lifecycle()
        life.state.status = status
        let error = #expect(throws: Failure.self) { try life.signalled(.kill, name: "web", id: "abc") }
        #expect(error?.kind == .conflict)
        #expect(error?.message == "cannot kill container: web: container abc is not running")
    }

    @Test(arguments: [
        (ContainerStatus.created, false, Lifecycle.RemovalStep?.some(.remove)), (.exited, false, .remove),
        (.dead, false, .remove),
        (.running, false, nil), (.paused, false, nil), (.restarting, false, nil), (.removing, false, nil),
        (.running, true, .killFirst), (.paused, true, .killFirst), (.restarting, true, .remove), (.removing, true, nil),
    ])
    func removal(status: ContainerStatus, force: Bool, step: Lifecycle.RemovalStep?) {
        var life = Lifecycle()
        life.state.status = status
        #expect((try? life.removalStep(force: force, id: "abc")) == step)
    }

    @Test func removalOfARunningOneSaysWhatToDo() {
        var life = Lifecycle()
        life.state.status = .running
        let error = #expect(throws: Failure.self) { try life.removalStep(force: false, id: "abc") }
        #expect(
            error?.message.contains("container is running: stop the container before removing or force remove") == true)
        life.state.status = .removing
        let again = #expect(throws: Failure.self) { try life.removalStep(force: true, id: "abc") }
        #expect(again?.message == "removal of container abc is already in progress")
    }

    @Test func pausingNeedsTheRightState() throws {
        var life = try Self.running()
        try life.canPause("x")
        #expect(throws: Failure.self) { try life.canUnpause("x") }
        #expect(life.paused() == [.save, .emit("pause", [:])])
        #expect(throws: Failure.self) { try life.canPause("x") }
        try life.canUnpause("x")
        #expect(life.unpaused() == [.save, .emit("unpause", [:])])
    }
}

@Suite struct RestartPolicyTests {
    @Test(arguments: [
        (RestartPolicy(.no), 1, 0, false, false), (RestartPolicy(.always), 0, 0, false, true),
        (RestartPolicy(.always), 0, 0, true, false), (RestartPolicy(.unlessStopped), 0, 99, false, true),
        (RestartPolicy(.onFailure), 0, 0, false, false), (RestartPolicy(.onFailure), 1, 1000, false, true),
        (RestartPolicy(.onFailure, maximumRetries: 3), 1, 2, false, true),
        (RestartPolicy(.onFailure, maximumRetries: 3), 1, 3, false, false),
    ])
    func decidesAfterAnExit(policy: RestartPolicy, code: Int, count: Int, byHand: Bool, expected: Bool) {
        #expect(policy.restarts(exitCode: code, restartCount: count, stoppedByHand: byHand) == expected)
    }

    @Test(arguments: [
        (RestartPolicy(.always), true, true, true), (RestartPolicy(.unlessStopped), true, true, false),
        (RestartPolicy(.unlessStopped), false, true, true), (RestartPolicy(.always), false, false, false),
        (RestartPolicy(.no), false, true, false),
    ])
    func decidesAtTheDaemonsStart(policy: RestartPolicy, byHand: Bool, hasRun: Bool, expected: Bool) {
        #expect(
            policy.startsWithDaemon(exitCode: 1, restartCount: 0, stoppedByHand: byHand, hasRun: hasRun) == expected)
    }
}
