import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Containers made for real; each test has a root file system and a cgroup of its own.
///
/// The runtime clones without telling the C library, which only a process of one thread may do, and a test runner has many.
/// So the programs under test are run, not the library.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct LaunchTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    @Test func aContainerSeesItsOwnRootAndNothingElse() throws {
        defer { bundle.remove() }
        let result = try bundle.run("echo $$; ls /; cat /proc/self/mountinfo | wc -l; ls /proc/self/fd")
        #expect(result.code == 0, "\(result.errors)")
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines[0] == "1")
        #expect(Set(lines.dropFirst()).isSuperset(of: ["bin", "dev", "etc", "proc", "sys", "0", "1", "2"]))
        #expect(!lines.contains("home"), "the host's root is not there")
    }

    @Test func createWaitsForStart() throws {
        defer { bundle.remove() }
        try bundle.write(command: ["sh", "-c", "echo began > /tmp/began; sleep 1000"])
        #expect(try bundle.runtime("create", "--bundle", bundle.path, bundle.id).code == 0)
        #expect(try bundle.state() == "created")
        #expect(!exists(bundle.path + "/rootfs/tmp/began"))
        #expect(try bundle.runtime("start", bundle.id).code == 0)
        #expect(try bundle.state() == "running")
        #expect(try bundle.runtime("delete", bundle.id).code == 1, "a running container is not deleted without force")
        #expect(try bundle.runtime("create", "--bundle", bundle.path, bundle.id).errors.contains("already exists"))
        #expect(try bundle.runtime("exec", bundle.id, "sh", "-c", "exit 4").code == 4)
        #expect(try bundle.runtime("pause", bundle.id).code == 0)
        #expect(try bundle.state() == "paused")
        #expect(try bundle.runtime("resume", bundle.id).code == 0)
        #expect(try bundle.runtime("delete", "--force", bundle.id).code == 0)
        #expect(try bundle.runtime("state", bundle.id).errors.contains("does not exist"))
    }

    /// CVE-2024-21626: a working directory that is somebody's descriptor.
    @Test(arguments: [3, 7, 9]) func aWorkingDirectoryBehindADescriptorIsRefused(number: Int) throws {
        defer { bundle.remove() }
        let result = try bundle.run("pwd; ls ..", directory: "/proc/self/fd/\(number)")
        #expect(result.code != 0)
        #expect(result.output.isEmpty)
    }

    /// CVE-2026-41579, CVE-2024-45310: links of the image lead nowhere on the host.
    @Test func linksInTheImageDoNotLeadOut() throws {
        defer { bundle.remove() }
        let canary = bundle.path + "/canary"
        try makeDirectory(canary)
        try makeSymlink(bundle.path + "/rootfs/escape", to: canary)
        try makeSymlink(bundle.path + "/rootfs/up", to: "../../canary")
        let result = try bundle.run(
            "true",
            mounts: [
                RuntimeSpec.Mount(destination: "/escape/made", type: "tmpfs", source: "tmpfs"),
                RuntimeSpec.Mount(destination: "/up/made", type: "tmpfs", source: "tmpfs"),
            ])
        _ = result
        let directory = try open(canary, O_RDONLY | O_DIRECTORY)
        #expect(try readDirectory(directory.raw).isEmpty, "nothing was made on the host")
    }

    /// CVE-2025-31133: the mask is the null device or nothing.
    @Test func aFalseNullDeviceIsRefused() throws {
        defer { bundle.remove() }
        try writeFile(bundle.path + "/rootfs/not-null", [])
        let result = try bundle.run(
            "echo ran",
            mounts: [
                RuntimeSpec.Mount(
                    destination: "/dev/null", type: "bind", source: bundle.path + "/rootfs/not-null", options: ["bind"])
            ])
        #expect(result.code != 0)
        #expect(!result.output.contains("ran"))
    }

    @Test func programsThatCannotRunAreNamed() throws {
        defer { bundle.remove() }
        #expect(try bundle.run(command: ["nosuch"]).errors.contains("executable file not found in $PATH"))
        #expect(try bundle.run(command: ["/etc/passwd"]).errors.contains("permission denied"))
        #expect(try bundle.run(command: ["/etc"]).errors.contains("is a directory"))
        #expect(try bundle.run(command: ["/none/such"]).errors.contains("no such file or directory"))
    }

    @Test func rightsAreWhatTheDocumentSays() throws {
        defer { bundle.remove() }
        let result = try bundle.run(
            "grep -E 'Cap|NoNew|Uid' /proc/self/status; cat /proc/1/environ | tr '\\0' '\\n'; mount -t tmpfs x /tmp 2>&1"
        )
        #expect(result.output.contains("CapEff:\t0000000000000001"))
        #expect(result.output.contains("CapInh:\t0000000000000000"))
        #expect(result.output.contains("NoNewPrivs:\t1"))
        #expect(result.code != 0, "mounting is not among its rights")
    }
}
