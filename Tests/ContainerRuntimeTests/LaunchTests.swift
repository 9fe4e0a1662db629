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
@Suite(.serialized, .enabled(if: geteuid() == 0, "namespaces and mounts need root"))
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
        try bundle.write(command: ["sh", "-c", "echo began > /tmp/began; sleep 100"])
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

/// A bundle with busybox in a folder of its own, and the runtime program beside the tests.
struct Bundle {
    let path: String
    let id: String

    init() throws {
        id = "test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        path = "/tmp/skiff-\(id)"
        for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            try makeDirectories("\(path)/rootfs/\(directory)")
        }
        try writeFile(path + "/rootfs/bin/busybox", readFile("/bin/busybox", limit: 8 << 20), mode: 0o755)
        for applet in ["sh", "ls", "cat", "wc", "sleep", "grep", "mount", "tr", "pwd", "true"] {
            try makeSymlink("\(path)/rootfs/bin/\(applet)", to: "busybox")
        }
        try writeFile(path + "/rootfs/etc/passwd", Array("root:x:0:0::/:/bin/sh\n".utf8))
    }

    func remove() {
        _ = try? runtime("delete", "--force", id)
        try? removeTree(path)
    }

    /// - Parameter change: the last word on the document.
    func write(
        command: [String], directory: String = "/", mounts: [RuntimeSpec.Mount] = [],
        change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws {
        var process = RuntimeSpec.Process(arguments: command, environment: ["PATH=/bin"], directory: directory)
        process.capabilities = RuntimeSpec.Capabilities()
        process.capabilities?.bounding = ["CAP_CHOWN"]
        process.capabilities?.effective = ["CAP_CHOWN"]
        process.capabilities?.permitted = ["CAP_CHOWN"]
        process.noNewPrivileges = true
        var spec = RuntimeSpec(process: process)
        spec.mounts =
            [
                RuntimeSpec.Mount(
                    destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
                RuntimeSpec.Mount(
                    destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"]),
                RuntimeSpec.Mount(
                    destination: "/dev/pts", type: "devpts", source: "devpts",
                    options: ["newinstance", "ptmxmode=0666"]),
            ] + mounts
        spec.linux.namespaces = [.init(.mount), .init(.pid), .init(.ipc), .init(.network), .init(.uts), .init(.cgroup)]
        spec.linux.cgroupsPath = "/skiff-\(id)"
        spec.linux.maskedPaths = ["/proc/kcore", "/proc/keys", "/proc/scsi"]
        spec.linux.readonlyPaths = ["/proc/sys"]
        change(&spec)
        try writeFile(path + "/config.json", spec.json.serialized())
    }

    func run(
        _ script: String, directory: String = "/", mounts: [RuntimeSpec.Mount] = [],
        change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> Output {
        try run(command: ["sh", "-c", script], directory: directory, mounts: mounts, change: change)
    }

    func run(
        command: [String], directory: String = "/", mounts: [RuntimeSpec.Mount] = [],
        change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> Output {
        try write(command: command, directory: directory, mounts: mounts, change: change)
        return try runtime("run", "--bundle", path, id)
    }

    func state() throws -> String? {
        try JSON.parse(Array(runtime("state", id).output.utf8))["status"]?.stringValue
    }

    struct Output {
        var code: Int32
        var output: String
        var errors: String
    }

    func runtime(_ arguments: String...) throws -> Output { try runtime(arguments) }

    private func runtime(_ arguments: [String]) throws -> Output {
        let builds = try readLink("/proc/self/exe").split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        let out = path + "/out", err = path + "/err"
        let output = try open(out, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let errors = try open(err, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let pid = try Spawn(
            builds + "/skiff-runtime", arguments: ["skiff-runtime", "--root", path + "/state"] + arguments,
            descriptors: [(output.raw, 1), (errors.raw, 2)]
        ).start()
        let end = try PidFD(pid).wait()
        return Output(code: end?.code ?? -1, output: try readText(out), errors: try readText(err))
    }
}
