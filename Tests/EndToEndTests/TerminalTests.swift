import CLinux
import Testing

/// Containers on a real terminal: size, keys, signals, leaving and coming back.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"), .oneDaemon())
struct TerminalTests {
    private static let screen = LiveProgram.Streams.terminal(rows: 33, columns: 101)
    private static let control = (c: "\u{3}", d: "\u{4}", p: "\u{10}", q: "\u{11}", x: "\u{18}")

    @Test(arguments: Client.allCases) func theSizeIsKnownInsideAndFollowsTheWindow(client: Client) async throws {
        try await client.session { cli in
            try await cli.live("run", "-it", "--rm", "busybox", "sh", on: Self.screen) { shell in
                try await shell.says("# ")
                try shell.type("tty; echo do''ne\n")
                try await shell.says("done")
                #expect(shell.lines.contains("/dev/pts/0"), "\(shell.output)")
                try await expectFirstSize(in: shell, client)
                try shell.resize(rows: 44, columns: 55)
                try await expectSize("44 55", in: shell)
                #expect(!shell.echoes, "the client's terminal passes every key on")
                try shell.type("exit 9\n")
                #expect(try await shell.wait().code == 9)
                #expect(shell.echoes, "the terminal is put back")
            }
            #expect(try await cli.must("ps", "-aq").output.isEmpty)
        }
    }

    /// Asks for the size until it is as it should be; one question at a time, for a terminal does not hold many.
    private func expectSize(_ size: String, in shell: LiveProgram, tries: Int = 500) async throws {
        for number in 1...tries {
            try shell.type("stty size; echo ti''me \(number)\n")
            try await shell.says("time \(number)")
            if shell.lines.contains(size) { return }
            try await pause(milliseconds: 20)
        }
        Issue.record("the size inside is not \(size): \(shell.output)")
    }

    /// Docker's client tells the size when the program already runs; ours does so in advance.
    private func expectFirstSize(in shell: LiveProgram, _ client: Client) async throws {
        try await expectSize("33 101", in: shell, tries: client == .skiff ? 1 : 500)
    }

    @Test(arguments: Client.allCases) func aCommandBesideTheFirstHasATerminalOfItsOwn(client: Client) async throws {
        try await client.session { cli in
            try await cli.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000")
            try await cli.live("exec", "-it", "boat", "sh", on: Self.screen) { shell in
                try await shell.says("# ")
                try await expectFirstSize(in: shell, client)
                try shell.resize(rows: 20, columns: 60)
                try await expectSize("20 60", in: shell)
                // Not ^D: a shell that has another line to read first would find it eaten by the terminal.
                try shell.type("exit\n")
                #expect(try await shell.wait().code == 0)
            }
            try await cli.live("exec", "-it", "boat", "sh", on: Self.screen) { shell in
                try await shell.says("# ")
                try shell.type(Self.control.p + Self.control.q)
                _ = try await shell.wait()
            }
            #expect(try await cli.must("inspect", "-f", "{{.State.Running}}", "boat").line == "true")
            #expect(try await cli("exec", "-t", "boat", "echo", "line").output == "line\r\n")
        }
    }

    @Test(arguments: Client.allCases) func anInterruptIsTypedThrough(client: Client) async throws {
        try await client.session { cli in
            let script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done"
            try await cli.live("run", "-it", "--rm", "busybox", "sh", "-c", script, on: Self.screen) { program in
                try await program.says("ready")
                try program.type(Self.control.c)
                let end = try await program.wait()
                #expect(end.code == 3 && end.output.contains("caught"))
            }
        }
    }

    @Test(arguments: Client.allCases) func leavingKeepsTheContainerAndOneComesBack(client: Client) async throws {
        try await client.session { cli in
            try await cli.live("run", "-it", "--name", "shell", "busybox", "sh", on: Self.screen) { shell in
                try await shell.says("# ")
                try shell.type("A=kept\n")
                try shell.type(Self.control.p + Self.control.q)
                #expect(try await shell.wait().code == 0)
                #expect(shell.echoes)
            }
            #expect(try await cli.must("inspect", "-f", "{{.State.Running}}", "shell").line == "true")
            try await cli.live("attach", "--detach-keys", "ctrl-x,x", "shell", on: Self.screen) { shell in
                try shell.type("echo $A $A\n")
                try await shell.says("kept kept")
                // What begins like the keys and is not them goes on to the program.
                try shell.type("echo \(Self.control.x)y | wc -c\n")
                try shell.type(Self.control.x + "x")
                let left = try await shell.wait()
                #expect(left.output.contains("read escape sequence"), "\(left.output)")
            }
            #expect(try await cli.must("inspect", "-f", "{{.State.Running}}", "shell").line == "true")
            try await cli.live("attach", "shell", on: .terminal(rows: 12, columns: 34)) { shell in
                try await expectSize("12 34", in: shell)
                try shell.type("exit 5\n")
                #expect(try await shell.wait().code == 5)
            }
        }
    }

    @Test(arguments: Client.allCases) func whatWasTypedBeforeLeavingArrives(client: Client) async throws {
        try await client.session { cli in
            // Output in which the keys are to be found, and not so much that the log on disk is what is tested.
            let script = "(while :; do echo noise; usleep 500; done) & read x; echo \"$x\" > /said; sleep 1000"
            try await cli.must("run", "-d", "-it", "--name", "noisy", "busybox", "sh", "-c", script)
            try await cli.live("attach", "noisy", on: Self.screen) { attached in
                try await attached.says("noise", times: 3)
                // In one piece, so that the engine finds the keys where the client does not look for them.
                try attached.type("word\n" + Self.control.p + Self.control.q)
                _ = try await attached.wait()
            }
            try await eventually("the word inside") {
                try await cli("exec", "noisy", "cat", "/said").output == "word\n"
            }
        }
    }

    @Test(arguments: Client.allCases) func outputOfATerminalIsOneStream(client: Client) async throws {
        try await client.session { cli in
            let both = try await cli.must(
                "run", "-t", "--name", "talker", "busybox", "sh", "-c", "echo out; echo err >&2; test -t 0 && echo tty")
            #expect(both.output == "out\r\nerr\r\ntty\r\n" && both.errors.isEmpty)
            let logs = try await cli.must("logs", "talker")
            #expect(logs.output == "out\r\nerr\r\ntty\r\n" && logs.errors.isEmpty)
        }
    }

    @Test(arguments: Client.allCases) func inputThatIsNoTerminalIsRefusedForOne(client: Client) async throws {
        try await client.session { cli in
            let refused = try await cli("run", "-it", "busybox", "sh", input: "echo x\n")
            #expect(refused.code != 0 && refused.errors.contains("the input device is not a TTY"))
            try await cli.must("run", "-d", "--name", "boat", "busybox", "sleep", "1000")
            try await cli.refuses("exec", "-it", "boat", "sh", saying: "the input device is not a TTY")
        }
    }

    @Test(arguments: Client.allCases) func signalsOfTheClientReachTheProgram(client: Client) async throws {
        try await client.session { cli in
            let script =
                "trap 'echo hup' HUP; trap 'echo bye; exit 5' TERM INT; echo ready; while :; do sleep 0.05; done"
            for signal in [SIGTERM, SIGINT] {
                try await cli.live("run", "--rm", "busybox", "sh", "-c", script) { program in
                    try await program.says("ready")
                    try program.send(SIGHUP)
                    try await program.says("hup")
                    try program.send(signal)
                    let end = try await program.wait()
                    #expect(end.code == 5 && end.output == "ready\nhup\nbye\n")
                }
            }
            try await cli.live("run", "--name", "deaf", "--sig-proxy=false", "busybox", "sh", "-c", script) { program in
                try await program.says("ready")
                try program.send(SIGKILL)
                _ = try await program.wait()
                #expect(try await cli.must("inspect", "-f", "{{.State.Running}}", "deaf").line == "true")
            }
        }
    }
}
