import CLinux
import Linux
import Testing

/// The daemon dies; the containers do not notice.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct SurvivalTests {
    @Test func containersOutliveAKilledDaemon() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must(
                "run", "-d", "--name", "counter", "-p", "0:80", "busybox", "sh", "-c",
                "mkdir /www; echo page > /www/index.html; httpd -p 80 -h /www; i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"
            )
            try await daemon.must("run", "-d", "--name", "brief", "busybox", "sh", "-c", "sleep 1; exit 42")
            try await daemon.must("run", "-d", "--name", "gone", "--rm", "busybox", "sleep", "1")
            try await daemon.must("run", "-d", "--name", "phoenix", "--restart", "always", "busybox", "sleep", "1")
            let port =
                try await daemon.must("port", "counter", "80").lines[0].split(separator: ":").last.map(String.init)
                ?? ""
            let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", "counter").line
            try await daemon.stop(SIGKILL)
            try await eventually("the short ones to end") {
                let names = try await onThread { try processNames(daemon) }
                return names.filter { $0 == "sleep" }.count <= 1
            }
            try await daemon.start()

            #expect(
                try await daemon.must("inspect", "-f", "{{.State.Pid}} {{.State.Status}}", "counter").line
                    == "\(pid) running")
            #expect(try await daemon.must("wait", "brief").line == "42")
            try await eventually("auto-removal after the restart") {
                try await daemon.skiff("inspect", "gone").code != 0
            }
            try await eventually("the restart policy after the restart") {
                try await daemon.skiff("inspect", "-f", "{{.State.Running}}", "phoenix").line == "true"
            }
            #expect(try await daemon.must("exec", "counter", "echo", "in").output == "in\n")
            try await eventually("the page") {
                try await Program.run(
                    Program.find("curl") ?? "/usr/bin/curl", ["-fsS", "-m", "60", "http://127.0.0.1:\(port)/"]
                ).output == "page\n"
            }
            let numbers = try await daemon.must("logs", "counter").lines.compactMap { Int($0) }
            #expect(numbers == Array(0..<numbers.count), "the log has no gap")
            try await daemon.must("stop", "-t", "1", "counter")
        }
    }

    /// What runs in the daemon's containers.
    private func processNames(_ daemon: PrivateDaemon) throws -> [String] {
        let directory = try open("/proc", O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).compactMap { entry in
            let process = "/proc/\(entry.name.text)"
            guard (try? readText(process + "/cgroup"))?.contains(daemon.cgroup + "/") == true else { return nil }
            return (try? readText(process + "/comm"))?.split(separator: "\n").first.map(String.init)
        }
    }

    @Test func theShimHasOneThreadAndNoStrayDescriptors() async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000")
            let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", "boat").line
            let parent = try #require(
                readText("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("PPid:") })
            let shim = String(parent.split(whereSeparator: \.isWhitespace)[1])
            #expect(try readText("/proc/\(shim)/status").contains("Threads:\t1\n"))
            for number in try descriptors(of: shim) {
                let target = (try? readLink("/proc/\(shim)/fd/\(number)")) ?? ""
                #expect(
                    !target.contains("skiff.db") && !target.contains("/data/content"), "descriptor \(number): \(target)"
                )
            }
            try await eventually("three descriptors") { Set(try descriptors(of: pid)) == ["0", "1", "2"] }
        }
    }

    private func descriptors(of pid: String) throws -> [String] {
        let directory = try open("/proc/\(pid)/fd", O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).map(\.name.text)
    }

    @Test func twoDaemonsDoNotTouchEachOther() async throws {
        try await PrivateDaemon.with { first in
            try await PrivateDaemon.with { second in
                try await first.must("run", "-d", "--name", "same", "busybox", "sleep", "1000")
                try await second.must("run", "-d", "--name", "same", "busybox", "sleep", "1000")
                try await second.must("rm", "-f", "same")
                #expect(try await first.must("exec", "same", "echo", "alive").output == "alive\n")
                #expect(try await second.must("ps", "-q").output.isEmpty)
            }
            #expect(try await first.must("run", "--rm", "busybox", "ip", "route").output.contains("default via"))
        }
    }
}
