import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// How the kernel is asked to install a filter, by us and by crun.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct SeccompFlagTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    private func write(_ script: String, flags: [String]?) throws {
        try bundle.write(command: ["sh", "-c", script]) { spec in
            // The newest that crun 1.8 takes.
            spec.version = "1.0.0"
            var filter = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
            filter.rules = [.init(names: ["mkdir"], action: "SCMP_ACT_ERRNO")]
            filter.flags = flags
            spec.linux.seccomp = filter
        }
    }

    /// The flags of the call that installs a filter, as strace(1) names them.
    private func flags(by runtime: String) throws -> String? {
        let trace = bundle.path + "/trace", err = bundle.path + "/err"
        let errors = try open(err, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        // Not the host's null device: crun gives its standard input to the container's user.
        let input = try open(bundle.path + "/in", O_RDONLY | O_CREAT, mode: 0o644)
        // crun refuses hybrid cgroups, so the unified mount is hidden.
        let hide = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$0\" \"$@\""
        let pid = try Spawn(
            "/usr/bin/unshare",
            arguments: [
                "unshare", "-m", "--propagation", "private", "/bin/sh", "-c", hide, "/usr/bin/strace", "-f", "-qq",
                "-e",
                "trace=seccomp", "-o", trace, runtime, "--root", bundle.path + "/state", "run", "--bundle", bundle.path,
                bundle.id,
            ], environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], descriptors: [(input.raw, 0), (errors.raw, 2)]
        ).start()
        let end = try PidFD(pid).wait(), said = try readText(err)
        #expect(end == .exited(0), "\(said)")
        // libseccomp asks what the kernel knows first, with no filter.
        let calls = try readText(trace).split(separator: "\n").filter { $0.contains("{len=") }
        #expect(calls.count == 1, "\(calls)")
        return calls.first?.split(separator: ", ").dropFirst().first.map(String.init)
    }

    @Test(
        .enabled(if: exists("/usr/bin/strace") && exists("/usr/bin/crun"), "needs strace and crun (Debian: the same)"),
        arguments: [
            nil, [], ["SECCOMP_FILTER_FLAG_LOG"], ["SECCOMP_FILTER_FLAG_TSYNC"],
            ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
        ] as [[String]?])
    func theKernelIsAskedAsCrunAsks(flags: [String]?) throws {
        defer { bundle.remove() }
        try write("true", flags: flags)
        let ours = try self.flags(by: Bundle.program()), theirs = try self.flags(by: "/usr/bin/crun")
        #expect(ours == theirs)
        #expect((ours == "0") == (flags == []))
    }

    private static let mitigation =
        (try? readText("/sys/devices/system/cpu/vulnerabilities/spec_store_bypass")) ?? ""

    @Test(.enabled(if: mitigation.contains("seccomp"), "the kernel couples no mitigation to filters here"))
    func aFilterAloneDoesNotSlowAProcessDown() throws {
        defer { bundle.remove() }
        let script = "grep Speculation_Store_Bypass /proc/self/status"
        try write(script, flags: nil)
        #expect(try bundle.runtime("run", "--bundle", bundle.path, bundle.id).output.contains("thread vulnerable"))
        try write(script, flags: [])
        let mitigated = try bundle.runtime("run", "--bundle", bundle.path, bundle.id)
        #expect(mitigated.output.contains("thread mitigated"), "\(mitigated.output)")
    }
}
