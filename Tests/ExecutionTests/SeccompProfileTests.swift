import Failures
import JSON
import Linux
import Testing

@testable import Execution

@Suite struct SeccompProfileTests {
    static let machine = SeccompMachine(name: "amd64", kernel: KernelVersion(6, 1), relatives: ["x86", "x32"])

    static func names(_ capabilities: Set<String>) -> Set<String> {
        Set(
            SeccompProfile.standard.rules(capabilities: capabilities, on: machine).filter { $0.action == .allow }
                .flatMap(\.names))
    }

    @Test func theDefaultSetKeepsTheDangerousCallsOut() {
        let names = Self.names(Set(CapabilityNames.standard))
        for call in [
            "mount", "bpf", "setns", "unshare", "kexec_load", "keyctl", "add_key", "userfaultfd", "io_uring_setup",
            "open_by_handle_at", "reboot",
        ] {
            #expect(!names.contains(call), "\(call)")
        }
        for call in ["read", "execve", "clone", "socket", "chroot", "ptrace", "arch_prctl"] {
            #expect(names.contains(call), "\(call)")
        }
    }

    @Test(arguments: [
        ("CAP_SYS_ADMIN", "mount"), ("CAP_SYS_ADMIN", "clone3"), ("CAP_BPF", "bpf"), ("CAP_SYS_TIME", "settimeofday"),
        ("CAP_SYS_MODULE", "init_module"), ("CAP_SYSLOG", "syslog"), ("CAP_SYS_PTRACE", "kcmp"),
    ]) func aCapabilityOpensItsCalls(_ capability: String, _ call: String) {
        #expect(!Self.names([]).contains(call))
        #expect(Self.names([capability]).contains(call))
    }

    @Test func everyCapabilityOfARuleExists() {
        for rule in SeccompProfile.standard.rules {
            for name in rule.capabilities + rule.missingCapabilities { #expect(CapabilityNames.all.contains(name)) }
        }
        #expect(SeccompProfile.standard.rules.flatMap(\.names).count > 400)
    }

    @Test func oldKernelsAndOtherMachinesGetTheirOwnRules() {
        let old = SeccompMachine(name: "arm64", kernel: KernelVersion(4, 4), relatives: ["arm"])
        let names = Set(SeccompProfile.standard.rules(capabilities: [], on: old).flatMap(\.names))
        #expect(!names.contains("ptrace") && !names.contains("arch_prctl") && names.contains("set_tls"))
    }

    @Test(arguments: [[], CapabilityNames.standard, CapabilityNames.all]) func theProfileCompiles(
        _ capabilities: [String]
    ) throws {
        let program = try SeccompProfile.standard.program(
            capabilities: Set(capabilities), on: try SeccompMachine.current())
        // The kernel takes at most 4096 instructions of eight bytes.
        #expect(program.count % 8 == 0 && program.count > 800 && program.count <= 4096 * 8)
    }

    @Test func capabilitiesChangeTheProgram() throws {
        let machine = try SeccompMachine.current()
        let few = try SeccompProfile.standard.program(capabilities: [], on: machine)
        let many = try SeccompProfile.standard.program(capabilities: ["CAP_SYS_ADMIN"], on: machine)
        #expect(few != many)
    }

    @Test func aProfileInDockersFormIsRead() throws {
        let profile = try SeccompProfile(
            document: try JSON.parse(
                """
                {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],
                 "syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":30},
                  {"name":"personality","action":"SCMP_ACT_KILL_PROCESS","args":[{"index":0,"value":8,"op":"SCMP_CMP_MASKED_EQ","valueTwo":8}],
                   "includes":{"caps":["CAP_KILL"],"arches":["amd64"],"minKernel":"4.8"},"excludes":{"caps":["CAP_CHOWN"]}}]}
                """))
        #expect(profile.defaultAction == .allow && profile.architectures == .named(["x86_64", "x86"]))
        #expect(profile.rules[0].action == .fail(30) && profile.rules[0].names == ["mkdir", "mkdirat"])
        #expect(
            profile.rules[1].conditions == [SyscallCondition(index: 0, comparison: .maskedEqual, value: 8, second: 8)])
        #expect(profile.rules(capabilities: ["CAP_KILL"], on: Self.machine).count == 2)
        #expect(profile.rules(capabilities: ["CAP_KILL", "CAP_CHOWN"], on: Self.machine).count == 1)
    }

    @Test(arguments: [
        "[]", "{}", "{\"defaultAction\":\"SCMP_ACT_MAYBE\"}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":70000}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"x86\"]}",
        "{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/x\"}",
    ]) func aProfileThatMakesNoSenseIsRefusedWhole(_ text: String) throws {
        let document = try JSON.parse(text)
        #expect(throws: Failure(.invalid, "")) { try SeccompProfile(document: document) }
    }
}
