import CLinux
import Linux
import OCI
import Testing

@testable import ContainerRuntime

/// An entry whose first process confines itself in the runtime's own memory, while the runtime waits.
@Suite(.serialized, .enabled(if: Bundle.canRun, "namespaces and mounts need root"))
struct SharedMemoryEntryTests {
    private let bundle: Bundle

    init() throws { bundle = try Bundle() }

    private func start() throws {
        _ = try bundle.create("exec sleep 1000")
        try #require(bundle.runtime("start", bundle.id).code == 0)
    }

    private func enter(_ words: [String], _ descriptors: [(parent: Int32, child: Int32)] = []) throws -> pid_t {
        try Spawn(
            Bundle.program(), arguments: ["skiff-runtime", "--root", bundle.path + "/state", "exec"] + words,
            environment: ["OF_THE_CALLER=there"], descriptors: descriptors
        ).start()
    }

    /// What its successor is not to show is shown of the runtime again.
    @Test func theRuntimesOwnWordsAreBack() throws {
        defer { bundle.remove() }
        try start()
        let ends = try SocketPair(.stream)
        let script = "echo began; read line"
        let runtime = try enter(
            [bundle.id, "sh", "-c", script], [(ends.second.raw, 0), (ends.second.raw, 1)])
        defer { _ = try? PidFD(runtime).wait() }
        #expect(try poll([(ends.first.raw, Int16(POLLIN))], timeout: 120_000)[0] & Int16(POLLIN) != 0)
        let words = try readText("/proc/\(runtime)/cmdline").split(separator: "\0").map(String.init)
        #expect(words.first == "skiff-runtime" && words.suffix(4) == [bundle.id, "sh", "-c", script])
        #expect(try readText("/proc/\(runtime)/environ") == "OF_THE_CALLER=there\0")
        try writeAll(ends.first.raw, "\n")
    }

    /// Enters while the container is paused, which holds who enters.
    ///
    /// - Returns: the runtime, and the process on its way, which stays as long as it is held.
    private func enterWhilePaused() throws -> (runtime: pid_t, entering: pid_t) {
        try start()
        #expect(try bundle.runtime("pause", bundle.id).code == 0)
        let runtime = try enter(["--ignore-paused", bundle.id, "touch", "/tmp/ran"])
        var held: pid_t?
        for _ in 0..<1200 {
            held = try readText("/proc/\(runtime)/task/\(runtime)/children").split(separator: " ").first.flatMap {
                pid_t($0)
            }
            if let held, try isInFreezer(readText("/proc/\(held)/cgroup")) { break }
            _ = try poll([], timeout: 50)
        }
        return (runtime, try #require(held))
    }

    /// On v2 there is one group only.
    private func isInFreezer(_ text: String) -> Bool {
        text.split(separator: "\n").contains {
            ($0.contains(":freezer:") || $0.hasPrefix("0::")) && $0.hasSuffix("/skiff-" + bundle.id)
        }
    }

    /// The runtime that waits can be ended, and then nobody starts the program for nobody.
    @Test func whereTheRuntimeHasEndedNothingIsStarted() throws {
        defer { bundle.remove() }
        let (runtime, entering) = try enterWhilePaused()
        let held = try PidFD(entering)
        try PidFD(runtime).send(SIGTERM)
        #expect(try PidFD(runtime).wait() == .killed(signal: SIGTERM))
        #expect(try bundle.runtime("resume", bundle.id).code == 0)
        #expect(try poll([(held.raw, Int16(POLLIN))], timeout: 120_000)[0] != 0)
        #expect(try bundle.runtime("ps", bundle.id).lines.count == 2, "the heading and the first process")
        #expect(!exists(bundle.path + "/rootfs/tmp/ran"))
    }

    /// A process that is killed on its way is not taken for the program.
    @Test func whoIsKilledOnItsWayHasNotRun() throws {
        defer { bundle.remove() }
        let (runtime, entering) = try enterWhilePaused()
        try PidFD(entering).send(SIGKILL)
        #expect(try bundle.runtime("resume", bundle.id).code == 0)
        #expect(try PidFD(runtime).wait() == .exited(128 + SIGKILL))
        #expect(!exists(bundle.path + "/rootfs/tmp/ran"))
    }
}
