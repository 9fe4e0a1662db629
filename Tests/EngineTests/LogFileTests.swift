import Archive
import CLinux
import Execution
import Failures
import JSON
import Linux
import NIOPosix
import Testing

@testable import Engine

/// Logs as the shim writes them, in a folder of their own.
struct LogFolder: ~Copyable {
    let path: String
    private let isOwn: Bool
    var log: String { path + "/c-json.log" }
    /// The size at which the shim cuts a line into pieces.
    static let pieceBytes = 16 << 10

    init() throws {
        path = "/tmp/skiff-log-" + RandomID.make().prefix(16)
        isOwn = true
        try makeDirectory(path, mode: 0o700)
    }

    /// Another's folder, which that one removes.
    init(borrowing path: String) {
        self.path = path
        isOwn = false
    }

    deinit { if isOwn { try? removeTree(path) } }

    static func line(_ text: String, second: Int, stream: String = "stdout", attributes: JSON? = nil) -> [UInt8] {
        var object = JSONObject()
        object["log"] = .string(text)
        object["stream"] = .string(stream)
        if let attributes { object["attrs"] = attributes }
        object["time"] = .string(Timestamp(nanoseconds: Int64(second) * 1_000_000_000).rfc3339)
        return JSON.object(object).serialized() + [UInt8(ascii: "\n")]
    }

    func write(_ lines: [[UInt8]], number: Int = 0) throws {
        try writeFile(number == 0 ? log : "\(log).\(number)", Array(lines.joined()), mode: 0o600)
    }

    func append(_ lines: [[UInt8]]) throws {
        let file = try Linux.open(log, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        try writeAll(file.raw, Array(lines.joined()))
    }

    func rotate(_ files: Int = 5) throws {
        for number in (1..<files).reversed() {
            for form in ["", ".gz"] where exists("\(log).\(number)\(form)") {
                try rename("\(log).\(number)\(form)", to: "\(log).\(number + 1)\(form)")
            }
        }
        try rename(log, to: "\(log).1")
    }

    /// Packs a rotated file as the shim does: with the plain file's inode number in the header, and its time.
    func pack(_ number: Int) throws {
        let path = "\(log).\(number)"
        let state = try status(path)
        let inode = withUnsafeBytes(of: UInt64(state.st_ino).littleEndian) { Array($0) }
        let sink = BytesSink()
        try sink.write(GzipExtraField("SK", inode).member)
        let compressor = try Compressor(.gzip, to: sink)
        try compressor.write(try readFile(path))
        try compressor.finish()
        try writeFile(path + ".gz.new", sink.bytes)
        let file = try Linux.open(path + ".gz.new", O_RDWR)
        try setTimes(file.raw, seconds: Int64(state.st_mtim.tv_sec), nanoseconds: Int32(state.st_mtim.tv_nsec))
        try rename(path + ".gz.new", to: path + ".gz")
        try unlink(path)
    }

    /// A record of the `local` driver, made by hand: see moby's `logdriver.LogEntry`.
    static func message(_ text: String, second: Int, stream: String = "stdout", part: [UInt8]? = nil) -> [UInt8] {
        func varint(_ value: UInt64) -> [UInt8] {
            value < 128 ? [UInt8(value)] : [UInt8(value & 127) | 128] + varint(value >> 7)
        }
        var body: [UInt8] = [0x0a, UInt8(stream.utf8.count)] + Array(stream.utf8)
        body += [0x10] + varint(UInt64(second) * 1_000_000_000)
        body += [0x1a] + varint(UInt64(text.utf8.count)) + Array(text.utf8)
        if let part { body += [0x20, 1, 0x2a, UInt8(part.count)] + part }
        let length = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: body.count >> $0) }
        return length + body + length
    }

    /// Everything that a request shows, in texts.
    func read(_ request: LogRequest = LogRequest(), form: LogSettings.Form = .jsonFile) throws -> [String] {
        var file = LogFile(path: log, form: form, request: request)
        var texts: [String] = []
        while true {
            let place = file.place
            let records = try file.read(atEnd: true)
            texts += records.map { String(decoding: $0.bytes, as: UTF8.self) }
            if records.isEmpty, file.place == place { return texts }
        }
    }
}

@Suite struct LogFileTests {
    private func numbered(_ range: ClosedRange<Int>) -> [[UInt8]] {
        range.map { LogFolder.line("line \($0)\n", second: $0) }
    }

    @Test func noFileIsAnEmptyLog() throws {
        let folder = try LogFolder()
        #expect(try folder.read() == [])
        #expect(try folder.read(LogRequest(tail: 5)) == [])
    }

    @Test func rotatedFilesAreReadOldestFirst() throws {
        let folder = try LogFolder()
        try folder.write(numbered(1...3), number: 2)
        try folder.write(numbered(4...6), number: 1)
        try folder.write(numbered(7...9))
        #expect(try folder.read() == (1...9).map { "line \($0)\n" })
    }

    @Test(arguments: [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (7, 7), (9, 9), (50, 9)])
    func tailCountsOverFiles(tail: Int, expected: Int) throws {
        let folder = try LogFolder()
        try folder.write(numbered(1...3), number: 2)
        try folder.write(numbered(4...6), number: 1)
        try folder.write(numbered(7...9))
        #expect(try folder.read(LogRequest(tail: tail)) == (10 - expected..<10).map { "line \($0)\n" })
    }

    @Test func tailFindsItsWayThroughManyBlocks() throws {
        let folder = try LogFolder()
        try folder.write((1...5000).map { LogFolder.line(String(repeating: "x", count: 60) + " \($0)\n", second: $0) })
        for tail in [1, 2, 999, 1000, 4999, 5000, 6000] {
            let texts = try folder.read(LogRequest(tail: tail))
            #expect(texts.count == min(tail, 5000))
            #expect(texts.last?.hasSuffix(" 5000\n") == true)
        }
    }

    @Test func timesBoundWhatIsShown() throws {
        let folder = try LogFolder()
        try folder.write(numbered(1...3), number: 1)
        try folder.write(numbered(4...9))
        let since = LogRequest(
            since: Timestamp(nanoseconds: 3_000_000_000), until: Timestamp(nanoseconds: 5_000_000_000))
        #expect(try folder.read(since) == ["line 3\n", "line 4\n", "line 5\n"])
        #expect(try folder.read(LogRequest(since: Timestamp(nanoseconds: 99_000_000_000))) == [])
    }

    /// The kernel stamps files by a clock that is up to a tick behind that of the records.
    @Test func aFileThatSeemsOlderThanItsLastRecordIsReadAllTheSame() throws {
        let folder = try LogFolder()
        try folder.write(numbered(1...3), number: 1)
        try folder.write(numbered(4...5))
        let file = try Linux.open(folder.log + ".1", O_RDWR)
        try setTimes(file.raw, seconds: 2, nanoseconds: 996_000_000)
        let since = LogRequest(since: Timestamp(nanoseconds: 3_000_000_000))
        #expect(try folder.read(since) == ["line 3\n", "line 4\n", "line 5\n"])
    }

    @Test func streamsAreChosen() throws {
        let folder = try LogFolder()
        try folder.write([LogFolder.line("o\n", second: 1), LogFolder.line("e\n", second: 2, stream: "stderr")])
        #expect(try folder.read(LogRequest(stderr: false)) == ["o\n"])
        #expect(try folder.read(LogRequest(stdout: false)) == ["e\n"])
    }

    @Test func piecesOfALongLineAreJoinedPerStream() throws {
        let folder = try LogFolder()
        let piece = String(repeating: "x", count: LogFolder.pieceBytes)
        try folder.write([
            LogFolder.line("before\n", second: 1), LogFolder.line(piece, second: 2),
            LogFolder.line("between\n", second: 3, stream: "stderr"),
            LogFolder.line(piece, second: 4), LogFolder.line("end\n", second: 5), LogFolder.line("after\n", second: 6),
        ])
        #expect(try folder.read() == ["before\n", "between\n", piece + piece + "end\n", "after\n"])
        #expect(try folder.read(LogRequest(tail: 1)) == ["after\n"])
        #expect(try folder.read(LogRequest(stderr: false, tail: 2)).last == "after\n")
    }

    @Test func aLastLineWithoutAnEndIsGivenAsItIs() throws {
        let folder = try LogFolder()
        let piece = String(repeating: "x", count: LogFolder.pieceBytes)
        try folder.write([LogFolder.line("a\n", second: 1), LogFolder.line("prompt> ", second: 2)])
        #expect(try folder.read() == ["a\n", "prompt> "])
        #expect(try folder.read(LogRequest(tail: 1)) == ["prompt> "])
        try folder.write([LogFolder.line(piece, second: 1)])
        #expect(try folder.read() == [piece])
    }

    @Test func whatIsNoRecordIsPassedOver() throws {
        let folder = try LogFolder()
        try folder.write([
            LogFolder.line("a\n", second: 1), Array("garbage\n".utf8), Array("{\"log\":\n".utf8), [0, 255, 10],
            LogFolder.line("b\n", second: 2),
            Array("{\"log\":\"cut".utf8),
        ])
        #expect(try folder.read() == ["a\n", "b\n"])
    }

    @Test func aLineThatNeverEndsTakesNoMemory() throws {
        let folder = try LogFolder()
        try folder.write([
            [UInt8](repeating: UInt8(ascii: "x"), count: 6 << 20), Array("\n".utf8),
            LogFolder.line("after\n", second: 1),
        ])
        #expect(try folder.read() == ["after\n"])
    }

    @Test func aReaderFollowsThroughRotations() throws {
        let folder = try LogFolder()
        var file = LogFile(path: folder.log, request: LogRequest())
        func texts() throws -> [String] {
            try file.read(atEnd: false).map { String(decoding: $0.bytes, as: UTF8.self) }
        }
        #expect(try texts() == [])
        try folder.append(numbered(1...2))
        #expect(try texts() == ["line 1\n", "line 2\n"])
        // Written after the last look and then rotated away: nothing is lost.
        try folder.append(numbered(3...3))
        try folder.rotate()
        try folder.append(numbered(4...4))
        try folder.rotate()
        try folder.append(numbered(5...5))
        #expect(try texts() == ["line 3\n", "line 4\n", "line 5\n"])
        #expect(try texts() == [])
        try folder.append(numbered(6...6))
        #expect(try texts() == ["line 6\n"])
    }

    @Test func halfARecordWaitsForTheRest() throws {
        let folder = try LogFolder()
        var file = LogFile(path: folder.log, request: LogRequest())
        let line = LogFolder.line("whole\n", second: 1)
        try folder.append([Array(line.prefix(20))])
        #expect(try file.read(atEnd: false).isEmpty)
        try folder.append([Array(line.dropFirst(20))])
        #expect(try file.read(atEnd: false).count == 1)
    }

    @Test func aReaderWhoseFileIsGoneGoesOnWithTheOldest() throws {
        let folder = try LogFolder()
        var file = LogFile(path: folder.log, request: LogRequest())
        try folder.append(numbered(1...1))
        #expect(try file.read(atEnd: false).count == 1)
        try unlink(folder.log)
        try folder.write(numbered(7...7), number: 1)
        try folder.write(numbered(8...8))
        #expect(
            try file.read(atEnd: false).map { String(decoding: $0.bytes, as: UTF8.self) } == ["line 7\n", "line 8\n"])
    }

    @Test func followingEndsWithTheContainer() async throws {
        let folder = try LogFolder()
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        try folder.append(numbered(1...1))
        let end = Promise<Void>()
        let stream = LogStream.reading(
            LogFile(path: folder.log, request: LogRequest(follow: true)), directory: folder.path, end: end,
            watcher: LogWatcher(), pool: pool)
        #expect(try await stream.next()?.count == 1)
        // What comes later wakes the reader, through a rotation too.
        async let second = stream.next()
        try folder.append(numbered(2...2))
        #expect(try await second?.first?.time == Timestamp(nanoseconds: 2_000_000_000))
        async let third = stream.next()
        try folder.rotate()
        try folder.append(numbered(3...3))
        #expect(try await third?.first?.time == Timestamp(nanoseconds: 3_000_000_000))
        async let fourth = stream.next()
        try folder.append(numbered(4...4))
        end.fulfil(())
        #expect(try await fourth?.first?.time == Timestamp(nanoseconds: 4_000_000_000))
        #expect(try await stream.next() == nil)
        try await pool.shutdownGracefully()
    }

    @Test func followingEndsWithItsReader() async throws {
        let folder = try LogFolder()
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        let stream = LogStream.reading(
            LogFile(path: folder.log, request: LogRequest(follow: true)), directory: folder.path, end: Promise(),
            watcher: LogWatcher(), pool: pool)
        let reading = Task { try await stream.next() }
        reading.cancel()
        #expect(try await reading.value == nil)
        try await pool.shutdownGracefully()
    }

    @Test func linesAreRenderedAsDocker() {
        let record = LogRecord(
            stream: .stdout, time: Timestamp(nanoseconds: 1_700_000_000_120_000_000), bytes: Array("hi\n".utf8),
            attributes: ["b": "x y", "a": "ü/1"])
        func text(_ timestamps: Bool, _ details: Bool) -> String {
            String(decoding: record.rendered(timestamps: timestamps, details: details), as: UTF8.self)
        }
        #expect(text(false, false) == "hi\n")
        #expect(text(true, false) == "2023-11-14T22:13:20.120000000Z hi\n")
        #expect(text(false, true) == "a=%C3%BC%2F1,b=x+y hi\n")
    }

    /// What the quick reading of a line and the JSON parser must agree on.
    @Test(arguments: [
        "plain\n", "", "tab\tquote\"back\\slash\r\n", "ünï\u{1F600}\n", "\u{1}\u{2028}<>&\n", "{\"log\":\"x\"}\n",
    ])
    func anyTextIsReadBack(text: String) throws {
        for stream in ["stdout", "stderr"] {
            let line = LogFolder.line(text, second: 7, stream: stream).dropLast()
            let record = try #require(LogRecord(line: line[...]))
            #expect(String(decoding: record.bytes, as: UTF8.self) == text)
            #expect(record.time == Timestamp(nanoseconds: 7_000_000_000))
            #expect(record.stream == (stream == "stdout" ? .stdout : .stderr))
        }
    }

    @Test(arguments: [
        #"{"log":"\u003ca\u003e\n","stream":"stdout","time":"2023-11-14T22:13:20.5Z"}"#,
        #"{"time":"2023-11-14T22:13:20.5Z","stream":"stdout","log":"<a>\n"}"#,
        #"{"log":"<a>\n","stream":"stdout","attrs":{"k":"v"},"time":"2023-11-14T22:13:20.5Z"}"#,
    ])
    func everyFormOfALineIsRead(line: String) throws {
        let record = try #require(LogRecord(line: Array(line.utf8)[...]))
        #expect(String(decoding: record.bytes, as: UTF8.self) == "<a>\n")
        #expect(record.time.nanoseconds == 1_700_000_000_500_000_000)
    }

    @Test(arguments: [
        "", "{", #"{"log":"#, #"{"log":"x"#, #"{"log":"x\"#, #"{"log":"x\u12"#,
        #"{"log":"x","stream":"stdout","time":"later"}"#,
        #"{"log":"x","stream":"stdout","time":"2023-11-14T22:13:20Z""#,
        #"{"log":1,"stream":"stdout","time":"2023-11-14T22:13:20Z"}"#,
        #"{"log":"\ud800","stream":"stdout","time":"2023-11-14T22:13:20Zx"}"#,
    ])
    func brokenLinesAreNone(line: String) {
        #expect(LogRecord(line: Array(line.utf8)[...]) == nil)
    }

    @Test func piecesThatStopBeforeACharacterAreJoinedToo() throws {
        let folder = try LogFolder()
        let piece = String(repeating: "x", count: LogFolder.pieceBytes - 1)
        try folder.write([LogFolder.line(piece, second: 1), LogFolder.line("ü end\n", second: 2)])
        #expect(try folder.read() == [piece + "ü end\n"])
    }

    @Test func attributesAreRead() throws {
        let line = LogFolder.line("x\n", second: 1, attributes: ["k": "v"])
        #expect(LogRecord(line: line.dropLast()[...])?.attributes == ["k": "v"])
    }
}
