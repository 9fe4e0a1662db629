import Testing

/// Streams of containers: attached at start or later, by one or by several, apart from one another and whole.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct AttachTests {
    @Test(arguments: Client.allCases) func theEndOfInputReachesTheProgramAndItsOutputStillComes(client: Client)
        async throws
    {
        try await client.session { cli in
            #expect(try await cli("run", "--rm", "-i", "busybox", "cat", input: "x").output == "x")
            let after = try await cli("run", "--rm", "-i", "busybox", "sh", "-c", "cat; echo end", input: "begin ")
            #expect(after.output == "begin end\n")
            let much = String(repeating: "0123456789abcde\n", count: 64 << 10)
            #expect(try await cli("run", "--rm", "-i", "busybox", "wc", "-c", input: much).line == "\(much.utf8.count)")
            #expect(try await cli("run", "--rm", "-i", "busybox", "cat", input: much).output == much)
            // Without -i there is no input, whatever is typed.
            #expect(try await cli("run", "--rm", "busybox", "wc", "-c", input: "unseen").line == "0")
            // Input that nobody reads keeps nobody waiting.
            #expect(try await cli("run", "--rm", "-i", "busybox", "echo", "done", input: much).output == "done\n")
        }
    }

    @Test(arguments: Client.allCases) func aCreatedContainerIsStartedWithItsStreams(client: Client) async throws {
        try await client.session { cli in
            #expect(try await cli.must("create", "-i", "--name", "cat", "busybox", "cat").line.count == 64)
            #expect(try await cli("start", "-a", "-i", "cat", input: "first").output == "first")
            #expect(try await cli("start", "-ai", "cat", input: "second").output == "second")
            try await cli.must("create", "--name", "both", "busybox", "sh", "-c", "echo out; echo err >&2; exit 4")
            let both = try await cli("start", "-a", "both")
            #expect(both.code == 4 && both.output == "out\n" && both.errors == "err\n")
            #expect(try await cli.must("start", "both", "cat").lines == ["both", "cat"])
            #expect(try await cli.must("wait", "both").line == "4")
        }
    }

    @Test(arguments: Client.allCases) func bothOutputsAreKeptApartAndWhole(client: Client) async throws {
        try await client.session { cli in
            let talk = "i=0; while [ $i -lt 3000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
            let all = try await cli.must("run", "--rm", "busybox", "sh", "-c", talk)
            #expect(all.output == (0..<3000).map { "out \($0)\n" }.joined())
            #expect(all.errors == (0..<3000).map { "err \($0)\n" }.joined())
            let one = try await cli.must("run", "--rm", "-a", "stdout", "busybox", "sh", "-c", "echo o; echo e >&2")
            #expect(one.output == "o\n" && one.errors.isEmpty)
            let other = try await cli.must("run", "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo o; echo e >&2")
            #expect(other.output.isEmpty && other.errors == "e\n")
            let last = try await cli.must("run", "--rm", "busybox", "sh", "-c", "printf 'no line end'")
            #expect(last.output == "no line end")
        }
    }

    @Test(arguments: Client.allCases) func severalAttachToARunningContainer(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "-i", "--name", "echo", "busybox", "cat")
            try await cli.live("attach", "echo") { first in
                try await cli.live("attach", "--no-stdin", "echo") { second in
                    // An attach is served in its own time: what is typed comes back to those who are there.
                    try await eventually("both to be attached") {
                        try first.type("hello\n")
                        return first.output.contains("hello") && second.output.contains("hello")
                    }
                    first.closeInput()
                    #expect(try await cli.must("inspect", "-f", "{{.State.Running}}", "echo").line == "true")
                    try await cli.live("attach", "--sig-proxy=false", "echo") { third in
                        try await eventually("the third to be served") {
                            try third.type("again\n")
                            return third.output.contains("again")
                        }
                        try await cli.must("kill", "echo")
                        for ended in [first, second, third] { #expect(try await ended.wait().code == 137) }
                    }
                }
            }
        }
    }

    @Test(arguments: Client.allCases) func whoIsAttachedLearnsTheExitCode(client: Client) async throws {
        try await client.session { cli in
            try await cli.must(
                "run", "-d", "-i", "--name", "once", "busybox", "sh", "-c", "read x; echo got $x; exit 6")
            let code = try await cli.live("attach", "once") { attached in
                try attached.type("it\n")
                return try await attached.wait()
            }
            #expect(code.code == 6 && code.output == "got it\n")
        }
    }

    @Test(arguments: Client.allCases) func onlyWhatRunsIsAttachedTo(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("create", "--name", "idle", "busybox", "sleep", "1000")
            try await cli.refuses("attach", "idle", saying: "cannot attach to a stopped container, start it first")
            try await cli.must("start", "idle")
            try await cli.must("pause", "idle")
            try await cli.refuses("attach", "idle", saying: "cannot attach to a paused container, unpause it first")
            try await cli.refuses("exec", "idle", "true", saying: "is paused, unpause the container before exec")
            try await cli.must("unpause", "idle")
            try await cli.refuses("attach", "ghost", saying: "No such container: ghost")
            try await cli.refuses("start", "-a", "ghost", saying: "No such container: ghost")
        }
    }

    @Test(arguments: Client.allCases) func commandsRunBesideTheFirst(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "--name", "boat", "-e", "IMAGE=i", "busybox", "sleep", "1000")
            let both = try await cli("exec", "boat", "sh", "-c", "echo out; echo err >&2; exit 3")
            #expect(both.code == 3 && both.output == "out\n" && both.errors == "err\n", "\(both)")
            #expect(try await cli("exec", "-i", "boat", "sh", "-c", "cat; echo end", input: "x").output == "xend\n")
            let inside = try await cli.must(
                "exec", "-e", "A=1", "-w", "/tmp", "-u", "www:extra", "boat", "sh", "-c",
                "echo $IMAGE $A; pwd; id -u; id -g")
            #expect(inside.lines == ["i 1", "/tmp", "33", "44"])
            #expect(try await cli.must("exec", "-d", "boat", "touch", "/tmp/made").output.isEmpty)
            try await eventually("the detached command") { try await cli("exec", "boat", "ls", "/tmp/made").code == 0 }
            #expect(try await cli("exec", "boat", "nosuchprogram").code == 127)
            #expect(try await cli("exec", "boat", "/etc/passwd").code == 126)
            #expect(try await cli("exec", "boat", "sh", "-c", "kill -9 $$").code == 137)
            let privileged = try await cli.must("exec", "--privileged", "boat", "grep", "CapEff", "/proc/self/status")
            #expect(!privileged.output.contains("a80425fb"))
            try await cli.must("stop", "-t", "0", "boat")
            try await cli.refuses("exec", "boat", "true", saying: "is not running")
        }
    }
}
