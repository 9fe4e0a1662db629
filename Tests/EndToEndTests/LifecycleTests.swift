import Linux
import Testing

/// A container's life: wait, stop, kill, restart, pause, rename, rm, and the codes and words of each.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct LifecycleTests {
    @Test(arguments: Client.allCases) func everyEndHasItsCode(client: Client) async throws {
        try await client.session { cli in
            try writeFile(cli.daemon.home + "/text", Array("not a program\n".utf8), mode: 0o755)
            let text = "\(cli.daemon.home)/text:/text:ro"
            let ends: [(words: [String], code: Int32, says: String)] = [
                (["busybox", "sh", "-c", "exit 200"], 200, ""),
                (["busybox", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, ""),
                (["busybox", "sh", "-c", "trap - TERM; sleep 60 & kill -TERM $!; wait $!; exit $?"], 143, ""),
                (["busybox", "nosuchprogram"], 127, "executable file not found"),
                (["busybox", "/no/such/program"], 127, "no such file or directory"),
                (["busybox", "/etc/passwd"], 126, "permission denied"),
                (["busybox", "/etc"], 126, "/etc"),
                (["-v", text, "busybox", "/text"], 125, "exec format error"),
                (["-w", "/etc/passwd", "busybox", "true"], 125, "not a directory"),
                (["--entrypoint", "nosuchentry", "busybox"], 127, "executable file not found"),
                (["--frobnicate", "busybox"], 125, "unknown flag: --frobnicate"),
                (["--network", "nowhere", "busybox"], 125, "network nowhere not found"),
            ]
            for end in ends {
                let finished = try await cli.run(["run", "--rm"] + end.words)
                #expect(finished.code == end.code, "\(client) run \(end.words): \(finished.code): \(finished.errors)")
                #expect(finished.errors.contains(end.says), "\(client) run \(end.words): \(finished.errors)")
            }
            #expect(try await cli.must("ps", "-aq").output.isEmpty)
        }
    }

    @Test(arguments: Client.allCases) func everyoneWhoWaitsIsTold(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "-i", "--name", "late", "busybox", "sh", "-c", "read x; exit 7")
            try await cli.must("run", "-d", "--name", "soon", "busybox", "sh", "-c", "exit 3")
            try await cli.live("wait", "late") { first in
                try await cli.live("wait", "soon", "late") { second in
                    try await second.says("3")
                    #expect(try await cli("attach", "late", input: "go\n").code == 7)
                    #expect(try await first.wait().output == "7\n")
                    #expect(try await second.wait().output == "3\n7\n")
                }
            }
            #expect(try await cli.must("wait", "late", "soon").output == "7\n3\n")
            try await cli.refuses("wait", "ghost", saying: "No such container: ghost")
            try await cli.must("create", "--name", "new", "busybox")
            #expect(try await cli.must("wait", "new").line == "0")
        }
    }

    private static let stubborn = "trap 'echo term' TERM; trap 'exit 4' QUIT; echo ready; while :; do sleep 0.05; done"

    @Test(arguments: Client.allCases) func stoppingSendsTheRightSignalAndThenTheLast(client: Client) async throws {
        try await client.session { cli in
            func start(_ name: String, _ flags: String...) async throws {
                let finished = try await cli.run(
                    ["run", "-d", "--name", name] + flags + ["busybox", "sh", "-c", Self.stubborn])
                try #require(finished.code == 0, "\(finished.errors)")
                try await eventually("\(name) to be ready") { try await cli("logs", name).output == "ready\n" }
            }
            func code(_ name: String) async throws -> String {
                try await cli.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name).line
            }
            try await start("deaf")
            #expect(try await cli.must("stop", "-t", "0", "deaf").line == "deaf")
            #expect(try await code("deaf") == "exited 137")
            try await start("asked", "--stop-timeout", "0")
            try await cli.must("stop", "asked")
            #expect(try await code("asked") == "exited 137")
            try await start("quits", "--stop-signal", "QUIT")
            try await cli.must("stop", "-t", "60", "quits")
            #expect(try await code("quits") == "exited 4")
            try await start("told")
            try await cli.must("stop", "-t", "60", "--signal", "SIGQUIT", "told")
            #expect(try await code("told") == "exited 4")
            #expect(try await cli.must("stop", "told", "quits").lines == ["told", "quits"])
            let partly = try await cli("stop", "told", "ghost")
            #expect(partly.code == 1 && partly.output == "told\n" && partly.errors.contains("No such container: ghost"))
        }
    }

    @Test(arguments: Client.allCases) func aSignalIsNotAlwaysTheEnd(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "--name", "boat", "busybox", "sh", "-c", Self.stubborn)
            try await eventually("the container to be ready") { try await cli("logs", "boat").output == "ready\n" }
            try await cli.must("kill", "-s", "TERM", "boat")
            try await eventually("the signal") { try await cli("logs", "boat").output == "ready\nterm\n" }
            try await cli.must("kill", "--signal", "15", "boat")
            try await eventually("the number") { try await cli("logs", "boat").output == "ready\nterm\nterm\n" }
            try await cli.refuses("kill", "-s", "NONE", "boat", saying: "nvalid signal: NONE")
            #expect(try await cli.must("kill", "boat").line == "boat")
            #expect(try await cli.must("wait", "boat").line == "137")
            try await cli.refuses("kill", "boat", saying: "is not running")
            try await cli.refuses("kill", "ghost", saying: "No such container: ghost")
        }
    }

    @Test(arguments: Client.allCases) func aRestartIsANewLifeOfTheSameContainer(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "--name", "boat", "busybox", "sh", "-c", "echo run >> /runs; sleep 1000")
            @Sendable func runs() async throws -> String { try await cli("exec", "boat", "cat", "/runs").output }
            try await eventually("the first life") { try await runs() == "run\n" }
            let before = try await cli.must("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "boat").line
            #expect(try await cli.must("restart", "-t", "0", "boat").line == "boat")
            let after = try await cli.must("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "boat").line
            #expect(before != after)
            try await eventually("the second life, whose files are kept") { try await runs() == "run\nrun\n" }
            try await cli.must("kill", "boat")
            try await cli.must("restart", "boat")
            #expect(
                try await cli.must("inspect", "-f", "{{.State.Running}} {{.RestartCount}}", "boat").line == "true 0")
            try await cli.refuses("restart", "ghost", saying: "No such container: ghost")
        }
    }

    @Test(arguments: Client.allCases) func aPausedContainerStandsStill(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000")
            #expect(try await cli.must("pause", "boat").line == "boat")
            #expect(try await cli.must("inspect", "-f", "{{.State.Status}}", "boat").line == "paused")
            #expect(try await cli.must("ps", "--format", "{{.Status}}").line.hasSuffix("(Paused)"))
            try await cli.refuses("pause", "boat", saying: "is already paused")
            try await cli.refuses("rm", "boat", saying: "is paused")
            #expect(try await cli.must("unpause", "boat").line == "boat")
            try await cli.refuses("unpause", "boat", saying: "is not paused")
            try await cli.must("pause", "boat")
            try await cli.must("stop", "-t", "1", "boat")
            try await cli.refuses("pause", "boat", saying: "is not running")
        }
    }

    @Test(arguments: Client.allCases) func namesAreGivenOnceAndChanged(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("create", "--name", "one", "busybox")
            let two = try await cli.must("create", "busybox").line
            #expect(try await cli.must("inspect", "-f", "{{.Name}}", two).line.dropFirst().contains("_"))
            try await cli.must("rename", two, "two")
            #expect(try await cli.must("inspect", "-f", "{{.Id}}", "two").line == two)
            try await cli.refuses("rename", "two", "one", saying: "is already in use by container")
            try await cli.refuses("rename", "ghost", "x", saying: "No such container: ghost")
            try await cli.refuses("rename", "two", "b@d", saying: "Invalid container name (b@d)")
            try await cli.must("rm", "two")
            try await cli.must("rename", "one", "two")
            #expect(try await cli.must("ps", "-a", "--format", "{{.Names}}").lines == ["two"])
        }
    }

    @Test(arguments: Client.allCases) func removingAsksBeforeItTakesWhatRuns(client: Client) async throws {
        try await client.session { cli in
            try await cli.must(
                "run", "-d", "--name", "busy", "-v", "/anonymous", "-v", "kept:/k", "busybox", "sleep", "1000")
            try await cli.refuses(
                "rm", "busy", saying: "container is running: stop the container before removing or force remove")
            #expect(try await cli.must("volume", "ls", "-q").lines.count == 2)
            #expect(try await cli.must("rm", "-f", "-v", "busy").line == "busy")
            #expect(try await cli.must("volume", "ls", "-q").lines == ["kept"])
            try await cli.must("create", "--name", "one", "-v", "/anonymous", "busybox")
            try await cli.must("create", "--name", "two", "busybox")
            let partly = try await cli("rm", "one", "ghost", "two")
            #expect(partly.code == 1 && partly.output == "one\ntwo\n")
            #expect(partly.errors.contains("No such container: ghost"))
            #expect(try await cli.must("volume", "ls", "-q").lines.count == 2, "without -v its volume stays")
            let forced = try await cli("rm", "-f", "ghost")
            #expect(forced.code == 0 && forced.errors.contains("No such container: ghost"))
        }
    }

    @Test(arguments: Client.allCases) func processesAndPortsAreListed(client: Client) async throws {
        try await client.session { cli in
            try await cli.must(
                "run", "-d", "--name", "web", "-p", "127.0.0.1:0:80", "-p", "0:53/udp", "busybox", "sleep", "1000")
            let top = try await cli.must("top", "web").lines
            #expect(top.count == 2 && top[0].contains("PID") && top[1].contains("sleep 1000"), "\(top)")
            let chosen = try await cli.must("top", "web", "-o", "pid,comm").lines
            #expect(chosen.count == 2 && chosen[0].contains("COMMAND") && chosen[1].contains("sleep"), "\(chosen)")
            let ports = try await cli.must("port", "web").lines
            #expect(ports.contains { $0.hasPrefix("80/tcp -> 127.0.0.1:") }, "\(ports)")
            #expect(ports.contains { $0.hasPrefix("53/udp -> 0.0.0.0:") }, "\(ports)")
            #expect(try await cli.must("port", "web", "80").line.hasPrefix("127.0.0.1:"))
            #expect(try await cli.must("port", "web", "53/udp").lines.contains { $0.hasPrefix("0.0.0.0:") })
            try await cli.refuses("port", "web", "81", saying: "No public port '81' published for web")
            try await cli.must("stop", "-t", "0", "web")
            try await cli.refuses("top", "web", saying: "is not running")
        }
    }
}
