import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// System call filters as the kernel enforces them.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct SeccompTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    private func filter(
        _ action: String, _ names: String..., errno: UInt32? = nil, when arguments: [RuntimeSpec.Seccomp.Argument] = []
    ) -> RuntimeSpec.Seccomp {
        var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
        seccomp.architectures = ["SCMP_ARCH_X86_64"]
        seccomp.rules = [.init(names: names, action: action, errno: errno, arguments: arguments)]
        return seccomp
    }

    @Test func aCallFailsWithTheNumberThatWasAskedFor() throws {
        defer { bundle.remove() }
        // 28 is ENOSPC.
        let result = try bundle.run("mkdir /tmp/made") {
            $0.linux.seccomp = filter("SCMP_ACT_ERRNO", "mkdir", "mkdirat", errno: 28)
        }
        #expect(result.code != 0 && result.errors.contains("No space left on device"), "\(result.errors)")
    }

    @Test(arguments: ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
    func aCallThatKillsEndsTheProcess(action: String) throws {
        defer { bundle.remove() }
        let result = try bundle.run("mkdir /tmp/made; echo $?") {
            $0.linux.seccomp = filter(action, "mkdir", "mkdirat")
        }
        // 128 + SIGSYS.
        #expect(result.lines.last == "159", "\(result.output)\(result.errors)")
        #expect(!exists(bundle.path + "/rootfs/tmp/made"))
    }

    @Test func aLoggedCallGoesThrough() throws {
        defer { bundle.remove() }
        let result = try bundle.run("mkdir /tmp/made && grep Seccomp: /proc/self/status") {
            $0.linux.seccomp = filter("SCMP_ACT_LOG", "mkdir", "mkdirat")
            $0.linux.seccomp?.flags = [
                "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            ]
        }
        #expect(result.output == "Seccomp:\t2\n", "\(result.errors)")
    }

    @Test(arguments: [(SIGUSR1, true), (SIGUSR2, false)])
    func aRuleMayAskForArguments(signal: Int32, refused: Bool) throws {
        defer { bundle.remove() }
        let result = try bundle.run("trap 'echo came' USR1 USR2; kill -\(signal) $$ 2>&1; true") {
            $0.linux.seccomp = filter(
                "SCMP_ACT_ERRNO", "kill",
                when: [.init(index: 1, value: UInt64(SIGUSR1), second: 0, comparison: "SCMP_CMP_EQ")])
        }
        #expect(result.output.contains("came") != refused, "\(result.output)\(result.errors)")
    }

    @Test(arguments: [
        ("SCMP_ACT_NOPE", [] as [String], "action SCMP_ACT_NOPE"),
        ("SCMP_ACT_ERRNO", ["SECCOMP_FILTER_FLAG_NOPE"], "SECCOMP_FILTER_FLAG_NOPE"),
        ("SCMP_ACT_NOTIFY", [], "linux.seccomp.listenerPath: missing"),
        ("SCMP_ACT_ERRNO", ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "needs a rule with SCMP_ACT_NOTIFY"),
    ])
    func whatIsNotKnownIsNamed(action: String, flags: [String], words: String) throws {
        defer { bundle.remove() }
        let result = try bundle.run("true") {
            $0.linux.seccomp = filter(action, "mkdir")
            $0.linux.seccomp?.flags = flags
        }
        #expect(result.code != 0 && result.errors.contains(words), "\(result.errors)")
        #expect(bundle.leftNothing)
    }

    /// config-linux.md, "The Container Process State".
    @Test(arguments: [true, false]) func aListenerIsHandedTheDescriptor(noNewPrivileges: Bool) throws {
        defer { bundle.remove() }
        let directory = try open(bundle.path, O_PATH | O_DIRECTORY)
        let listener = try listenForStreams(in: directory.raw, "notify", mode: 0o600, group: nil)
        let pid = try bundle.create("mkdir /tmp/made; sleep 1000") { spec in
            spec.annotations = ["a": "b"]
            spec.process?.noNewPrivileges = noNewPrivileges
            spec.linux.seccomp = filter("SCMP_ACT_NOTIFY", "mkdir", "mkdirat")
            spec.linux.seccomp?.listenerPath = bundle.path + "/notify"
            spec.linux.seccomp?.listenerMetadata = "some words"
            spec.linux.seccomp?.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
        }
        let sent = try #require(try bundle.received(listener.raw))
        let document = try JSON.parse(sent.bytes)
        #expect(document["fds"]?.arrayValue?.compactMap(\.stringValue) == ["seccompFd"])
        #expect(document["pid"]?.intValue == Int64(pid))
        #expect(document["metadata"]?.stringValue == "some words")
        #expect(document["state"]?["status"]?.stringValue == "creating")
        #expect(document["state"]?["annotations"]?["a"]?.stringValue == "b")
        let notifications = sent.descriptor
        // The call is told by this descriptor, and by no other.
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try poll([(notifications.raw, Int16(POLLIN))], timeout: 120_000)[0] & Int16(POLLIN) != 0)
        #expect(!exists(bundle.path + "/rootfs/tmp/made"))
    }

    @Test func aListenerThatIsNotThereIsAnError() throws {
        defer { bundle.remove() }
        let result = try bundle.run("true") { spec in
            spec.linux.seccomp = filter("SCMP_ACT_NOTIFY", "mkdir")
            spec.linux.seccomp?.listenerPath = bundle.path + "/nobody"
        }
        #expect(result.code != 0 && result.errors.contains("listenerPath \(bundle.path)/nobody"), "\(result.errors)")
        #expect(bundle.leftNothing)
    }
}
