import CLinux
import Linux
import Testing

/// Log drivers and their options, from the command line to the files and back.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct LogsTests {
    /// Options under which a few thousand lines fill many files.
    static let small = ["--log-opt", "max-size=40k", "--log-opt", "max-file=500", "--log-opt", "compress=true"]

    @Test(arguments: ["json-file", "local"]) func followingThroughRotationsShowsEveryLine(driver: String) async throws {
        try await PrivateDaemon.with { daemon in
            let all = (1...20000).map { "\($0)\n" }.joined()
            let made = try await daemon.skiff(
                ["create", "--name", "talker", "--log-driver", driver] + Self.small + [
                    "busybox", "sh", "-c",
                    "for i in 0 1 2 3 4 5 6 7 8 9; do seq $((i*2000+1)) $((i*2000+2000)); sleep 0.1; done",
                ])
            #expect(made.code == 0, "\(made.errors)")
            try await daemon.must("start", "talker")
            async let following = daemon.must("logs", "-f", "talker")
            #expect(try await following.output == all)
            #expect(try await daemon.must("wait", "talker").line == "0")

            #expect(try await daemon.must("logs", "talker").output == all)
            for tail in [0, 1, 999, 5000, 19_999] {
                let expected = (20_001 - tail..<20_001).map { "\($0)\n" }.joined()
                #expect(
                    try await daemon.must("logs", "--tail", "\(tail)", "talker").output == expected, "--tail \(tail)")
            }
            // Everything from the time of a line in the middle, and everything up to it.
            let stamped = try await daemon.must("logs", "-t", "talker").lines
            #expect(stamped.count == 20_000)
            let time = try #require(stamped[9_999].split(separator: " ").first.map(String.init))
            let since = try await daemon.must("logs", "--since", time, "talker").lines
            #expect(since.last == "20000" && since.contains("10000") && since.count < 20_000)
            let until = try await daemon.must("logs", "--until", time, "talker").lines
            #expect(until.first == "1" && until.contains("10000") && until.count < 20_000)
            #expect(try await daemon.must("inspect", "-f", "{{.HostConfig.LogConfig.Type}}", "talker").line == driver)
            let path = try await daemon.must("inspect", "-f", "{{.LogPath}}", "talker").line
            #expect(driver == "local" ? path.isEmpty : path.hasSuffix("-json.log"))
        }
    }

    @Test func recordsCarryLabelsVariablesAndTag() async throws {
        try await PrivateDaemon.with { daemon in
            let ran = try await daemon.skiff([
                "run", "--name", "carrier", "-l", "tier=1", "-l", "other=2", "-e", "APP=x", "--log-opt", "labels=tier",
                "--log-opt", "env-regex=^AP", "--log-opt", "tag={{.Name}}", "busybox", "echo", "line",
            ])
            #expect(ran.output == "line\n", "\(ran.errors)")
            #expect(try await daemon.must("logs", "--details", "carrier").output == "APP=x,tag=carrier,tier=1 line\n")
        }
    }

    @Test func theDaemonsDefaultsHoldWhereNothingElseIsSaid() async throws {
        let flags = ["--log-driver", "local", "--log-opt", "max-size=2m", "--log-opt", "max-file=2"]
        try await PrivateDaemon.with(flags) { daemon in
            func config(_ name: String) async throws -> String {
                try await daemon.must("inspect", "-f", "{{json .HostConfig.LogConfig}}", name).line
            }
            try await daemon.must("run", "--name", "one", "busybox", "echo", "hi")
            #expect(try await config("one") == #"{"Type":"local","Config":{"max-file":"2","max-size":"2m"}}"#)
            #expect(try await daemon.must("logs", "one").output == "hi\n")
            // Another driver has options of its own; the same one keeps what it does not say.
            try await daemon.must("run", "--name", "two", "--log-driver", "json-file", "busybox", "echo", "hi")
            #expect(try await config("two") == #"{"Type":"json-file","Config":{}}"#)
            try await daemon.must("run", "--name", "three", "--log-opt", "max-size=1m", "busybox", "echo", "hi")
            #expect(try await config("three") == #"{"Type":"local","Config":{"max-file":"2","max-size":"1m"}}"#)
            #expect(try await daemon.must("info", "-f", "{{.LoggingDriver}}").line == "local")
            let none = try await daemon.skiff("run", "--name", "four", "--log-driver", "none", "busybox", "echo", "hi")
            #expect(none.output == "hi\n")
            #expect(try await daemon.skiff("logs", "four").errors.contains("does not support reading"))
        }
    }

    @Test func bufferedLogsAreWhole() async throws {
        try await PrivateDaemon.with { daemon in
            let all = (1...5000).map { "\($0)\n" }.joined()
            for driver in ["json-file", "local"] {
                let ran = try await daemon.skiff([
                    "run", "--name", driver, "--log-driver", driver, "--log-opt", "mode=non-blocking", "--log-opt",
                    "max-buffer-size=8m", "busybox", "seq", "1", "5000",
                ])
                #expect(ran.output == all, "\(ran.errors)")
                #expect(try await daemon.must("logs", driver).output == all)
            }
        }
    }

    @Test(arguments: [
        (["--log-opt", "colour=red"], "unknown log opt 'colour' for json-file log driver"),
        (["--log-driver", "local", "--log-opt", "labels=a"], "unknown log opt 'labels' for local log driver"),
        (["--log-driver", "syslog"], "no log driver named 'syslog' is registered"),
        (["--log-opt", "max-size=lots"], "max-size"), (["--log-opt", "mode=sometimes"], "logging mode not supported"),
    ])
    func whatNoDriverTakesIsRefusedAtOnce(options: [String], words: String) async throws {
        try await PrivateDaemon.with { daemon in
            let refused = try await daemon.skiff(["create"] + options + ["busybox", "true"])
            #expect(refused.code == 1 || refused.code == 125)
            #expect(refused.errors.contains(words), "\(refused.errors)")
            #expect(try await daemon.must("ps", "-aq").output.isEmpty)
        }
    }
}
