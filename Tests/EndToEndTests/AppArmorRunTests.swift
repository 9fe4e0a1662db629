import Linux
import Testing

/// `--security-opt apparmor=`, with the profile that the virtual machine has, and where there is none.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct AppArmorRunTests {
    private let daemon: PrivateDaemon

    init() throws { daemon = try #require(OneDaemon.current) }

    private static let isLoaded =
        (try? readText("/sys/kernel/security/apparmor/profiles"))?.contains("skiff-test (enforce)") == true
    private static let isThere = exists("/sys/module/apparmor")

    @Test(.enabled(if: isLoaded, "needs AppArmor and the profile skiff-test: make vm-test"))
    func aContainerHasTheProfileThatIsAskedFor() async throws {
        try await daemon.must(
            "run", "-d", "--name", "here", "--security-opt", "apparmor=skiff-test", "busybox", "sleep", "1000")
        let entered = try await daemon.must("exec", "here", "cat", "/proc/self/attr/current", "/proc/1/attr/current")
        #expect(entered.lines == ["skiff-test (enforce)", "skiff-test (enforce)"], "\(entered.output)")
        let inspected = try await daemon.must("inspect", "here")
        #expect(inspected.output.contains("\"AppArmorProfile\": \"skiff-test\""), "\(inspected.output)")
        let other = try await daemon.must("run", "--rm", "busybox", "cat", "/proc/self/attr/current")
        #expect(other.line == "unconfined")
        let wrong = try await daemon.skiff(
            "run", "--rm", "--security-opt", "apparmor=skiff-nothing", "busybox", "echo", "ran")
        // The kernel's words for it are those of a program that is not there, and Docker's client goes by them.
        #expect(wrong.code == 127 && wrong.output.isEmpty, "\(wrong.code): \(wrong.output)")
        #expect(wrong.errors.contains("a profile that is not loaded"), "\(wrong.errors)")
        await daemon.removeEverything()
    }

    @Test(.enabled(if: !isThere, "this kernel has AppArmor"))
    func whereNobodyEnforcesAProfileNoneIsTaken() async throws {
        let result = try await daemon.skiff("run", "--rm", "--security-opt", "apparmor=x", "busybox", "echo", "ran")
        #expect(result.code == 125 && result.output.isEmpty)
        #expect(result.errors.contains("AppArmor is not enabled on this host"), "\(result.errors)")
        await daemon.removeEverything()
    }
}
