import Linux
import Testing

/// What containers wrote: from the beginning or a moment on, to the end or as it comes.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct LogTests {
    @Test(arguments: Client.allCases) func aPartOfTheLogIsChosen(client: Client) async throws {
        try await client.session { cli in
            try await cli.must(
                "run", "--name", "talker", "busybox", "sh", "-c",
                "for i in 1 2 3 4 5; do echo line $i; sleep 0.01; done; echo err >&2")
            let all = try await cli.must("logs", "talker")
            #expect(all.output == "line 1\nline 2\nline 3\nline 4\nline 5\n" && all.errors == "err\n")
            #expect(try await cli.must("logs", "--tail", "3", "talker").output == "line 4\nline 5\n")
            #expect(try await cli.must("logs", "-n", "0", "talker").output.isEmpty)
            #expect(try await cli.must("logs", "--tail", "all", "talker").lines.count == 5)
            #expect(try await cli.must("logs", "--tail", "100", "talker").lines.count == 5)
            let stamped = try await cli.must("logs", "-t", "talker").lines
            #expect(stamped.count == 5)
            for (line, number) in zip(stamped, 1...5) {
                let parts = line.split(separator: " ", maxSplits: 1)
                #expect(parts[0].utf8.count == 30 && parts[0].hasSuffix("Z") && parts[1] == "line \(number)", "\(line)")
            }
            #expect(try await cli.must("logs", "--since", "2001-01-01T00:00:00Z", "talker").lines.count == 5)
            #expect(try await cli.must("logs", "--since", "1h", "talker").lines.count == 5)
            #expect(try await cli.must("logs", "--until", "2001-01-01", "talker").output.isEmpty)
            #expect(try await cli.must("logs", "--until", "1h", "talker").output.isEmpty)
            // Lines that are read at once have one stamp.
            let stamps = stamped.map { String($0.prefix(30)) }, third = stamps[2]
            let since = (1...5).filter { stamps[$0 - 1] >= third }, until = (1...5).filter { stamps[$0 - 1] <= third }
            #expect(since.contains(3) && until.contains(3))
            #expect(try await cli.must("logs", "--since", third, "talker").lines == since.map { "line \($0)" })
            #expect(try await cli.must("logs", "--until", third, "talker").lines == until.map { "line \($0)" })
            try await cli.refuses("logs", "--since", "yesterday", "talker", saying: "yesterday")
            try await cli.refuses("logs", "ghost", saying: "No such container: ghost")
            try await cli.must("create", "--name", "new", "-l", "a=b", "busybox", "echo", "x")
            let empty = try await cli.must("logs", "new")
            #expect(empty.output.isEmpty && empty.errors.isEmpty)
        }
    }

    @Test(arguments: Client.allCases) func followingEndsWithTheContainer(client: Client) async throws {
        try await client.session { cli in
            try await cli.must(
                "run", "-d", "-i", "--name", "slow", "busybox", "sh", "-c",
                "echo begin; read x; echo $x; echo bad >&2; exit 3")
            try await cli.live("logs", "-f", "slow") { follower in
                try await follower.says("begin\n")
                try await cli.live("logs", "-f", "--tail", "0", "slow") { late in
                    let answer = try await cli("attach", "slow", input: "word\n")
                    #expect(answer.code == 3)
                    let end = try await follower.wait()
                    #expect(end.code == 0 && end.output == "begin\nword\n" && end.errors == "bad\n")
                    let other = try await late.wait()
                    #expect(!other.output.contains("begin"))
                }
            }
            // Of a container that has ended, following is the log and nothing to wait for.
            #expect(try await cli.must("logs", "-f", "slow").output == "begin\nword\n")
        }
    }

    @Test(arguments: Client.allCases) func followingARemovedContainerEnds(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "--name", "gone", "busybox", "sh", "-c", "echo here; exec sleep 1000")
            try await cli.live("logs", "--follow", "gone") { follower in
                try await follower.says("here\n")
                try await cli.must("rm", "-f", "gone")
                #expect(try await follower.wait().output == "here\n")
            }
        }
    }

    @Test(arguments: Client.allCases) func oddOutputIsKeptAsItWas(client: Client) async throws {
        try await client.session { cli in
            let script = "printf 'a\\000b\\377\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'no end'"
            let shown = try await cli.must("run", "--name", "odd", "busybox", "sh", "-c", script)
            let logged = try await cli.must("logs", "odd")
            #expect(logged.output.hasSuffix("\nno end") && logged.output.utf8.contains(0))
            #expect(logged.output.filter { $0 == "x" }.count == 40000, "a long line is joined again")
            #expect(logged.output.split(separator: "\n").count == 3 && shown.output.utf8.count >= 40006)
            try await cli.must("run", "--name", "silent", "--log-driver", "none", "busybox", "echo", "unheard")
            try await cli.refuses("logs", "silent", saying: "configured logging driver does not support reading")
            try await cli.must(
                "run", "--name", "small", "--log-opt", "max-size=4k", "--log-opt", "max-file=2", "busybox", "seq", "1",
                "3000")
            let kept = try await cli.must("logs", "small").lines
            #expect(
                kept.last == "3000" && kept.count < 3000
                    && kept.compactMap { Int($0) } == Array((3001 - kept.count)...3000))
        }
    }
}
