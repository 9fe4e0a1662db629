import CLinux
import Failures
import Linux
import Logging
import NIOPosix
import OCI
import Synchronization
import Testing

@testable import Execution

/// One test's own little world: a busybox root file system, a launcher with its own runtime directory, own cgroups.
///
/// `ShimFixture.with { fixture in … }` clears everything away on every way out, the shims of that test included.
final class ShimFixture: Sendable {
    let root: String
    let launcher: ShimLauncher
    let cgroupParent: String
    private let pool: NIOThreadPool
    private let made = Mutex<[String]>([])

    static let shimPath = beside("skiff-shim")
    /// An OCI runtime's command line: our own, which any other can stand for.
    static let runtimePath = beside("skiff-runtime")

    private static func beside(_ name: String) -> String {
        let path = (try? readLink("/proc/self/exe")) ?? ""
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/" + name
    }

    /// Whether the shim can be run here at all.
    static var isPossible: Bool { geteuid() == 0 && exists("/bin/busybox") && exists(shimPath) }

    private init() throws {
        let name = "skiff-test-\(UInt32.random(in: 0...UInt32.max))"
        let root = "/var/tmp/\(name)"
        self.root = root
        cgroupParent = "/\(name)"
        for directory in [
            "rootfs/bin", "rootfs/etc", "rootfs/tmp", "rootfs/proc", "rootfs/sys", "rootfs/dev", "run", "log",
        ] {
            try makeDirectories("\(root)/\(directory)")
        }
        try writeFile("\(root)/rootfs/bin/busybox", try readFile("/bin/busybox"), mode: 0o755)
        for applet in [
            "sh", "cat", "echo", "ls", "sleep", "stty", "tty", "id", "head", "tail", "kill", "env", "pwd", "seq", "wc",
            "true", "dd", "yes",
            "mount", "hostname",
        ] {
            try check("symlink") { symlink("busybox", "\(root)/rootfs/bin/\(applet)") }
        }
        try writeFile(
            "\(root)/rootfs/etc/passwd", Array("root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/tmp:/bin/sh\n".utf8))
        try writeFile("\(root)/rootfs/etc/group", Array("root:x:0:\napp:x:1001:\nextra:x:2000:app\n".utf8))
        pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        launcher = try ShimLauncher(
            shimPath: Self.shimPath, execRoot: "\(root)/run", pool: pool, logger: Logger(label: "test"))
    }

    static func with(_ body: (ShimFixture) async throws -> Void) async throws {
        let fixture = try ShimFixture()
        do { try await body(fixture) } catch {
            await fixture.clear()
            throw error
        }
        await fixture.clear()
    }

    /// A second daemon over the same runtime directory.
    func anotherLauncher() throws -> ShimLauncher {
        try ShimLauncher(shimPath: Self.shimPath, execRoot: "\(root)/run", pool: pool, logger: Logger(label: "again"))
    }

    /// What runs a command line of `sh`.
    func request(_ script: String, _ change: (inout LaunchRequest) -> Void = { _ in }) throws -> LaunchRequest {
        let id = made.withLock { made in
            made.append("c\(made.count)")
            return made[made.count - 1]
        }
        for directory in ["\(id)/upper", "\(id)/work"] { try makeDirectories("\(root)/\(directory)") }
        var sandbox = SandboxSettings(arguments: ["sh", "-c", script], cgroup: SandboxCgroup("\(cgroupParent)/\(id)"))
        sandbox.environment = ["PATH=/bin"]
        sandbox.hostname = "box"
        var request = LaunchRequest(
            id: id, sandbox: sandbox,
            rootfs: OverlayMount(base: root, lower: ["rootfs"], upper: "\(id)/upper", work: "\(id)/work"),
            log: LogSettings(path: "\(root)/log/\(id)"))
        change(&request)
        return request
    }

    func log(_ task: ContainerTask) throws -> String { try readText("\(root)/log/\(task.id)", limit: 256 << 20) }

    private func clear() async {
        for id in await launcher.known() {
            guard let task = await launcher.recover(id) else { continue }
            if task.exitNow == nil {
                try? await task.signal(9)
                _ = await task.exit
            }
            await task.collect()
        }
        for id in made.withLock({ $0 }) { Leftovers.clear(cgroup: "\(cgroupParent)/\(id)") }
        Leftovers.clear(cgroup: cgroupParent)
        try? removeTree(root)
        try? await pool.shutdownGracefully()
    }
}

/// The other end of an attachment, read and written without blocking a task's thread for long.
struct Peer: Sendable {
    let socket: SharedDescriptor

    init(_ stream: AttachedStream) { socket = SharedDescriptor(OwnedDescriptor(owning: stream.take())) }

    func write(_ text: String) throws { try writeAll(socket.raw, text) }
    func endInput() { shutDown(socket.raw, writing: true) }

    /// Everything up to the end of the stream.
    func readToEnd() async throws -> [UInt8] {
        try await onThread { try readAll(socket.raw, limit: 256 << 20) }
    }

    /// Reads until what came contains a text.
    func read(until text: String) async throws -> String {
        try await onThread {
            var bytes: [UInt8] = []
            var block = [UInt8](repeating: 0, count: 4096)
            while !String(decoding: bytes, as: UTF8.self).contains(text) {
                let count = try block.withUnsafeMutableBytes { try Linux.read(socket.raw, into: $0) }
                if count == 0 { break }
                bytes += block[..<count]
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// What came on each stream, out of frames.
    static func frames(_ bytes: [UInt8]) throws -> (output: String, errors: String) {
        var streams: [UInt8: [UInt8]] = [:]
        var at = 0
        while at < bytes.count {
            try #require(at + 8 <= bytes.count)
            let length = bytes[(at + 4)..<(at + 8)].reduce(0) { $0 << 8 | Int($1) }
            try #require(at + 8 + length <= bytes.count)
            streams[bytes[at], default: []] += bytes[(at + 8)..<(at + 8 + length)]
            at += 8 + length
        }
        return (
            String(decoding: streams[1] ?? [], as: UTF8.self), String(decoding: streams[2] ?? [], as: UTF8.self)
        )
    }
}

/// Asks again until it is so, for three minutes: for what happens in its own time in another process.
func comesTrue(_ condition: () async throws -> Bool) async throws -> Bool {
    let deadline = Clock.monotonicMilliseconds() + 180_000
    while Clock.monotonicMilliseconds() < deadline {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return try await condition()
}

/// Runs a blocking call on a thread of its own.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try startThread { continuation.resume(with: Result { try body() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}
