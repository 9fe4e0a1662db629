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

    private func start(_ change: (inout RuntimeSpec) -> Void = { _ in }) throws {
        _ = try bundle.create("exec sleep 1000", change)
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
        let ends = try SocketPair(.stream).release()
        let ours = OwnedDescriptor(owning: ends.first)
        let runtime: pid_t
        do {
            let theirs = OwnedDescriptor(owning: ends.second)
            runtime = try enter(
                [bundle.id, "sh", "-c", "echo began; read line"], [(theirs.raw, 0), (theirs.raw, 1)])
        }
        defer {
            try? sendSignal(SIGKILL, to: runtime)
            _ = try? PidFD(runtime).wait()
        }
        #expect(try poll([(ours.raw, Int16(POLLIN))], timeout: 120_000)[0] & Int16(POLLIN) != 0)
        // The program may have begun before the runtime goes on.
        var words: [String] = [], variables = ""
        for _ in 0..<2400 {
            words = try readText("/proc/\(runtime)/cmdline").split(separator: "\0").map(String.init)
            variables = try readText("/proc/\(runtime)/environ")
            if words.first == "skiff-runtime", variables.hasSuffix("there\0") { break }
            _ = try poll([], timeout: 50)
        }
        #expect(words.suffix(4) == [bundle.id, "sh", "-c", "echo began; read line"])
        #expect(variables == "OF_THE_CALLER=there\0")
    }

    /// Enters while the container is paused, which holds who enters.
    ///
    /// - Returns: the runtime, and the process on its way, which stays as long as it is held.
    private func enterWhilePaused(
        _ change: (inout RuntimeSpec) -> Void = { _ in }
    ) throws -> (runtime: pid_t, entering: pid_t) {
        try start(change)
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

    /// Whether a process waits for its child as `vfork` does, which no signal that is handled ends: proc_pid_stat(5), state D.
    private func isSuspended(_ pid: pid_t) throws -> Bool { try readText("/proc/\(pid)/stat").contains(") D ") }

    /// The runtime that waits can be ended, and then nobody starts the program for nobody.
    @Test func whereTheRuntimeHasEndedNothingIsStarted() throws {
        defer { bundle.remove() }
        let (runtime, entering) = try enterWhilePaused()
        #expect(try isSuspended(runtime))
        let held = try PidFD(entering)
        try PidFD(runtime).send(SIGTERM)
        #expect(try PidFD(runtime).wait() == .killed(signal: SIGTERM))
        #expect(try bundle.runtime("resume", bundle.id).code == 0)
        #expect(try poll([(held.raw, Int16(POLLIN))], timeout: 120_000)[0] != 0)
        #expect(try bundle.runtime("ps", bundle.id).lines.count == 2, "the heading and the first process")
        #expect(!exists(bundle.path + "/rootfs/tmp/ran"))
    }

    /// A process that is killed on its way is not taken for the program, and the runtime does not go on in what it left.
    @Test func whoIsKilledOnItsWayHasNotRun() throws {
        defer { bundle.remove() }
        let (runtime, entering) = try enterWhilePaused()
        #expect(try isSuspended(runtime))
        try PidFD(entering).send(SIGKILL)
        #expect(try bundle.runtime("resume", bundle.id).code == 0)
        #expect(try PidFD(runtime).wait() == .exited(128 + SIGKILL))
        #expect(!exists(bundle.path + "/rootfs/tmp/ran"))
    }

    /// The kernel does not let who shares memory into another time namespace: there it is a copy.
    @Test(.enabled(if: exists("/proc/self/ns/time"), "the kernel has no time namespaces"))
    func withClocksOfItsOwnNothingIsShared() throws {
        defer { bundle.remove() }
        let (runtime, _) = try enterWhilePaused {
            $0.linux.namespaces.append(.init(.time))
            $0.linux.timeOffsets = ["boottime": .init(seconds: 5_000_000)]
        }
        #expect(try !isSuspended(runtime))
        #expect(try bundle.runtime("resume", bundle.id).code == 0)
        #expect(try PidFD(runtime).wait() == .exited(0))
        #expect(exists(bundle.path + "/rootfs/tmp/ran"))
    }

    /// What is kept of the runtime's words and environment is in no copy of its memory: proc_pid_smaps(5), `dc`.
    @Test func whatIsKeptOfTheWordsIsNotCopied() throws {
        defer { bundle.remove() }
        func uncopied() throws -> Int {
            try readText("/proc/self/smaps").split(separator: "\n").count {
                $0.hasPrefix("VmFlags:") && $0.contains(" dc")
            }
        }
        let before = try uncopied()
        let kept = try KeptProgramArguments()
        #expect(try uncopied() == before + 1)
        kept.restore()
    }
}
