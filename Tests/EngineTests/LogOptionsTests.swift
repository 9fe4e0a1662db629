import Execution
import Failures
import Testing

@testable import Engine

@Suite struct LogOptionsTests {
    static let subject = LogAttributes.Subject(
        id: String(repeating: "a1", count: 32), name: "boat", imageID: "sha256:" + String(repeating: "b2", count: 32),
        imageName: "harbour:1", command: ["sail", "north"], labels: ["app.name": "x", "app.tier": "y", "other": "z"],
        environment: ["HOME=/", "APP_A=1", "APP_A=2", "BAD"])

    static func attributes(_ options: [String: String]) throws -> [String: String] {
        try LogOptions(driver: "json-file", options).settings(path: "/l", of: subject)?.attributes ?? [:]
    }

    @Test func aFileIsKeptWholeWhenNothingIsSaid() throws {
        let settings = try LogOptions(driver: "json-file", [:]).settings(path: "/l", of: Self.subject)
        #expect(settings == LogSettings(path: "/l"))
        #expect(try LogOptions(driver: "none", ["anything": "goes"]).settings(path: "/l", of: Self.subject) == nil)
    }

    /// Docker's documented defaults: 20 MiB, five files, packed.
    @Test func theLocalDriverRotatesAndPacksByItself() throws {
        let settings = try LogOptions(driver: "local", [:]).settings(path: "/l", of: Self.subject)
        #expect(
            settings
                == LogSettings(path: "/l", form: .local, maximumSize: 20 << 20, maximumFiles: 5, compresses: true))
        let own = try LogOptions(driver: "local", ["max-size": "1m", "max-file": "1", "compress": "false"])
        #expect(own.maximumSize == 1_000_000 && own.maximumFiles == 1 && !own.compresses)
    }

    @Test(arguments: [
        ("10m", 10_000_000), ("1.5k", 1500), ("512", 512), ("2GB", 2_000_000_000), ("3 kb", 3000),
    ]) func sizesAreDecimalAsDockersAre(_ text: String, _ bytes: Int64) throws {
        #expect(try LogOptions(driver: "json-file", ["max-size": text]).maximumSize == bytes)
    }

    @Test func aCountWithoutASizeIsTakenAsDockerTakesIt() throws {
        let options = try LogOptions(driver: "json-file", ["max-file": "3"])
        #expect(options.maximumFiles == 3 && options.maximumSize == nil)
        let packed = try LogOptions(driver: "json-file", ["max-file": "3", "max-size": "1k", "compress": "true"])
        #expect(packed.compresses)
    }

    @Test func outputWaitsForTheDiskOnlyUpToTheBuffer() throws {
        #expect(try LogOptions(driver: "local", ["mode": "blocking"]).bufferSize == nil)
        #expect(try LogOptions(driver: "local", ["mode": "non-blocking"]).bufferSize == 1 << 20)
        let four = try LogOptions(driver: "json-file", ["mode": "non-blocking", "max-buffer-size": "4m"])
        #expect(four.bufferSize == 4 << 20)
    }

    @Test func recordsCarryWhatWasChosen() throws {
        #expect(try Self.attributes(["labels": "other,absent"]) == ["other": "z"])
        #expect(try Self.attributes(["labels-regex": "^app\\."]) == ["app.name": "x", "app.tier": "y"])
        #expect(try Self.attributes(["env": "APP_A,BAD"]) == ["APP_A": "2"])
        #expect(try Self.attributes(["env-regex": "^(HOME|NONE)$"]) == ["HOME": "/"])
    }

    @Test(arguments: [
        ("{{.Name}}", "boat"), ("{{.ID}}/{{ .ImageName }}", "a1a1a1a1a1a1/harbour:1"), ("plain", "plain"),
        ("{{.ImageID}} {{.Command}} {{.DaemonName}}!", "b2b2b2b2b2b2 sail north skiff!"),
    ]) func tagsAreFilledIn(_ template: String, _ text: String) throws {
        #expect(try Self.attributes(["tag": template]) == ["tag": text])
    }

    @Test(
        arguments: [
            ("json-file", ["max-size": "x"], "invalid value for max-size: x"),
            ("json-file", ["max-size": "0"], "max-size"), ("json-file", ["max-size": "9999999999g"], "max-size"),
            ("json-file", ["max-file": "0"], "max-file"), ("json-file", ["compress": "maybe"], "compress"),
            ("json-file", ["compress": "true"], "compress cannot be true"),
            ("json-file", ["bogus": "1"], "unknown log opt 'bogus' for json-file log driver"),
            ("local", ["labels": "a"], "unknown log opt 'labels' for local log driver"),
            ("local", ["max-file": "1"], "compression cannot be enabled"),
            ("syslog", [:], "no log driver named 'syslog' is registered"),
            ("json-file", ["mode": "async"], "logging mode not supported: async"),
            ("json-file", ["max-buffer-size": "1m"], "only supported with 'mode=non-blocking'"),
            ("json-file", ["mode": "non-blocking", "max-buffer-size": "x"], "max-buffer-size"),
            ("json-file", ["tag": "{{.Nothing}}"], "{{.Nothing}}"), ("json-file", ["tag": "{{.ID"], "without"),
            ("json-file", ["labels-regex": "("], "no regular expression"),
        ] as [(String, [String: String], String)])
    func refusals(driver: String, options: [String: String], words: String) throws {
        let failure = #expect(throws: Failure.self) { try LogOptions(driver: driver, options) }
        #expect(failure?.kind == .invalid)
        #expect(failure?.message.contains(words) == true, "\(failure?.message ?? "")")
    }
}
