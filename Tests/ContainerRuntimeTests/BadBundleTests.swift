import CLinux
import JSON
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// Bundles that cannot work: one line says why, the code is runc's, and nothing of the container is left.
///
/// Where runc is installed it is asked too: both must refuse, with the same code.
@Suite(.serialized, .enabled(if: geteuid() == 0, "namespaces and mounts need root"))
struct BadBundleTests {
    /// A change to a bundle that works, and words that must be in the answer.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var words: [String]
        /// runc lets it pass, against the specification.
        var isOurs = false
        var change: @Sendable (inout JSON, String) throws -> Void

        init(
            _ name: String, _ words: String..., isOurs: Bool = false,
            change: @escaping @Sendable (inout JSON, String) throws -> Void
        ) {
            testDescription = name
            self.words = words
            self.isOurs = isOurs
            self.change = change
        }
    }

    static let kilobytes64 = String(repeating: "v", count: 65536)

    static let cases: [Case] = [
        Case("no config.json", "config.json", "no such file") { _, path in try unlink(path + "/config.json") },
        Case("not JSON", "config.json") { _, path in try writeFile(path + "/config.json", Array("{\"a\":".utf8)) },
        Case("an array", "config.json") { _, path in try writeFile(path + "/config.json", Array("[]".utf8)) },
        Case("no version", "ociVersion", isOurs: true) { json, _ in json["ociVersion"] = nil },
        Case("a version to come", "ociVersion", isOurs: true) { json, _ in json["ociVersion"] = "9.0.0" },
        Case("no root", "root") { json, _ in json["root"] = nil },
        Case("a root that is not there", "nowhere") { json, _ in json["root"] = ["path": "nowhere"] },
        Case("a root that is a file", "config.json") { json, _ in json["root"] = ["path": "config.json"] },
        Case("no process", "process") { json, _ in json["process"] = nil },
        Case("no arguments", "args") { json, _ in json["process"]?["args"] = [] },
        Case("a directory that is not absolute", "cwd") { json, _ in json["process"]?["cwd"] = "tmp" },
        Case("a program that is not there", "nosuch", "executable file not found in $PATH") { json, _ in
            json["process"]?["args"] = ["nosuch"]
        },
        Case("a program that is a directory", "/tmp") { json, _ in json["process"]?["args"] = ["/tmp"] },
        Case("a program for another machine", "/bin/alien", "exec format error") { json, path in
            // An ELF header of 64 bits for AArch64 (or x86-64, on that), and nothing else.
            var header: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 57)
            #if arch(arm64)
                (header[16], header[18], header[20], header[52], header[54]) = (2, 62, 1, 64, 56)
            #else
                (header[16], header[18], header[20], header[52], header[54]) = (2, 183, 1, 64, 56)
            #endif
            try writeFile(path + "/rootfs/bin/alien", header, mode: 0o755)
            json["process"]?["args"] = ["/bin/alien"]
        },
        Case("a program that is no program", "/bin/noise", "exec format error") { json, path in
            try writeFile(path + "/rootfs/bin/noise", Array("noise".utf8), mode: 0o755)
            json["process"]?["args"] = ["/bin/noise"]
        },
        Case("an interpreter that is not there", "/bin/script") { json, path in
            try writeFile(path + "/rootfs/bin/script", Array("#!/bin/none\n".utf8), mode: 0o755)
            json["process"]?["args"] = ["/bin/script"]
        },
        Case("a user beyond 32 bits", "uid") { json, _ in json["process"]?["user"] = ["uid": 4_294_967_296, "gid": 0] },
        Case("a user below 0", "uid") { json, _ in json["process"]?["user"] = ["uid": -1, "gid": 0] },
        Case("a group that is text", "gid") { json, _ in json["process"]?["user"] = ["uid": 0, "gid": "0"] },
        Case("a namespace that is not there", "/proc/1/ns/nothing") { json, _ in
            json["linux"]?["namespaces"] = [["type": "mount"], ["type": "network", "path": "/proc/1/ns/nothing"]]
        },
        Case("a namespace behind links that go round", "symbolic links") { json, path in
            try makeSymlink(path + "/a", to: path + "/b")
            try makeSymlink(path + "/b", to: path + "/a")
            json["linux"]?["namespaces"] = [["type": "mount"], ["type": "uts", "path": .string(path + "/a")]]
        },
        Case("a namespace of another kind") { json, _ in
            json["linux"]?["namespaces"] = [["type": "mount"], ["type": "uts", "path": "/proc/1/ns/net"]]
        },
        Case("a namespace that is a file", "config.json") { json, path in
            json["linux"]?["namespaces"] = [
                ["type": "mount"], ["type": "ipc", "path": .string(path + "/config.json")],
            ]
        },
        Case("a namespace twice", "pid") { json, _ in
            json["linux"]?["namespaces"] = [["type": "mount"], ["type": "pid"], ["type": "pid"]]
        },
        Case("a namespace nobody knows", "astral") { json, _ in
            json["linux"]?["namespaces"] = [["type": "mount"], ["type": "astral"]]
        },
        Case("a mount of nothing", "/nowhere/at/all") { json, _ in
            json["mounts"] = [
                ["destination": "/mnt", "type": "bind", "source": "/nowhere/at/all", "options": ["bind"]]
            ]
        },
        Case("a file system nobody knows", "frobfs") { json, _ in
            json["mounts"] = [["destination": "/mnt", "type": "frobfs", "source": "x"]]
        },
        Case("a host name of 64 KiB") { json, _ in json["hostname"] = .string(kilobytes64) },
        Case("a working directory of 64 KiB") { json, _ in json["process"]?["cwd"] = .string("/" + kilobytes64) },
        Case("an argument the kernel takes not", "argument list too long") { json, _ in
            json["process"]?["args"] = ["true", .string(String(repeating: "v", count: 300_000))]
        },
        Case("a mount point of 64 KiB") { json, _ in
            json["mounts"] = [["destination": .string("/" + kilobytes64), "type": "tmpfs", "source": "x"]]
        },
        Case("a zero byte in an argument") { json, _ in json["process"]?["args"] = ["echo", "a\u{0}b"] },
        Case("a system setting of the host", "kernel.panic") { json, _ in
            json["linux"]?["sysctl"] = ["kernel.panic": "1"]
        },
        Case("a limit nobody knows", "RLIMIT_LUCK") { json, _ in
            json["process"]?["rlimits"] = [["type": "RLIMIT_LUCK", "hard": 1, "soft": 1]]
        },
        Case("a hook that fails", "/bin/false") { json, _ in
            json["hooks"] = ["createRuntime": [["path": "/bin/false"]]]
        },
        Case("a hook that is not there", "/nowhere/hook") { json, _ in
            json["hooks"] = ["createRuntime": [["path": "/nowhere/hook"]]]
        },
    ]

    @Test(arguments: cases) func whatCannotWorkIsNamedAndLeavesNothing(_ bad: Case) throws {
        let bundle = try Ground()
        defer { bundle.remove() }
        try bundle.write(bad.change)
        let result = try bundle.run(Ground.own)
        #expect(result.code != 0, "\(result.output)")
        #expect(result.output.isEmpty)
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(result.errors)")
        for word in bad.words { #expect(result.errors.contains(word), "\(result.errors)") }
        // The long value itself is nobody's to read to its end.
        #expect(result.errors.utf8.count < 8192)
        bundle.expectNothingLeft()
        if !bad.isOurs, let runc = Ground.runc {
            let theirs = try bundle.run(runc)
            #expect(theirs.code == result.code, "runc: \(theirs.code) \(theirs.errors)")
        }
    }

    /// What looks odd and is allowed.
    @Test func oddValuesArriveAsTheyAre() throws {
        let bundle = try Ground()
        defer { bundle.remove() }
        try bundle.write { json, _ in
            json["process"]?["args"] = [
                "sh", "-c", "echo \"$ODD\"; echo ${#BIG}; echo \"$1\" | wc -c", "sh", .string(Self.kilobytes64),
            ]
            json["process"]?["env"] = ["PATH=/bin", "ODD=one\ntwo=2", .string("BIG=" + Self.kilobytes64)]
            json["annotations"] = ["big": .string(Self.kilobytes64)]
        }
        let result = try bundle.run(Ground.own)
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output == "one\ntwo=2\n65536\n65537\n")
        bundle.expectNothingLeft()
    }
}

/// A bundle that works, in a folder of its own, and what was there before.
private struct Ground {
    let path: String
    let id: String

    struct Output {
        var code: Int32
        var output: String
        var errors: String
    }

    static let own =
        ((try? readLink("/proc/self/exe")) ?? "").split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        + "/skiff-runtime"
    static let runc = ["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"].first { exists($0) }

    init() throws {
        id = "bad-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        path = "/tmp/skiff-\(id)"
        for directory in ["bin", "dev", "proc", "tmp", "mnt"] { try makeDirectories("\(path)/rootfs/\(directory)") }
        try writeFile(path + "/rootfs/bin/busybox", readFile("/bin/busybox", limit: 8 << 20), mode: 0o755)
        for applet in ["sh", "echo", "true", "wc"] { try makeSymlink("\(path)/rootfs/bin/\(applet)", to: "busybox") }
    }

    func write(_ change: (inout JSON, String) throws -> Void) throws {
        var process = RuntimeSpec.Process(arguments: ["true"], environment: ["PATH=/bin"], directory: "/")
        process.noNewPrivileges = true
        var spec = RuntimeSpec(process: process)
        spec.mounts = [RuntimeSpec.Mount(destination: "/proc", type: "proc", source: "proc")]
        spec.linux.namespaces = [.init(.mount), .init(.pid), .init(.ipc), .init(.uts)]
        spec.linux.cgroupsPath = "/skiff-\(id)"
        var json = spec.json
        try writeFile(path + "/config.json", json.serialized())
        try change(&json, path)
        if json != spec.json { try writeFile(path + "/config.json", json.serialized()) }
    }

    func run(_ runtime: String) throws -> Output {
        let (out, err) = (path + "/out", path + "/err")
        let output = try open(out, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let errors = try open(err, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let pid = try Spawn(
            runtime, arguments: [runtime, "--root", path + "/state", "run", "--bundle", path, id],
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], descriptors: [(output.raw, 1), (errors.raw, 2)]
        ).start()
        let end = try PidFD(pid).wait()
        return Output(code: end?.code ?? -1, output: try readText(out), errors: try readText(err))
    }

    func expectNothingLeft() {
        for hierarchy in (try? names("/sys/fs/cgroup")) ?? [] {
            #expect(!exists("/sys/fs/cgroup/\(hierarchy)/skiff-\(id)"), "\(hierarchy)")
        }
        #expect(!exists("/sys/fs/cgroup/skiff-\(id)"))
        #expect(!((try? readText("/proc/self/mountinfo")) ?? "").contains(id))
        #expect(((try? names(path + "/state")) ?? []).filter { !$0.hasPrefix(".") } == [])
        let processes = ((try? names("/proc")) ?? []).filter { name in
            name.allSatisfy(\.isNumber) && ((try? readText("/proc/\(name)/cmdline")) ?? "").contains(id)
        }
        #expect(processes.isEmpty)
    }

    func remove() {
        for runtime in [Self.own, Self.runc].compactMap({ $0 }) {
            _ = try? PidFD(
                Spawn(
                    runtime, arguments: [runtime, "--root", path + "/state", "delete", "--force", id],
                    environment: ["PATH=/usr/bin:/bin"]
                ).start()
            ).wait()
        }
        try? removeTree(path)
    }

    private func names(_ path: String) throws -> [String] {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).map(\.name.text)
    }
}
