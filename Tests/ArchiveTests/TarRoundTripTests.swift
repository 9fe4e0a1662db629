import Archive
import Failures
import Testing

@Suite("TarWriter and TarReader")
struct TarRoundTripTests {
    static let entries: [TarEntry] = [
        TarEntry(.directory, "etc", mode: 0o755),
        TarEntry(
            .file, "etc/passwd", mode: 0o4755, uid: 1000, gid: 1001, modified: TarEntry.Time(seconds: 1_700_000_000)),
        TarEntry(
            .file, "etc/fraction", mode: 0o644,
            modified: TarEntry.Time(seconds: 1_700_000_000, nanoseconds: 123_456_789)),
        TarEntry(.file, "etc/before-1970", mode: 0o644, modified: TarEntry.Time(seconds: -2, nanoseconds: 250_000_000)),
        TarEntry(.file, "etc/long-before", mode: 0o644, modified: TarEntry.Time(seconds: -100_000)),
        TarEntry(.file, "etc/far-future", mode: 0o644, modified: TarEntry.Time(seconds: 1 << 40)),
        TarEntry(.file, "etc/large-owner", mode: 0o644, uid: 4_000_000_000, gid: 3_000_000),
        TarEntry(.symbolicLink, "bin", mode: 0o777, linkTarget: "usr/bin"),
        TarEntry(.symbolicLink, "far", mode: 0o777, linkTarget: String(repeating: "t", count: 300)),
        TarEntry(.hardLink, "etc/shadow", mode: 0o644, linkTarget: "etc/passwd"),
        TarEntry(.fifo, "run/fifo", mode: 0o600),
        TarEntry(kind: .characterDevice, path: Array("dev/null".utf8), mode: 0o666, deviceMajor: 1, deviceMinor: 3),
        TarEntry(kind: .blockDevice, path: Array("dev/sda".utf8), mode: 0o660, deviceMajor: 8, deviceMinor: 300),
        TarEntry(.file, String(repeating: "d/", count: 60) + "name", mode: 0o644),
        TarEntry(.directory, String(repeating: "n", count: 99), mode: 0o755),
        TarEntry(.directory, String(repeating: "n", count: 100), mode: 0o755),
        TarEntry(.directory, String(repeating: "p", count: 120) + "/" + String(repeating: "n", count: 99), mode: 0o755),
        TarEntry(.file, String(repeating: "x", count: 250), mode: 0o644),
        TarEntry(.file, String(repeating: "deep/", count: 400) + "x", mode: 0o644),
        TarEntry(.file, "ünïcode/名前", mode: 0o644),
        TarEntry(kind: .file, path: [0x6c, 0xff, 0xfe, 0x31], mode: 0o644),
        TarEntry(
            kind: .file, path: Array("capable".utf8), mode: 0o755,
            attributes: [
                TarEntry.Attribute(name: "security.capability", value: [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 10, 61]),
                TarEntry.Attribute(name: "user.note", value: Array("a=b\nc".utf8)),
            ]),
    ]

    @Test("a stream may end where only the filling of its last block is missing")
    func withoutTheLastFilling() throws {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        try writer.add(TarEntry(.file, "first", mode: 0o600), content: [1, 2, 3])
        try writer.add(TarEntry(.file, "last", mode: 0o600), content: [4, 5, 6])
        try writer.finish()
        let whole = 3 * 512 + 3
        let reader = TarReader(BytesSource(Array(sink.bytes[..<whole])))
        #expect(try reader.next()?.name == "first")
        #expect(try reader.next()?.name == "last")
        #expect(try reader.readAll(limit: 10) == [4, 5, 6])
        #expect(try reader.next() == nil)
        let cut = TarReader(BytesSource(Array(sink.bytes[..<(whole - 1)])))
        #expect(try cut.next()?.name == "first")
        #expect(try cut.next()?.name == "last")
        #expect(throws: Failure.self) { try cut.next() }
    }

    @Test("every kind of entry comes back as it went in", arguments: entries)
    func comesBack(entry: TarEntry) throws {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        let content = entry.kind == .file ? Array("content of \(entry.name)".utf8) : []
        try writer.add(entry, content: content)
        try writer.add(TarEntry(.file, "after", mode: 0o600), content: [1, 2, 3])
        try writer.finish()
        #expect(sink.bytes.count % 512 == 0)

        let reader = TarReader(BytesSource(sink.bytes))
        var expected = entry
        if entry.kind == .file { expected.size = Int64(content.count) }
        let back = try #require(try reader.next())
        #expect(back == expected)
        #expect(try reader.readAll(limit: 10000) == content)
        #expect(try reader.next()?.name == "after")
        #expect(try reader.next() == nil)
        #expect(try reader.next() == nil)
    }

    @Test("content that nobody reads is skipped")
    func skipsContent() throws {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        for index in 0..<20 {
            try writer.add(
                TarEntry(.file, "f\(index)", mode: 0o644), content: [UInt8](repeating: 7, count: index * 4099))
        }
        try writer.finish()
        let reader = TarReader(BytesSource(sink.bytes))
        var names: [String] = []
        while let entry = try reader.next() { names.append(entry.name) }
        #expect(names == (0..<20).map { "f\($0)" })
    }

    @Test("the same entries make the same bytes")
    func isDeterministic() throws {
        func bytes() throws -> [UInt8] {
            let sink = BytesSink()
            let writer = TarWriter(sink)
            for entry in Self.entries { try writer.add(entry) }
            try writer.finish()
            return sink.bytes
        }
        #expect(try bytes() == bytes())
    }

    @Test("a file that is shorter or longer than announced is an error, not a broken archive")
    func refusesWrongLength() throws {
        var entry = TarEntry(.file, "f", mode: 0o644)
        entry.size = 3
        let short = TarWriter(BytesSink())
        try short.begin(entry)
        #expect(throws: Failure.self) { try short.finish() }
        let long = TarWriter(BytesSink())
        try long.begin(entry)
        #expect(throws: Failure.self) { try [UInt8](repeating: 0, count: 4).withUnsafeBytes { try long.write($0) } }
    }

    @Test("a stream that arrives in tiny pieces reads the same", arguments: [1, 7, 511, 513])
    func survivesTinyReads(step: Int) throws {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        for entry in Self.entries {
            try writer.add(entry, content: entry.kind == .file ? [UInt8](repeating: 9, count: 700) : [])
        }
        try writer.finish()
        let whole = BytesSource(sink.bytes)
        let reader = TarReader(
            ClosureSource { whole.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<min(step, $0.count)])) })
        var count = 0
        while let entry = try reader.next() {
            if entry.kind == .file { #expect(try reader.readAll(limit: 1000).count == 700) }
            count += 1
        }
        #expect(count == Self.entries.count)
    }
}
