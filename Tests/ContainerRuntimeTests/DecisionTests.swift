import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// What is decided of a process before there is one.
struct ProcessDecisionTests {
    private func attributes(
        _ change: (inout RuntimeSpec.Process, inout RuntimeSpec.LinuxSettings) -> Void
    ) throws -> PlannedAttributes {
        var process = RuntimeSpec.Process(arguments: ["sh"]), linux = RuntimeSpec.LinuxSettings()
        change(&process, &linux)
        return try PlannedAttributes(process, linux)
    }

    private func scheduler(_ policy: String, _ change: (inout RuntimeSpec.Scheduler) -> Void = { _ in })
        -> RuntimeSpec.Scheduler
    {
        var scheduler = RuntimeSpec.Scheduler(policy: policy)
        change(&scheduler)
        return scheduler
    }

    @Test func schedulersBecomeTheKernelsNumbers() throws {
        let planned = try attributes { process, _ in
            process.scheduler = scheduler("SCHED_RR") {
                $0.priority = 99
                $0.flags = ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_UTIL_CLAMP_MAX"]
            }
        }
        #expect(planned.scheduling == SchedulingAttributes(policy: 2, flags: 0x41, priority: 99))
    }

    @Test func schedulersThatContradictThemselvesAreRefused() {
        for bad in [
            scheduler("SCHED_NOPE"), scheduler("SCHED_FIFO"), scheduler("SCHED_OTHER") { $0.priority = 1 },
            scheduler("SCHED_OTHER") { $0.nice = 20 }, scheduler("SCHED_OTHER") { $0.runtime = 1 },
            scheduler("SCHED_OTHER") { $0.flags = ["SCHED_FLAG_NOPE"] },
        ] {
            #expect(throws: RuntimeFailure.self) { try attributes { process, _ in process.scheduler = bad } }
        }
    }

    @Test(arguments: [("IOPRIO_CLASS_RT", 0, true), ("IOPRIO_CLASS_BE", 8, false), ("BE", 0, false)])
    func ioPrioritiesAreHeldAgainstTheirRange(name: String, priority: Int32, fine: Bool) {
        let result = Result {
            try attributes { process, _ in
                process.ioPriority = RuntimeSpec.IOPriority(schedulingClass: name, priority: priority)
            }
        }
        #expect(((try? result.get()) != nil) == fine)
    }

    @Test(arguments: [
        ("0", [0]), ("0-2,5", [0, 1, 2, 5]), (" 1 , 3 - 4", [1, 3, 4]), ("", []), ("2-1", nil), ("a", nil), ("-1", nil),
        ("8", nil), ("0-2147483647", nil), ("1--2", nil),
    ])
    func listsOfNumbersAreBounded(text: String, numbers: [Int]?) {
        #expect((try? NumberList(text, of: "x", below: 8).numbers) == numbers)
    }

    @Test func memoryPoliciesBecomeBits() throws {
        let planned = try attributes { _, linux in
            linux.memoryPolicy = .init(mode: "MPOL_INTERLEAVE", nodes: "0,65", flags: ["MPOL_F_RELATIVE_NODES"])
        }
        #expect(planned.memoryPolicy == .init(mode: 3 | 1 << 14, nodes: [1, 2]))
        #expect(throws: RuntimeFailure.self) { try attributes { $1.memoryPolicy = .init(mode: "MPOL_NOPE") } }
    }

    @Test(
        arguments: [("LINUX", [], 0), ("LINUX32", [], 8), ("LINUX", ["X"], nil), ("BSD", [], nil)]
            as [(
                String, [String], UInt?
            )])
    func personalitiesAreTheTwoOfTheSpecification(domain: String, flags: [String], number: UInt?) {
        let planned = try? attributes { _, linux in linux.personality = .init(domain: domain, flags: flags) }
        #expect(planned?.personality == number)
    }

    @Test func labelsGoWhereTheKernelTakesThemOrAreRefused() throws {
        var process = RuntimeSpec.Process(arguments: ["sh"])
        process.apparmorProfile = "docker-default"
        let both = SecurityModules(apparmor: true, selinux: true),
            none = SecurityModules(apparmor: false, selinux: false)
        #expect(
            try SecurityLabels(process) { both }.writes == [
                .init(file: "attr/apparmor/exec", text: "exec docker-default")
            ])
        #expect(throws: RuntimeFailure.self) { try SecurityLabels(process) { none } }
        process.apparmorProfile = "unconfined"
        #expect(try SecurityLabels(process) { none }.writes.isEmpty)
        process.selinuxLabel = "u:r:t"
        #expect(try SecurityLabels(process) { both }.writes.last == .init(file: "attr/exec", text: "u:r:t"))
        process.selinuxLabel = "u:r:t\nexec unconfined"
        #expect(throws: RuntimeFailure.self) { try SecurityLabels(process) { both } }
    }

    @Test func mountsWithoutLabelsOfTheirOwnGetTheContainers() throws {
        var mounts = try ["tmpfs", "proc"].map { try PlannedMount(.init(destination: "/m", type: $0, source: $0)) }
        try LaunchPlan.label(&mounts, "u:o:t") { SecurityModules(apparmor: false, selinux: true) }
        #expect(mounts.map(\.data) == [["context=u:o:t"], []])
    }
}

struct UserMappingTests {
    private func mapping(_ host: UInt32, _ size: UInt32) -> RuntimeSpec.IDMapping {
        .init(container: 0, host: host, size: size)
    }

    @Test func whoHasNoRightsMapsItselfOrAsksTheHelper() {
        #expect(UserMappings.way([mapping(100_000, 65536)], own: 1000, privileged: true) == .direct)
        #expect(UserMappings.way([mapping(1000, 1)], own: 1000, privileged: false) == .directWithoutGroups)
        #expect(UserMappings.way([mapping(1001, 1)], own: 1000, privileged: false) == .helper)
        #expect(UserMappings.way([mapping(1000, 2)], own: 1000, privileged: false) == .helper)
    }

    @Test(arguments: [(0, 0), (UInt32.max, 1), (1, UInt32.max)] as [(UInt32, UInt32)])
    func rangesBeyondTheKernelsIdsAreRefused(host: UInt32, size: UInt32) {
        let bad = [mapping(host, size)], fine = [mapping(0, 1)]
        #expect(throws: RuntimeFailure.self) { try UserMappings(uid: bad, gid: fine, of: "linux") }
        #expect(throws: RuntimeFailure.self) { try UserMappings(uid: fine, gid: bad, of: "linux") }
    }

    @Test func anEmptyListIsRefused() {
        #expect(throws: RuntimeFailure.self) { try UserMappings(uid: [], gid: [mapping(0, 1)], of: "linux") }
    }
}

struct SeccompInstallationTests {
    @Test(
        arguments: [
            (nil, .allowSpeculation), ([], []), (["SECCOMP_FILTER_FLAG_LOG"], .log),
            (["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], [.log, .allowSpeculation]),
        ] as [([String]?, SeccompFlags)])
    func onlyWhoNamesNoFlagsGetsTheUsualOnes(named: [String]?, flags: SeccompFlags) throws {
        var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
        seccomp.flags = named
        #expect(try SeccompInstallation(seccomp).flags == flags)
        // A filter beside the document is the engine's, which leaves the flags to the runtime.
        #expect(try SeccompInstallation(nil).flags == .allowSpeculation)
    }

    @Test func aListenerNeedsItsSocketAndRules() throws {
        var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
        seccomp.listenerPath = "/run/x"
        #expect(try SeccompInstallation(seccomp).notifies == false, "nothing is told")
        seccomp.rules = [.init(names: ["mkdir"], action: "SCMP_ACT_NOTIFY")]
        seccomp.flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]
        let planned = try SeccompInstallation(seccomp)
        #expect(planned.notifies && planned.flags == [.newListener, .log])
        seccomp.rules = [.init(names: ["mkdir", "sendmsg"], action: "SCMP_ACT_NOTIFY")]
        #expect(throws: RuntimeFailure.self, "its descriptor travels by it") { try SeccompInstallation(seccomp) }
        #expect(throws: RuntimeFailure.self) {
            try SeccompInstallation(RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_NOTIFY"))
        }
    }
}

struct NetworkDeviceTests {
    @Test(arguments: [
        (["eth0": ""], true), (["eth0": "inside0"], true), (["eth0": "a/b"], false),
        (["eth0": "sixteen-letters-"], false),
        (["eth0": ".."], false), (["eth0": "x", "eth1": "x"], false), (["a b": ""], false), ([:], true),
    ])
    func namesAreWhatTheKernelTakes(asked: [String: String], fine: Bool) {
        #expect(((try? PreparedNetworkDevices.plan(asked, ownNamespace: true)) != nil) == fine)
    }

    @Test func theHostsNamespaceIsNoPlaceToMoveThemTo() {
        #expect(throws: RuntimeFailure.self) { try PreparedNetworkDevices.plan(["eth0": ""], ownNamespace: false) }
    }
}

struct CapabilityWarningTests {
    @Test func whatCannotBeGrantedIsTold() {
        var sets = RuntimeSpec.Capabilities()
        sets.bounding = ["CAP_KILL", "CAP_UNKNOWN"]
        sets.permitted = ["CAP_KILL", "CAP_CHOWN"]
        sets.inheritable = ["CAP_KILL"]
        sets.ambient = ["CAP_KILL", "CAP_CHOWN", "CAP_UNKNOWN"]
        #expect(
            sets.warnings == [
                "unknown capabilities are left out: CAP_UNKNOWN",
                "can't raise ambient capability CAP_CHOWN: it is not inheritable",
            ])
        sets.ambient = ["CAP_KILL"]
        sets.bounding = []
        #expect(sets.warnings.isEmpty)
    }
}

struct NewerCallsTests {
    private func seccomp(_ standard: String, _ names: [String]) -> RuntimeSpec.Seccomp {
        var seccomp = RuntimeSpec.Seccomp(defaultAction: standard)
        seccomp.rules = [.init(names: names, action: "SCMP_ACT_ALLOW")]
        return seccomp
    }

    @Test func theHighestNumberOfAProfileIsFound() throws {
        let native = SeccompCompiler.nativeArchitecture
        let stub = try #require(NewerCalls(seccomp("SCMP_ACT_ERRNO", ["read", "openat2", "none"]), standard: .fail(1)))
        let highest = try #require(SeccompCompiler.number(of: "openat2", on: native))
        #expect(stub.limits == [.init(architecture: native, highest: UInt32(highest))])
        #expect(NewerCalls(seccomp("SCMP_ACT_ALLOW", ["read"]), standard: .allow) == nil)
        #expect(NewerCalls(seccomp("SCMP_ACT_ERRNO", ["read"]), standard: .fail(38)) == nil)
        #expect(NewerCalls(seccomp("SCMP_ACT_ERRNO", []), standard: .fail(1)) == nil)
    }

    /// What `struct seccomp_data` of these would get: nil is the filter's own answer.
    @Test(
        arguments: [
            (0xc000_003e, 100, nil), (0xc000_003e, 101, 38), (0xc000_003e, 0x4000_0065, nil),
            (0x4000_0003, 50, nil), (0x4000_0003, 51, 38), (0xc000_00b7, 4000, nil),
        ] as [(UInt32, UInt32, UInt32?)])
    func onlyNewerCallsOfKnownConventionsFail(architecture: UInt32, number: UInt32, errno: UInt32?) throws {
        let stub = NewerCalls(limits: [
            .init(architecture: 0xc000_003e, highest: 100), .init(architecture: 0x4000_0003, highest: 50),
        ])
        #expect(try Self.answer(stub.program, architecture, number) == errno)
    }

    @Test func theWideConventionHasItsOwnLimit() throws {
        let stub = NewerCalls(limits: [
            .init(architecture: 0xc000_003e, highest: 100), .init(architecture: 0x4000_003e, highest: 200),
        ])
        #expect(try Self.answer(stub.program, 0xc000_003e, 101) == 38)
        #expect(try Self.answer(stub.program, 0xc000_003e, 0x4000_0000 + 101) == nil)
        #expect(try Self.answer(stub.program, 0xc000_003e, 0x4000_0000 + 201) == 38)
    }

    /// Runs the program as the kernel would.
    private static func answer(_ program: [UInt8], _ architecture: UInt32, _ number: UInt32) throws -> UInt32? {
        func word(_ at: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(program[at + $1]) << UInt32(8 * $1) }
        }
        var next = 0, register: UInt32 = 0
        while next * 8 < program.count {
            let code = program[next * 8], value = word(next * 8 + 4)
            let ifTrue = Int(program[next * 8 + 2]), ifFalse = Int(program[next * 8 + 3])
            next += 1
            switch code {
            case 0x20: register = value == 0 ? number : architecture
            case 0x15: next += register == value ? ifTrue : ifFalse
            case 0x25: next += register > value ? ifTrue : ifFalse
            case 0x45: next += register & value != 0 ? ifTrue : ifFalse
            case 0x05: next += Int(value)
            case 0x06: return value & 0xffff
            default: throw RuntimeFailure(.seccomp, "code \(code)")
            }
        }
        #expect(next * 8 == program.count, "the filter begins right behind")
        return nil
    }
}
