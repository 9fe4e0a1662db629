import CLinux
import Linux
import Testing

/// A daemon that has run many containers holds no more than one that has run some.
///
/// A hundred of them, or as many as `SKIFF_CONTAINERS` says.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct DaemonMemoryTests {
    /// The daemon's own memory, in KiB: not the pages of files, which it shares with whoever else has them.
    ///
    /// File: `/proc/<pid>/smaps_rollup`.
    private static func memory(of pid: pid_t) throws -> Int {
        let lines = try readText("/proc/\(pid)/smaps_rollup").split(separator: "\n")
        return try #require(lines.first { $0.hasPrefix("Pss_Anon:") }.flatMap { Int($0.filter(\.isNumber)) })
    }

    @Test func manyContainersLeaveNothingInTheDaemon() async throws {
        let count = getenv("SKIFF_CONTAINERS").flatMap { Int(String(cString: $0)) } ?? 100
        try await PrivateDaemon.with(ownNetwork: true) { daemon in
            @Sendable func run(_ times: Int) async throws {
                for _ in 0..<times { try await daemon.must("run", "--rm", "busybox", "true") }
            }
            // The last 256 events are kept for who asks, and caches and the allocator have their size after some containers.
            try await run(300)
            // What is known of one container is several KiB, and its events are two.
            let limit = 128 + count / 2
            // A thread that was busier than before makes the allocator take more once; what is kept grows each time.
            var figures = [try Self.memory(of: daemon.pid)]
            repeat {
                try await run(count)
                figures.append(try Self.memory(of: daemon.pid))
            } while figures.count < 4 && figures[figures.count - 1] - figures[figures.count - 2] >= limit
            #expect(
                figures[figures.count - 1] - figures[figures.count - 2] < limit,
                "KiB, \(count) containers after one another: \(figures)")
            if count >= 1000 { print("the daemon's KiB, \(count) containers after one another: \(figures)") }
        }
    }
}
