import CLinux
import Failures
import JSON
import Linux
import OCI
import Testing

@testable import Execution

/// The real shim, on a busybox root file system; what it did is looked at from outside.
@Suite(.enabled(if: ShimFixture.isPossible, "needs root, busybox-static and the shim beside the tests"), .serialized)
struct ShimTests {
    /// The text of all records of a log file, by stream.
    static func text(_ log: String, _ stream: String) throws -> String {
        try log.split(separator: "\n").map { try JSON.parse(String($0)) }
            .filter { $0["stream"]?.stringValue == stream }.compactMap { $0["log"]?.stringValue }.joined()
    }

    @Test func outputGoesToTheLogAndTheExitCodeComesBack() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request("echo out; echo err >&2; printf rest; exit 7"))
            let status = await task.exit
            #expect(status.code == 7 && status.signal == nil && !status.oomKilled && !status.isLost)
            let log = try fixture.log(task)
            #expect(try Self.text(log, "stdout") == "out\nrest")
            #expect(try Self.text(log, "stderr") == "err\n")
            await task.collect()
            #expect(await fixture.launcher.known().isEmpty)
            #expect(!exists("/sys/fs/cgroup/pids\(fixture.cgroupParent)/\(task.id)"))
        }
    }

    @Test func whoIsAttachedGetsFramesAndThenTheEnd() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice())
            let task = try await fixture.launcher.launch(
                try fixture.request("echo one; echo two >&2") { $0.attachments = [attachment] })
            let (output, errors) = try Peer.frames(try await Peer(stream).readToEnd())
            #expect(output == "one\n" && errors == "two\n")
            #expect(await task.exit.code == 0)
        }
    }

    @Test func inputEndsWithTheFirstAttachmentWhenAskedTo() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true, framed: false))
            let task = try await fixture.launcher.launch(
                try fixture.request("cat; echo done") {
                    $0.attachments = [attachment]
                    $0.input = .once
                })
            let peer = Peer(stream)
            try peer.write("hello\n")
            #expect(try await peer.read(until: "hello\n") == "hello\n")
            peer.endInput()
            #expect(try await peer.readToEnd() == Array("done\n".utf8))
            #expect(await task.exit.code == 0)
        }
    }

    @Test func lastingInputSurvivesAnAttachment() async throws {
        try await ShimFixture.with { fixture in
            let (first, firstStream) = try StreamAttachment.pair(StreamChoice(input: true, framed: false))
            let task = try await fixture.launcher.launch(
                try fixture.request("read a; read b; echo $a$b") {
                    $0.attachments = [first]
                    $0.input = .open
                })
            let peer = Peer(firstStream)
            try peer.write("x\n")
            peer.endInput()
            #expect(try await peer.readToEnd().isEmpty)
            let (second, secondStream) = try StreamAttachment.pair(StreamChoice(input: true, framed: false))
            try await task.attach(second)
            let other = Peer(secondStream)
            try other.write("y\n")
            #expect(try await other.readToEnd() == Array("xy\n".utf8))
            #expect(await task.exit.code == 0)
        }
    }

    @Test func aSlowListenerCostsTheLogNothing() async throws {
        try await ShimFixture.with { fixture in
            let (slow, slowStream) = try StreamAttachment.pair(StreamChoice())
            let (gone, goneStream) = try StreamAttachment.pair(StreamChoice())
            let task = try await fixture.launcher.launch(
                try fixture.request("seq 1 100000") { $0.attachments = [slow, gone] })
            // This one never reads a byte and goes.
            _ = Peer(goneStream)
            let peer = Peer(slowStream)
            let expected = (1...100_000).map { "\($0)\n" }.joined()
            #expect(try Peer.frames(try await peer.readToEnd()).output == expected)
            #expect(await task.exit.code == 0)
            #expect(try Self.text(try fixture.log(task), "stdout") == expected)
        }
    }

    @Test func aListenerWithoutEndIsCutOffAfterItsPatience() async throws {
        try await ShimFixture.with { fixture in
            let (never, stream) = try StreamAttachment.pair(StreamChoice(patience: 1))
            let task = try await fixture.launcher.launch(
                try fixture.request("seq 1 200000") { $0.attachments = [never] })
            #expect(await task.exit.code == 0)
            withExtendedLifetime(stream) {}
            #expect(try Self.text(try fixture.log(task), "stdout").hasSuffix("\n200000\n"))
        }
    }

    @Test func theLogRotates() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request("seq 1 2000") {
                    $0.log?.maximumSize = 20000
                    $0.log?.maximumFiles = 3
                })
            #expect(await task.exit.code == 0)
            let path = "\(fixture.root)/log/\(task.id)"
            let parts = try ["\(path).2", "\(path).1", path].map { try readText($0) }
            for part in parts.dropLast() { #expect(part.utf8.count >= 20000 && part.utf8.count < 20200) }
            #expect(!exists("\(path).3"))
            let lines = try Self.text(parts.joined(), "stdout").split(separator: "\n").compactMap { Int($0) }
            #expect(lines == Array((lines.first ?? 0)...2000))
        }
    }

    @Test func aTerminalIsRawHasASizeAndCanBeResized() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true))
            let task = try await fixture.launcher.launch(
                try fixture.request("tty; stty size; read line; stty size; echo bye") {
                    $0.sandbox.terminal = true
                    $0.sandbox.consoleSize = WindowSize(rows: 30, columns: 100)
                    $0.attachments = [attachment]
                    $0.input = .open
                })
            let peer = Peer(stream)
            #expect(try await peer.read(until: "30 100\r\n").hasPrefix("/dev/"))
            try await task.resize(WindowSize(rows: 5, columns: 6))
            try peer.write("go\n")
            let rest = String(decoding: try await peer.readToEnd(), as: UTF8.self)
            #expect(rest.hasSuffix("5 6\r\nbye\r\n"))
            #expect(await task.exit.code == 0)
            #expect(try Self.text(try fixture.log(task), "stdout").contains("5 6\r\nbye\r\n"))
        }
    }

    @Test func execsHaveTheirOwnStreamsEnvironmentAndStatus() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true))
            let exec = try await task.exec(
                ExecRequest(
                    id: "e1", arguments: ["sh", "-c", "echo $X; pwd; id -u; cat >&2; exit 9"],
                    environment: ["PATH=/bin", "X=yes"], workingDirectory: "/tmp", user: "app", input: .once,
                    attachments: [attachment]))
            let peer = Peer(stream)
            try peer.write("in")
            peer.endInput()
            let (output, errors) = try Peer.frames(try await peer.readToEnd())
            #expect(output == "yes\n/tmp\n1000\n" && errors == "in")
            #expect(await exec.exit.code == 9)
            #expect(task.exitNow == nil)
            // Nothing of an exec is in the container's log.
            #expect(try fixture.log(task).isEmpty)
            await exec.forget()
            #expect(task.execs().isEmpty)
        }
    }

    @Test func anExecWithATerminalIsRaw() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true))
            let exec = try await task.exec(
                ExecRequest(
                    id: "t", arguments: ["sh", "-c", "stty size; tty"], terminal: true,
                    consoleSize: WindowSize(rows: 11, columns: 22), input: .open, attachments: [attachment]))
            let text = String(decoding: try await Peer(stream).readToEnd(), as: UTF8.self)
            #expect(text.hasPrefix("11 22\r\n/dev/"))
            #expect(await exec.exit.code == 0)
        }
    }

    @Test func whatCannotBeStartedIsNamedAndLeavesNothing() async throws {
        try await ShimFixture.with { fixture in
            for (program, code) in [
                ("nosuch", 127), ("/etc/passwd", 126), ("/nowhere/at/all", 127), ("/etc", 126), ("/bin/sh/x", 127),
            ]
                as [(String, Int32)]
            {
                let request = try fixture.request("") { $0.sandbox.arguments = [program] }
                let failure = await #expect(throws: Failure.self) { try await fixture.launcher.launch(request) }
                let start = try #require(failure?.cause as? StartFailure)
                #expect(start.exitCode == code, "\(start)")
                #expect(start.message.contains(program))
                #expect(!exists("/sys/fs/cgroup/pids\(request.sandbox.cgroup.path)"))
            }
            #expect(await fixture.launcher.known().isEmpty)
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            let failure = await #expect(throws: Failure.self) {
                try await task.exec(ExecRequest(id: "x", arguments: ["nosuch"]))
            }
            #expect((failure?.cause as? StartFailure)?.exitCode == 127)
            #expect(task.execs().isEmpty)
        }
    }

    @Test func signalsPausesAndProcessesReachTheContainer() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000 & sleep 1000"))
            // The shell may not have forked yet; its own process is there.
            #expect(try await task.processes().contains(task.pid))
            try await task.pause()
            #expect(task.isPaused)
            await #expect(throws: Failure(.conflict, "")) {
                try await task.exec(ExecRequest(id: "x", arguments: ["true"]))
            }
            try await task.resume()
            try await task.pause()
            try await task.signal(9)
            let status = await task.exit
            #expect(status.code == 137 && status.signal == 9)
            // Whoever killed it lets it go on, and may come too late for that.
            try await task.resume()
            await #expect(throws: Failure(.conflict, "")) { try await task.pause() }
            await #expect(throws: Failure(.conflict, "")) { try await task.signal(15) }
        }
    }

    @Test func memoryThatRanOutIsReported() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request("tail /dev/zero") {
                    $0.sandbox.limits.memory = 32 << 20
                    $0.sandbox.limits.memoryAndSwap = 32 << 20
                })
            let status = await task.exit
            #expect(status.code == 137 && status.oomKilled)
            var notices: [TaskNotice] = []
            for await notice in task.notices { notices.append(notice) }
            #expect(notices.contains(.outOfMemory))
        }
    }

    @Test func theShimOutlivesItsDaemonAndKeepsEveryStatus() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true, framed: false))
            let task = try await fixture.launcher.launch(
                try fixture.request("echo begin; cat; echo end; exit 5") {
                    $0.input = .open
                    $0.attachments = [attachment]
                })
            let exec = try await task.exec(ExecRequest(id: "e", arguments: ["sh", "-c", "exit 3"]))
            #expect(await exec.exit.code == 3)
            #expect(try await Peer(stream).read(until: "begin\n") == "begin\n")
            task.disconnect()

            let again = try fixture.anotherLauncher()
            #expect(await again.known() == [task.id])
            let found = try #require(await again.recover(task.id))
            #expect(found.pid == task.pid && found.startedAt == task.startedAt && found.exitNow == nil)
            #expect(await found.execs().first?.exit.code == 3)
            found.disconnect()

            // Ends while nobody is there.
            try sendSignal(9, to: task.pid)
            let third = try fixture.anotherLauncher()
            let last = try #require(await third.recover(task.id))
            #expect(await last.exit.code == 137)
            #expect(try Self.text(try fixture.log(last), "stdout") == "begin\n")
            await last.collect()
            #expect(await third.recover(task.id) == nil)
            #expect(await third.known().isEmpty)
        }
    }

    @Test func aKilledShimIsNoticedAndClearedAwayAfter() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            try sendSignal(9, to: try Self.shim(of: task))
            let status = await task.exit
            #expect(status.isLost && status.code == 137)
            await task.collect()
            #expect(await fixture.launcher.known().isEmpty)
            // Gone, or waiting to be reaped by whoever inherited it.
            let hasEnded = try await comesTrue {
                ((try? readText("/proc/\(task.pid)/status")) ?? "State:\tZ").contains("State:\tZ")
            }
            #expect(hasEnded)
            #expect(!exists("/sys/fs/cgroup/pids\(fixture.cgroupParent)/\(task.id)"))
        }
    }

    @Test func nothingCrossesIntoTheContainerThatWasNotNamed() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice())
            let task = try await fixture.launcher.launch(
                try fixture.request("sleep 1000") { $0.attachments = [attachment] })
            let shim = try Self.shim(of: task)
            #expect(try await comesTrue { try Self.descriptors(of: task.pid).keys.sorted() == [0, 1, 2] })
            // What the start needed is closed when the shim answers the next question.
            _ = try await task.processes()
            let before = try Self.descriptors(of: shim)
            for number in 0..<20 {
                let (heard, words) = try StreamAttachment.pair(StreamChoice(input: number % 2 == 0))
                let exec = try await task.exec(
                    ExecRequest(
                        id: "e\(number)", arguments: ["echo", "x"], terminal: number % 3 == 0, input: .once,
                        attachments: [heard]))
                #expect(try await !Peer(words).readToEnd().isEmpty)
                _ = await exec.exit
                await exec.forget()
            }
            let isSame = try await comesTrue { try Self.descriptors(of: shim).keys.sorted() == before.keys.sorted() }
            #expect(isSame, "\(before), then \((try? Self.descriptors(of: shim)) ?? [:])")
            let status = try readText("/proc/\(shim)/status")
            #expect(status.contains("\nThreads:\t1\n"))
            let inside = try readText("/proc/\(task.pid)/status")
            #expect(inside.contains("\nSeccomp:\t2\n") && inside.contains("\nCapInh:\t0000000000000000\n"))
            withExtendedLifetime(stream) {}
        }
    }

    @Test func anInitReapsWhenAskedTo() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request("echo $$; exit 4") { $0.usesInit = true })
            #expect(await task.exit.code == 4)
            #expect(try Self.text(try fixture.log(task), "stdout") != "1\n")
        }
    }

    @Test func theContainerCannotSeeTheHost() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request(
                    "hostname; echo $$; ls /; mount | wc -l; cat /proc/kcore | wc -c; echo x > /proc/sys/kernel/hostname"
                ))
            #expect(await task.exit.code != 0)
            let text = try Self.text(try fixture.log(task), "stdout")
            #expect(text.hasPrefix("box\n1\nbin\ndev\netc\nproc\nsys\ntmp\n"), "\(text)")
        }
    }

    @Test func aUserThatIsNotRootMayOpenItsStreamsAgain() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(
                try fixture.request("echo a > /dev/stdout; echo b > /dev/stderr; id -u; id -G") {
                    $0.sandbox.user = "app"
                })
            #expect(await task.exit.code == 0)
            let log = try fixture.log(task)
            #expect(try Self.text(log, "stdout") == "a\n1000\n1001 2000\n")
            #expect(try Self.text(log, "stderr") == "b\n")
        }
    }

    @Test func anEnvironmentLargerThanADatagramArrives() async throws {
        try await ShimFixture.with { fixture in
            let value = String(repeating: "v", count: 100_000)
            let task = try await fixture.launcher.launch(
                try fixture.request("echo ${#BIG}") { $0.sandbox.environment.append("BIG=\(value)") })
            #expect(await task.exit.code == 0)
            #expect(try Self.text(try fixture.log(task), "stdout") == "100000\n")
        }
    }

    @Test func aShimWithNothingToDoEndsWithItsDaemon() async throws {
        let (near, far) = try SocketPair(.messages).release()
        let pid = try Spawn(ShimFixture.shimPath, arguments: ["skiff-shim", "idle"], descriptors: [(far, 3)]).start()
        _ = OwnedDescriptor(owning: far)
        _ = OwnedDescriptor(owning: near)
        let ended = try await onThread { () -> Bool in
            var information = siginfo_t()
            return waitid(P_PID, id_t(pid), &information, WEXITED) == 0
        }
        #expect(ended)
    }

    @Test func manyAtOnceAllEndWell() async throws {
        try await ShimFixture.with { fixture in
            let requests = try (0..<12).map { try fixture.request("exit \($0)") }
            let codes = try await withThrowingTaskGroup(of: (Int, Int32).self) { group in
                for (number, request) in requests.enumerated() {
                    group.addTask {
                        let task = try await fixture.launcher.launch(request)
                        let code = await task.exit.code
                        await task.collect()
                        return (number, code)
                    }
                }
                return try await group.reduce(into: [Int: Int32]()) { $0[$1.0] = $1.1 }
            }
            for number in 0..<12 { #expect(codes[number] == Int32(number)) }
            #expect(await fixture.launcher.known().isEmpty)
        }
    }

    @Test(.enabled(if: exists(ShimFixture.runtimePath)))
    func anotherRuntimesProgramMakesTheContainer() async throws {
        try await ShimFixture.with { fixture in
            let (attachment, stream) = try StreamAttachment.pair(StreamChoice(input: true, framed: false))
            let task = try await fixture.launcher.launch(
                try fixture.request("id -u; cat; exit 6") {
                    $0.runtime = RuntimeProgram(path: ShimFixture.runtimePath)
                    $0.sandbox.user = "app"
                    $0.attachments = [attachment]
                    $0.input = .once
                })
            let peer = Peer(stream)
            #expect(try await peer.read(until: "1000\n") == "1000\n")
            let (second, secondStream) = try StreamAttachment.pair(StreamChoice(framed: false))
            let exec = try await task.exec(
                ExecRequest(
                    id: "e", arguments: ["sh", "-c", "echo $X; exit 3"], environment: ["X=1", "PATH=/bin"], user: "0",
                    attachments: [second]))
            #expect(try await Peer(secondStream).readToEnd() == Array("1\n".utf8))
            #expect(await exec.exit.code == 3)
            try peer.write("in")
            peer.endInput()
            #expect(try await peer.readToEnd() == Array("in".utf8))
            #expect(await task.exit.code == 6)
            #expect(try Self.text(try fixture.log(task), "stdout") == "1000\nin")
            await task.collect()
            #expect(await fixture.launcher.known().isEmpty)

            let request = try fixture.request("") {
                $0.runtime = RuntimeProgram(path: ShimFixture.runtimePath)
                $0.sandbox.arguments = ["nosuch"]
            }
            let failure = await #expect(throws: Failure.self) { try await fixture.launcher.launch(request) }
            #expect((failure?.cause as? StartFailure)?.exitCode == 127, "\(String(describing: failure))")
            #expect(await fixture.launcher.known().isEmpty)
        }
    }

    @Test func aQuietShimIsSmallAndWakesUpWhole() async throws {
        try await ShimFixture.with { fixture in
            let task = try await fixture.launcher.launch(try fixture.request("sleep 1000"))
            let shim = try Self.shim(of: task)
            // It makes itself small after a second without events; however slow the machine, it gets there.
            var size = Int.max
            for _ in 0..<3600 where size > 1024 {
                try await Task.sleep(for: .milliseconds(50))
                let line = try readText("/proc/\(shim)/smaps_rollup").split(separator: "\n").first {
                    $0.hasPrefix("Pss:")
                }
                size = try #require(line.flatMap { Int($0.filter(\.isNumber)) })
            }
            #expect(size <= 1024)
            for number in 0..<3 {
                let (heard, words) = try StreamAttachment.pair(StreamChoice(framed: false))
                let exec = try await task.exec(
                    ExecRequest(id: "e\(number)", arguments: ["echo", "awake"], attachments: [heard]))
                #expect(try await Peer(words).readToEnd() == Array("awake\n".utf8))
                #expect(await exec.exit.code == 0)
            }
            try await task.signal(15)
            try await task.signal(9)
            #expect(await task.exit.signal == 9)
        }
    }

    // MARK: Looking from outside

    static func shim(of task: ContainerTask) throws -> Int32 {
        let status = try readText("/proc/\(task.pid)/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("PPid:") })
        return try #require(Int32(line.dropFirst(5).filter(\.isNumber)))
    }

    static func descriptors(of pid: Int32) throws -> [Int32: String] {
        let directory = try open("/proc/\(pid)/fd", O_RDONLY | O_DIRECTORY)
        var found: [Int32: String] = [:]
        for entry in try readDirectory(directory.raw) {
            guard let number = Int32(entry.name.text) else { continue }
            // The directory's own descriptor is gone by the time it is asked for.
            if let target = try? readLink("/proc/\(pid)/fd/\(number)") { found[number] = target }
        }
        return found
    }
}
