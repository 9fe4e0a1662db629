import CLinux
import FakeRegistry
import Linux
import Testing

/// What others do to a daemon's surroundings, and what it does about it.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct RobustnessTests {
    /// Takes away the files of every layer, as a careless hand would.
    private func loseLayers(_ daemon: PrivateDaemon) throws {
        let folder = try open(daemon.root + "/snapshots", O_RDONLY | O_DIRECTORY)
        for entry in try readDirectory(folder.raw) where entry.name.text != "empty" {
            // Not what containers wrote.
            if !exists(daemon.root + "/snapshots/\(entry.name.text)/work") {
                try removeTree(entry.name, at: folder.raw)
            }
        }
    }

    @Test(arguments: [false, true]) func anImageWhoseFilesWereLostSaysSoAndCanBeHadAgain(restarted: Bool) async throws {
        try await PrivateDaemon.with(image: false) { daemon in
            let base = try await readFile(PrivateDaemon.busyboxArchive(in: daemon.home))
            let image = try TestImage(tars: [base, TestImage.tar(["words": "cargo\n"])])
            let served = ServedImage(image, tag: "1")
            try await LittleServer.with({ served.answer($0) }) { server in
                let name = "\(server.address)/cargo:1"
                try await daemon.must("pull", name)
                try await daemon.must("run", "--name", "old", name, "sh", "-c", "echo mine > /mine")
                try loseLayers(daemon)
                if restarted {
                    try await daemon.stop()
                    try await daemon.start()
                    #expect(daemon.log(lines: 50).contains("is broken"), "the log names the image")
                }
                try writeFile(daemon.home + "/Dockerfile", Array("FROM \(name)\nRUN true\n".utf8))
                for arguments in [["run", "--rm", name, "true"], ["start", "old"], ["build", daemon.home]] {
                    let failed = try await daemon.skiff(arguments)
                    #expect(failed.code != 0)
                    for word in ["image \(name) is broken", "gone from the disk", "pull"] {
                        #expect(failed.errors.contains(word), "\(arguments[0]): \(failed.errors)")
                    }
                }
                let again = try await daemon.must("pull", name)
                #expect(again.output.contains("Downloaded newer image"), "\(again.output)")
                #expect(try await daemon.must("run", "--rm", name, "cat", "/words").line == "cargo")
                // What a container wrote above the lost layers is there as well.
                try await daemon.must("start", "old")
                try await daemon.must("wait", "old")
                #expect(try await daemon.must("inspect", "-f", "{{.State.ExitCode}}", "old").line == "0")
                try await Inventory(daemon: daemon).check("after the repair by pull")

                try loseLayers(daemon)
                try writeFile(daemon.home + "/cargo.tar", try image.dockerArchive(names: [name]))
                try await daemon.must("load", "-i", daemon.home + "/cargo.tar")
                #expect(try await daemon.must("run", "--rm", name, "cat", "/words").line == "cargo")
            }
        }
    }

    @Test func aClientThatReadsNothingDoesNotStallTheContainerForEver() async throws {
        try await PrivateDaemon.with(["--attach-patience", "1"]) { daemon in
            try await daemon.must(
                "run", "-d", "--name", "talker", "--log-driver", "none", "busybox", "sh", "-c",
                "while [ ! -e /dev/shm/go ]; do echo ready; sleep 0.05; done; yes | head -c 20000000; exit 7")
            let output = try Pipe().release()
            let client = try Spawn(
                Program.builds + "/skiff", arguments: ["skiff", "attach", "--no-stdin", "talker"],
                environment: ["SKIFF_HOST=\(daemon.host)"], descriptors: [(output.write, 1)]
            ).start()
            close(output.write)
            defer {
                close(output.read)
                kill(client, SIGKILL)
                _ = try? PidFD(client).wait()
            }
            // It listens; from here on nobody reads what it writes.
            let first = try await onThread { () throws -> Int in
                var byte: UInt8 = 0
                return CLinux.read(output.read, &byte, 1)
            }
            #expect(first == 1)
            try await daemon.must("exec", "talker", "touch", "/dev/shm/go")
            #expect(try await daemon.must("wait", "talker").line == "7")
            try await eventually("the log to say so") { daemon.log(lines: 50).contains("was cut off") }
        }
    }

    @Test func theCgroupParentGoesWithTheLastContainerAndOnlyIfItWasOurs() async throws {
        let found = try await onThread { () -> [String] in
            let hierarchies = try open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY)
            return try readDirectory(hierarchies.raw).map { "/sys/fs/cgroup/" + $0.name.text }
        }
        func parents(_ daemon: PrivateDaemon) -> [String] { found.map { $0 + daemon.cgroup }.filter { exists($0) } }
        try await PrivateDaemon.with { daemon in
            try await daemon.must("run", "-d", "--name", "busy", "busybox", "sleep", "1000")
            #expect(!parents(daemon).isEmpty)
            try await daemon.stop()
            #expect(!parents(daemon).isEmpty, "a container is in it")
            try await daemon.start()
            try await daemon.must("rm", "-f", "busy")
            try await daemon.stop()
            #expect(parents(daemon).isEmpty, "a daemon that was started again knows that it was its own")

            let theirs = (found.first { exists($0 + "/cgroup.procs") } ?? "") + daemon.cgroup
            try makeDirectory(theirs)
            try await daemon.start()
            try await daemon.must("run", "--rm", "busybox", "true")
            try await daemon.stop()
            #expect(exists(theirs), "what somebody else made stays")
            for parent in parents(daemon) { try unlink(parent, directory: true) }
        }
    }

    /// The shim keeps the status until it is on record: a database that somebody else holds stands for one that cannot be
    /// written.
    @Test(.enabled(if: Program.find("sqlite3") != nil, "sqlite3 is not installed"), arguments: [false, true])
    func anEndThatCouldNotBeWrittenIsNotLost(killed: Bool) async throws {
        try await PrivateDaemon.with { daemon in
            try await daemon.must(
                "run", "-d", "--name", "brief", "busybox", "sh", "-c",
                "while [ ! -e /dev/shm/end ]; do sleep 0.05; done; exit 42")
            let commands = try Pipe().release()
            let answers = try Pipe().release()
            let holder = try Spawn(
                Program.find("sqlite3") ?? "", arguments: ["sqlite3", daemon.root + "/skiff.db"],
                descriptors: [(commands.read, 0), (answers.write, 1)]
            ).start()
            close(commands.read)
            close(answers.write)
            // The daemon may be writing: it is waited for, and nothing is said where it was in vain.
            try writeAll(commands.write, ".bail on\n.timeout 600000\nBEGIN IMMEDIATE;\nSELECT 'held';\n")
            let held = try await onThread { () throws -> Int in
                var byte: UInt8 = 0
                return CLinux.read(answers.read, &byte, 1)
            }
            #expect(held == 1)
            // Without the database no exec either: a process of the same file system says it.
            let pid = try await daemon.must("inspect", "-f", "{{.State.Pid}}", "brief").line
            try writeFile("/proc/\(pid)/root/dev/shm/end", [])
            #expect(try await daemon.must("wait", "brief").line == "42", "those who wait are told all the same")
            #expect(daemon.log(lines: 200).contains("could not be recorded yet"))
            if killed { try await daemon.stop(SIGKILL) }
            close(commands.write)
            close(answers.read)
            _ = try PidFD(holder).wait()
            if killed { try await daemon.start() }
            // Its shim goes when the end is on record, by whichever daemon.
            try await eventually("the shim to be let go") {
                let folder = try open(daemon.home + "/run/shims", O_RDONLY | O_DIRECTORY)
                return try readDirectory(folder.raw).isEmpty
            }
            try await daemon.stop(SIGKILL)
            try await daemon.start()
            #expect(
                try await daemon.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "brief").line
                    == "exited 42")
        }
    }

    @Test func flagsTakeAValueAsDockersDo() async throws {
        let program = Program.builds + "/skiffd"
        for flag in ["--debug", "-D", "--debug=true", "--debug=false", "--debug=1", "-D=F"] {
            let finished = try await Program.run(program, [flag, "--validate=true", "--config-file", "/dev/null/none"])
            // Only the file is complained of.
            #expect(finished.errors.contains("/dev/null/none"), "\(flag): \(finished.errors)")
        }
        let finished = try await Program.run(program, ["--debug=perhaps", "--validate"])
        #expect(finished.code != 0 && finished.errors.contains("perhaps"))
        // What a flag says is a flag said: with the same in the file it is one too many, whichever it is.
        try await PrivateDaemon.with(["--debug=false"], image: false) { daemon in
            try await daemon.stop()
            try writeFile(daemon.home + "/daemon.json", Array(#"{"debug": true}"#.utf8))
            let both = try await Program.run(
                program, ["--debug=false", "--validate", "--config-file", daemon.home + "/daemon.json"])
            #expect(both.code == 1 && both.errors.contains("debug: (from flag: false, from file: true)"))
        }
    }

    @Test(.enabled(if: Program.find("curl") != nil, "curl is not installed"))
    func answersCarryTheDate() async throws {
        try await PrivateDaemon.with(image: false) { daemon in
            let answer = try await Program.run(
                Program.find("curl") ?? "curl", ["-sS", "-i", "--unix-socket", daemon.socket, "http://skiff/_ping"])
            let date = try #require(
                answer.output.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix("date: ") })
            #expect(date.contains(" GMT"))
        }
    }
}
