import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Containers under a profile of AppArmor's: what they run has it, and what enters them.
///
/// `Tests/vm/init` loads the profile, which lets everything be done but to write a file named `forbidden`.
@Suite(
    .serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"),
    .enabled(if: AppArmorProfile.isLoaded, "needs AppArmor and the profile skiff-test: make vm-test"))
struct AppArmorTests {
    private static let script = """
        cat /proc/self/attr/current; echo x > /tmp/forbidden || echo refused; echo x > /tmp/allowed && echo wrote
        """
    private static let confined = ["skiff-test (enforce)", "refused", "wrote"]

    private let bundle: Bundle

    init() throws {
        bundle = try Bundle()
        #expect(chmod(bundle.path + "/rootfs/tmp", 0o777) == 0)
    }

    @Test(arguments: [(UInt32(0), true), (0, false), (1000, true), (1000, false)])
    func aContainerHasTheProfileOfItsDocument(user: UInt32, noNewPrivileges: Bool) throws {
        defer { bundle.remove() }
        let result = try bundle.run(Self.script) { spec in
            spec.process?.apparmorProfile = "skiff-test"
            spec.process?.user.uid = user
            spec.process?.noNewPrivileges = noNewPrivileges
        }
        #expect(result.lines == Self.confined, "\(result.errors)")
        #expect(!exists(bundle.path + "/rootfs/tmp/forbidden"))
    }

    @Test(arguments: ["0", "1000"]) func whatEntersHasItToo(user: String) throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 1000") { $0.process?.apparmorProfile = "skiff-test" }
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime("exec", "--user", user, bundle.id, "sh", "-c", Self.script)
        #expect(entered.lines == Self.confined, "\(entered.errors)")
        #expect(try readText("/proc/\(pid)/attr/current") == "skiff-test (enforce)\n")
    }

    /// Also where the process that takes it on is not in the container's own `/proc`.
    @Test(arguments: [UInt32(0), 1000]) func whatSharesProcessesHasItToo(user: UInt32) throws {
        defer { bundle.remove() }
        let pid = try bundle.create("sleep 100")
        let other = try Bundle()
        defer { other.remove() }
        #expect(chmod(other.path + "/rootfs/tmp", 0o777) == 0)
        let result = try other.run(Self.script) { spec in
            spec.process?.apparmorProfile = "skiff-test"
            spec.process?.user.uid = user
            spec.linux.namespaces.removeAll { $0.kind == .pid }
            spec.linux.namespaces.append(.init(.pid, path: "/proc/\(pid)/ns/pid"))
        }
        #expect(result.lines == Self.confined, "\(result.errors)")
    }

    @Test func onlyWhatEntersMayHaveOne() throws {
        defer { bundle.remove() }
        _ = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime("exec", "--apparmor", "skiff-test", bundle.id, "sh", "-c", Self.script)
        #expect(entered.lines == Self.confined, "\(entered.errors)")
        let other = try bundle.runtime("exec", bundle.id, "sh", "-c", Self.script)
        #expect(other.lines == ["unconfined", "wrote"], "\(other.output)\(other.errors)")
    }

    /// Whatever the container has made of its own `/proc`.
    @Test func theLabelIsNotWrittenWhereTheContainerSays() throws {
        defer { bundle.remove() }
        _ = try bundle.create("mount -t tmpfs none /proc; echo > /tmp/done; sleep 1000") {
            $0.addCapability("CAP_SYS_ADMIN")
        }
        let fifo = bundle.path + "/rootfs/tmp/done"
        try check("mkfifo") { mkfifo(fifo, 0o600) }
        let done = try open(fifo, O_RDWR)
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try poll([(done.raw, Int16(POLLIN))], timeout: 120_000)[0] != 0)
        let file = bundle.path + "/pid"
        let entered = try bundle.runtime(
            "exec", "--detach", "--pid-file", file, "--apparmor", "skiff-test", bundle.id, "sleep", "1000")
        #expect(entered.code == 0, "\(entered.errors)")
        #expect(try readText("/proc/\(readText(file))/attr/current") == "skiff-test (enforce)\n")
    }

    @Test func aProfileThatIsNotLoadedIsAnError() throws {
        defer { bundle.remove() }
        let made = try bundle.run("echo ran") { $0.process?.apparmorProfile = "skiff-nothing" }
        #expect(made.code != 0 && made.output.isEmpty)
        #expect(made.errors.contains("exec skiff-nothing to attr/"), "\(made.errors)")
        #expect(made.errors.contains("a profile that is not loaded"), "\(made.errors)")
        #expect(bundle.leftNothing)
        _ = try bundle.create("sleep 1000")
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        let entered = try bundle.runtime("exec", "--apparmor", "skiff-nothing", bundle.id, "echo", "ran")
        #expect(entered.code == 255 && entered.output.isEmpty && entered.errors.contains("not loaded"))
        #expect(try bundle.state() == "running")
    }

    @Test func unconfinedIsAProfileAsWell() throws {
        defer { bundle.remove() }
        let result = try bundle.run(Self.script) { $0.process?.apparmorProfile = "unconfined" }
        #expect(result.lines == ["unconfined", "wrote"], "\(result.output)\(result.errors)")
    }
}

private enum AppArmorProfile {
    static let isLoaded =
        (try? readText("/sys/kernel/security/apparmor/profiles"))?.contains("skiff-test (enforce)") == true
}
