import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What is read from compiled filters.
struct FilterAnswerTests {
    private func program(_ change: (inout RuntimeSpec.Seccomp) -> Void) throws -> [UInt8] {
        var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ERRNO")
        seccomp.defaultErrno = 38
        change(&seccomp)
        return try SeccompFilter(cache: nil).program(for: seccomp)
    }

    @Test func eachCallIsAnsweredByItsRule() throws {
        let program = try program { seccomp in
            seccomp.rules = [
                .init(names: ["setsid"], action: "SCMP_ACT_ALLOW"), .init(names: ["sendmsg"], action: "SCMP_ACT_LOG"),
                .init(names: ["recvmsg"], action: "SCMP_ACT_ERRNO", errno: 13),
                .init(names: ["exit_group"], action: "SCMP_ACT_KILL_PROCESS"),
            ]
        }
        #expect(FilterAnswer.to(SYS_setsid, from: program) == .allow)
        #expect(FilterAnswer.to(SYS_sendmsg, from: program) == .log)
        #expect(FilterAnswer.to(SYS_recvmsg, from: program) == .fail(13))
        #expect(FilterAnswer.to(SYS_exit_group, from: program) == .killProcess)
        #expect(FilterAnswer.to(SYS_ioctl, from: program) == .fail(38))
        #expect(FilterAnswer.lets(SYS_setsid, in: program) && FilterAnswer.lets(SYS_sendmsg, in: program))
        #expect(!FilterAnswer.lets(SYS_recvmsg, in: program) && !FilterAnswer.lets(SYS_exit_group, in: program))
    }

    /// As Docker's profile asks: no new namespaces.
    @Test func argumentsAreLookedAt() throws {
        let program = try program { seccomp in
            seccomp.rules = [
                .init(
                    names: ["clone"], action: "SCMP_ACT_ALLOW",
                    arguments: [.init(index: 0, value: 0x7e02_0000, second: 0, comparison: "SCMP_CMP_MASKED_EQ")]),
                .init(
                    names: ["ioctl"], action: "SCMP_ACT_ALLOW",
                    arguments: [.init(index: 1, value: 1 << 40, second: 0, comparison: "SCMP_CMP_GT")]),
            ]
        }
        #expect(FilterAnswer.lets(SYS_clone, UInt64(CLONE_PARENT), in: program))
        #expect(!FilterAnswer.lets(SYS_clone, UInt64(CLONE_NEWNS), in: program))
        #expect(FilterAnswer.lets(SYS_ioctl, 0, 1 << 40 | 1, in: program))
        #expect(!FilterAnswer.lets(SYS_ioctl, 0, 1 << 40, in: program))
        #expect(!FilterAnswer.lets(SYS_ioctl, 0, UInt64(TIOCSCTTY), in: program))
    }

    @Test func whatIsNoProgramAnswersNothing() {
        #expect(FilterAnswer.to(1, from: []) == nil)
        // A load of a word that is not there; a jump behind the end; an instruction that filters do not have.
        #expect(FilterAnswer.to(1, from: [0x20, 0, 0, 0, 64, 0, 0, 0]) == nil)
        #expect(FilterAnswer.to(1, from: [0x05, 0, 0, 0, 255, 255, 255, 255]) == nil)
        #expect(FilterAnswer.to(1, from: [0xff, 0, 0, 0, 0, 0, 0, 0]) == nil)
    }
}

/// When a process gets into the container's pid namespace.
struct PidEntryTests {
    private func planned(
        allowing calls: [String]? = nil, _ change: (inout RuntimeSpec.Process) -> Void = { _ in }
    ) throws -> PlannedProcess {
        var process = RuntimeSpec.Process(arguments: ["x"])
        change(&process)
        let filter = try calls.map { calls in
            var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ERRNO")
            seccomp.rules = [.init(names: calls, action: "SCMP_ACT_ALLOW")]
            return try SeccompFilter(cache: nil).program(for: seccomp)
        }
        return try PlannedProcess(process, RuntimeSpec.LinuxSettings(), filter: filter)
    }

    @Test func onlyAUserNamespaceBetweenLetsItInAtOnce() throws {
        let process = try planned()
        #expect(PidEntry.isConfined(process, [.pid, .mount], terminal: true))
        #expect(!PidEntry.isConfined(process, [.pid, .mount, .user], terminal: false))
        #expect(!PidEntry.isConfined(process, [.mount], terminal: false))
    }

    @Test func whatTheFilterForbidsIsDoneBefore() throws {
        let calls = ["clone", "sendmsg", "recvmsg", "setsid", "exit_group"]
        #expect(try PidEntry.isConfined(planned(allowing: calls), .pid, terminal: false))
        #expect(try !PidEntry.isConfined(planned(allowing: calls), .pid, terminal: true))
        #expect(try PidEntry.isConfined(planned(allowing: calls + ["ioctl"]), .pid, terminal: true))
        for call in calls {
            #expect(try !PidEntry.isConfined(planned(allowing: calls.filter { $0 != call }), .pid, terminal: false))
        }
    }

    @Test func whoIsToldOfCallsWaitsForTheNumberWhereNoneIsMadeBefore() throws {
        let calls = ["close", "brk", "mmap", "munmap", "mremap", "mprotect", "madvise"]
        #expect(try planned(allowing: calls) { $0.noNewPrivileges = true }.filtersLast)
        #expect(try !planned(allowing: calls).filtersLast)
        #expect(try !planned(allowing: Array(calls.dropFirst())) { $0.noNewPrivileges = true }.filtersLast)
    }

    @Test func whatAChildWouldNotHaveIsSetInPlace() throws {
        let flagged = try planned {
            $0.scheduler = .init(policy: "SCHED_OTHER")
            $0.scheduler?.flags = ["SCHED_FLAG_RESET_ON_FORK"]
        }
        #expect(!PidEntry.isConfined(flagged, .pid, terminal: false))
        #expect(try PidEntry.isConfined(planned { $0.scheduler = .init(policy: "SCHED_BATCH") }, .pid, terminal: false))
    }
}
