import CLinux
import JSON
import Linux
import OCI
import Testing

/// A bundle with busybox in a folder of its own, and the runtime program beside the tests.
struct Bundle {
    static var canRun: Bool { geteuid() == 0 }

    let path: String
    let id: String

    init() throws {
        id = "test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        path = "/tmp/skiff-\(id)"
        for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            try makeDirectories("\(path)/rootfs/\(directory)")
        }
        try writeFile(path + "/rootfs/bin/busybox", readFile("/bin/busybox", limit: 8 << 20), mode: 0o755)
        for applet in [
            "sh", "ls", "cat", "wc", "sleep", "grep", "mount", "tr", "pwd", "true", "id", "stat", "uname", "date",
            "readlink", "ip", "hostname", "touch", "mkdir", "chrt", "ionice", "taskset", "kill", "sed", "dd", "sort",
        ] {
            try makeSymlink("\(path)/rootfs/bin/\(applet)", to: "busybox")
        }
        try writeFile(path + "/rootfs/etc/passwd", Array("root:x:0:0::/:/bin/sh\n".utf8))
    }

    func remove() {
        _ = try? runtime("delete", "--force", id)
        try? removeTree(path)
    }

    /// - Parameter change: what the test is about.
    func write(
        command: [String], directory: String = "/", mounts: [RuntimeSpec.Mount] = [],
        _ change: (inout RuntimeSpec) -> Void = { _ in }
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
        _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> Output {
        try run(command: ["sh", "-c", script], directory: directory, mounts: mounts, change)
    }

    func run(
        command: [String], directory: String = "/", mounts: [RuntimeSpec.Mount] = [],
        _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> Output {
        try write(command: command, directory: directory, mounts: mounts, change)
        return try runtime("run", "--bundle", path, id)
    }

    /// Makes the container and leaves it at the gate.
    ///
    /// - Returns: the number of its first process.
    func create(_ script: String, _ change: (inout RuntimeSpec) -> Void = { _ in }) throws -> pid_t {
        try write(command: ["sh", "-c", script], change)
        let made = try runtime("create", "--bundle", path, id)
        try #require(made.code == 0, "\(made.errors)")
        return try #require(document()["pid"]?.intValue.flatMap { pid_t(exactly: $0) })
    }

    /// What a runtime sent to a socket in the bundle: the text, and the descriptor that came along.
    func received(_ listener: Int32) throws -> (bytes: [UInt8], descriptor: SharedDescriptor)? {
        _ = try poll([(listener, Int16(POLLIN))], timeout: 120_000)
        guard let connection = try acceptConnection(listener) else { return nil }
        try setNonBlocking(connection.raw, false)
        guard var message = try receiveMessage(connection.raw, limit: 8192),
            let descriptor = message.descriptors.take()
        else { return nil }
        return (message.bytes, SharedDescriptor(descriptor))
    }

    /// Whether a process that is not ours has ended, for which it has two minutes.
    func waitForEnd(_ pid: pid_t) throws -> Bool {
        guard let process = try? PidFD(pid) else { return true }
        return try poll([(process.raw, Int16(POLLIN))], timeout: 120_000)[0] != 0
    }

    /// What `state` prints.
    func document() throws -> JSON { try JSON.parse(Array(runtime("state", id).output.utf8)) }

    /// The state folder and the cgroups are gone.
    var leftNothing: Bool {
        !exists("\(path)/state/\(id)") && !exists("/sys/fs/cgroup/memory/skiff-\(id)")
            && !exists("/sys/fs/cgroup/skiff-\(id)")
    }

    func state() throws -> String? {
        try JSON.parse(Array(runtime("state", id).output.utf8))["status"]?.stringValue
    }

    struct Output {
        var code: Int32
        var output: String
        var errors: String
        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    func runtime(_ arguments: String...) throws -> Output { try runtime(arguments) }

    /// The program under test.
    static func program() throws -> String {
        try readLink("/proc/self/exe").split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/skiff-runtime"
    }

    /// - Parameter descriptors: what the runtime finds open besides its streams.
    func runtime(_ arguments: [String], passing descriptors: [(parent: Int32, child: Int32)] = []) throws -> Output {
        let out = path + "/out", err = path + "/err"
        let output = try open(out, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let errors = try open(err, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let pid = try Spawn(
            Self.program(), arguments: ["skiff-runtime", "--root", path + "/state"] + arguments,
            descriptors: [(output.raw, 1), (errors.raw, 2)] + descriptors
        ).start()
        let end = try PidFD(pid).wait()
        return Output(code: end?.code ?? -1, output: try readText(out), errors: try readText(err))
    }
}
