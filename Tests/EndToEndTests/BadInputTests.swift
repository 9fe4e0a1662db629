import Linux
import Testing

/// What is wrong gets one line that names the thing, the right code, and leaves nothing.
@Suite(.serialized, .enabled(if: isRoot, "an engine needs root"))
struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var arguments: [String]
        var code: Int32
        var words: [String]
        var testDescription: String { arguments.joined(separator: " ") }
    }

    @Test func everyMistakeIsNamed() async throws {
        try await PrivateDaemon.with { daemon in
            let folder = daemon.home
            try writeFile(folder + "/noise.tar", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            try writeFile(folder + "/text", Array("not a program\n".utf8), mode: 0o755)
            try await daemon.must("run", "-d", "--name", "busy", "-v", "cargo:/c", "busybox", "sleep", "1000")
            let cases: [Case] = [
                Case(arguments: ["run", "Upper/Case"], code: 125, words: ["reference format"]),
                Case(arguments: ["run", "busybox:no:tag"], code: 125, words: ["reference format"]),
                Case(arguments: ["run", "--memory", "much", "busybox"], code: 125, words: ["much"]),
                Case(arguments: ["run", "-p", "99999:80", "busybox"], code: 125, words: ["99999"]),
                Case(
                    arguments: ["run", "--network", "nowhere", "busybox"], code: 125,
                    words: ["network nowhere not found"]),
                Case(arguments: ["run", "-v", "relative:also/relative", "busybox"], code: 125, words: ["relative"]),
                Case(
                    arguments: ["run", "--mount", "type=bind,source=/no/such,target=/x", "busybox"], code: 125,
                    words: ["/no/such"]),
                Case(arguments: ["run", "-u", "stranger", "busybox"], code: 125, words: ["stranger"]),
                Case(arguments: ["run", "-u", "4294967296", "busybox"], code: 125, words: ["4294967296"]),
                Case(arguments: ["run", "--cap-add", "FLY", "busybox"], code: 125, words: ["FLY"]),
                Case(
                    arguments: ["run", "-v", "\(folder)/text:/text", "busybox", "/text"], code: 125,
                    words: ["exec format error"]),
                Case(arguments: ["run", "busybox", "/etc"], code: 126, words: ["/etc"]),
                Case(arguments: ["start", "ghost"], code: 1, words: ["No such container: ghost"]),
                Case(arguments: ["exec", "ghost", "true"], code: 1, words: ["No such container: ghost"]),
                Case(arguments: ["rmi", "ghost"], code: 1, words: ["No such image: ghost"]),
                Case(arguments: ["rmi", "busybox"], code: 1, words: ["conflict", "busy"]),
                Case(arguments: ["volume", "rm", "cargo"], code: 1, words: ["volume is in use"]),
                Case(arguments: ["volume", "inspect", "ghost"], code: 1, words: ["ghost"]),
                Case(arguments: ["network", "rm", "bridge"], code: 1, words: ["bridge"]),
                Case(arguments: ["load", "-i", "\(folder)/noise.tar"], code: 1, words: []),
                Case(arguments: ["load", "-i", "\(folder)/missing.tar"], code: 1, words: ["missing.tar"]),
                Case(arguments: ["import", "\(folder)/noise.tar", "junk"], code: 1, words: []),
                Case(arguments: ["build", "\(folder)/missing"], code: 1, words: ["missing"]),
                Case(arguments: ["pull", "127.0.0.1:1/x"], code: 1, words: ["127.0.0.1:1"]),
                Case(arguments: ["frobnicate"], code: 1, words: ["frobnicate"]),
                Case(arguments: ["ps", "--frobnicate"], code: 125, words: ["--frobnicate"]),
                Case(arguments: ["kill", "-s", "SIGNONE", "busy"], code: 1, words: ["SIGNONE"]),
            ]
            let images = try await daemon.must("images", "-aq").lines
            for mistake in cases {
                let finished = try await daemon.skiff(mistake.arguments)
                let said = finished.errors + finished.output
                #expect(
                    finished.code == mistake.code, "skiff \(mistake.testDescription): code \(finished.code): \(said)")
                for word in mistake.words {
                    #expect(said.lowercased().contains(word.lowercased()), "skiff \(mistake.testDescription): \(said)")
                }
                for id in try await daemon.must("ps", "-aq", "--filter", "status=created").lines {
                    try await daemon.must("rm", id)
                }
            }
            #expect(try await daemon.must("images", "-aq").lines == images)
            #expect(try await daemon.must("ps", "-q").lines.count == 1)
        }
    }

    @Test func withoutADaemonTheSocketIsNamed() async throws {
        let finished = try await Program.run(
            Program.builds + "/skiff", ["ps"], environment: ["SKIFF_HOST=unix:///nonexistent/skiff.sock"])
        #expect(finished.code == 1)
        #expect(finished.errors.contains("/nonexistent/skiff.sock"))
        #expect(finished.errors.split(separator: "\n").count == 1)
    }
}
