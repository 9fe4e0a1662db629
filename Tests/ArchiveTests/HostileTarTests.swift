import Archive
import CLinux
import Failures
import Linux
import Testing

/// Archives that try to get out, to grow without end, or to confuse: the rows of the security page, sections 3 and 4.
@Suite("Hostile archives")
struct HostileTarTests {
    /// A tar stream out of entries, each with content.
    static func tar(_ entries: [(TarEntry, String)]) throws -> [UInt8] {
        let sink = BytesSink()
        let writer = TarWriter(sink)
        for (entry, content) in entries { try writer.add(entry, content: Array(content.utf8)) }
        try writer.finish()
        return sink.bytes
    }

    private static func link(_ name: String, _ target: String) -> (TarEntry, String) {
        (TarEntry(.symbolicLink, name, mode: 0o777, linkTarget: target), "")
    }
    private static func hard(_ name: String, _ target: String) -> (TarEntry, String) {
        (TarEntry(.hardLink, name, mode: 0o644, linkTarget: target), "")
    }
    private static func file(_ name: String, _ content: String = "evil", mode: UInt32 = 0o644) -> (TarEntry, String) {
        (TarEntry(.file, name, mode: mode), content)
    }
    private static func directory(_ name: String, mode: UInt32 = 0o755) -> (TarEntry, String) {
        (TarEntry(.directory, name, mode: mode), "")
    }

    struct Attack: Sendable, CustomTestStringConvertible {
        var name: String
        var entries: [(TarEntry, String)]
        var testDescription: String { name }
    }

    /// Whatever happens, nothing outside the directory may change.
    static let escapes: [Attack] = [
        Attack(name: "parent in the name", entries: [file("../canary")]),
        Attack(name: "parent after a directory", entries: [directory("a"), file("a/../../canary")]),
        Attack(name: "absolute name", entries: [file("/canary")]),
        Attack(name: "link to the parent, written through", entries: [link("a", ".."), file("a/canary")]),
        Attack(name: "absolute link, written through", entries: [link("a", "/"), file("a/tmp/canary")]),
        Attack(name: "chain of links", entries: [link("a", "b"), link("b", "../"), file("a/canary")]),
        Attack(name: "link of links below", entries: [directory("d"), link("d/a", "../.."), file("d/a/canary")]),
        Attack(name: "file through a link of its own name", entries: [link("canary", "../canary"), file("canary")]),
        Attack(name: "hard link to the outside", entries: [hard("a", "../canary"), file("a")]),
        Attack(name: "hard link through a link", entries: [link("l", ".."), hard("a", "l/canary"), file("a")]),
        Attack(
            name: "hard link to a link, then written", entries: [link("l", "../canary"), hard("a", "l"), file("a")]),
        Attack(name: "mode through a link", entries: [link("a", ".."), directory("a", mode: 0o777)]),
        Attack(name: "mode of a link's target", entries: [link("a", "../canary"), file("a", mode: 0o7777)]),
        Attack(
            name: "directory replaced by a link",
            entries: [directory("a"), file("a/x"), link("a", ".."), file("a/canary")]),
        Attack(name: "same name by other spelling", entries: [directory("a"), link("./a", ".."), file("a//canary")]),
        Attack(name: "whiteout of the parent", entries: [file(".wh...")]),
        Attack(name: "whiteout of the directory", entries: [file("a/.wh..")]),
        Attack(name: "whiteout through a link", entries: [link("a", ".."), file("a/.wh.canary")]),
        Attack(name: "opaque through a link", entries: [link("a", ".."), file("a/.wh..wh..opq")]),
        Attack(name: "whiteout with a parent", entries: [file("a/.wh.../canary")]),
        Attack(name: "link through procfs", entries: [link("a", "/proc/self/root"), file("a/tmp/canary")]),
    ]

    @Test("an archive never changes what is outside its directory", arguments: escapes)
    func staysInside(attack: Attack) throws {
        for whiteouts in [LayerUnpacker.Whiteouts.ordinary, .remove] {
            let scratch = try Scratch()
            try scratch.write("canary", "alive", mode: 0o640)
            let before = try listing(scratch.path).filter { !$0.hasPrefix("root") }
            let root = try scratch.directory("root")
            let outside = try #require(scratch.status("")).permissions
            var options = LayerUnpacker.Options()
            options.whiteouts = whiteouts
            options.owner = (getuid(), getgid())
            _ = try? LayerUnpacker(into: root.raw, options: options).unpack(BytesSource(try Self.tar(attack.entries)))
            #expect(try listing(scratch.path).filter { !$0.hasPrefix("root") } == before)
            #expect(scratch.status("")?.permissions == outside)
            #expect(!exists("/tmp/canary"))
            #expect(!exists("/canary"))
        }
    }

    /// What has no good meaning is refused with a message that names the entry.
    static let refusals: [Attack] = [
        Attack(name: "parent in the name", entries: [file("../canary")]),
        Attack(name: "hard link to nothing", entries: [hard("a", "missing")]),
        Attack(name: "hard link to the outside", entries: [hard("a", "../../etc/passwd")]),
        Attack(name: "hard link to a directory", entries: [directory("d"), hard("a", "d")]),
        Attack(name: "file in place of the archive's directory", entries: [file(".")]),
        Attack(name: "file below a file", entries: [file("a"), file("a/b")]),
        Attack(name: "name of 300 bytes", entries: [file(String(repeating: "n", count: 300))]),
        Attack(name: "300 directories deep", entries: [file(String(repeating: "d/", count: 300) + "f")]),
        Attack(name: "endless link", entries: [link("a", "a"), file("a/b")]),
    ]

    @Test("what makes no sense is refused", arguments: refusals)
    func refuses(attack: Attack) throws {
        let scratch = try Scratch()
        let root = try scratch.directory("root")
        var options = LayerUnpacker.Options()
        options.whiteouts = .ordinary
        options.owner = (getuid(), getgid())
        let bytes = try Self.tar(attack.entries)
        #expect(throws: Failure(.invalid, "")) {
            try LayerUnpacker(into: root.raw, options: options).unpack(BytesSource(bytes))
        }
    }

    @Test("a limit on entries, content, headers and depth is an error that names it")
    func respectsLimits() throws {
        let scratch = try Scratch()
        let root = try scratch.directory("root")
        func message(_ entries: [(TarEntry, String)], _ change: (inout ArchiveLimits) -> Void) throws -> String {
            var options = LayerUnpacker.Options()
            options.owner = (getuid(), getgid())
            change(&options.limits)
            do {
                _ = try LayerUnpacker(into: root.raw, options: options).unpack(BytesSource(try Self.tar(entries)))
                return "nothing refused"
            } catch { return "\(error)" }
        }
        #expect(try message((0..<20).map { Self.file("f\($0)") }) { $0.entries = 10 }.contains("limit of 10 entries"))
        #expect(try message([Self.file("f", "12345678901")]) { $0.contentBytes = 10 }.contains("limit of 10 bytes"))
        #expect(
            try message([Self.file(String(repeating: "é/", count: 60) + "f")]) { $0.headerBytes = 100 }.contains(
                "limit of 100 bytes"))
        #expect(try message([Self.file("a/b/c/d")]) { $0.depth = 3 }.contains("3 directories deep"))
        #expect(try message([Self.file("f")]) { $0.freeBytes = .max }.contains("no space left on device"))
    }

    /// One header block with chosen fields, sealed.
    static func block(name: String, type: Character, size: [UInt8], fill: [UInt8] = []) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Sequence<UInt8>, _ at: Int) {
            for (index, byte) in bytes.enumerated() { block[at + index] = byte }
        }
        put(name.utf8, 0)
        put("0000644\0".utf8, 100)
        put("0000000\0".utf8, 108)
        put("0000000\0".utf8, 116)
        put(size, 124)
        put("00000000000\0".utf8, 136)
        put("        ".utf8, 148)
        put([type.asciiValue ?? 0], 156)
        put("ustar\u{0}00".utf8, 257)
        let sum = block.reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        put((String(repeating: "0", count: 6 - digits.count) + digits + "\0 ").utf8, 148)
        return block + fill
    }

    static let huge: [UInt8] = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
    static let tooLarge: [UInt8] = [0xff] + [UInt8](repeating: 0xff, count: 11)
    static let overflowing: [UInt8] = [0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]

    static let lies: [(String, [UInt8])] = [
        ("a size beyond all limits", block(name: "f", type: "0", size: huge)),
        ("a negative size", block(name: "f", type: "0", size: tooLarge)),
        ("a size that overflows", block(name: "f", type: "0", size: overflowing)),
        ("a size that is no number", block(name: "f", type: "0", size: Array("zzzzzzzzzzz\0".utf8))),
        ("a huge pax header", block(name: "f", type: "x", size: huge)),
        ("a huge long name", block(name: "f", type: "L", size: huge)),
        ("a huge volume name", block(name: "f", type: "V", size: huge)),
        ("a size with no content", block(name: "f", type: "0", size: Array("00000001000\0".utf8))),
        ("a sparse file", block(name: "f", type: "S", size: Array("00000000000\0".utf8))),
        ("an unknown type", block(name: "f", type: "Q", size: Array("00000000000\0".utf8))),
        ("half a header", Array(block(name: "f", type: "0", size: Array("00000000000\0".utf8)).prefix(300))),
        ("no tar at all", Array("<html>not found</html>".utf8) + [UInt8](repeating: 0x20, count: 1000)),
        (
            "a pax line longer than its header",
            block(
                name: "f", type: "x", size: Array("00000000013\0".utf8),
                fill: Array("99 path=abc".utf8) + [UInt8](repeating: 0, count: 501))
        ),
        (
            "a pax line of no length",
            block(
                name: "f", type: "x", size: Array("00000000013\0".utf8),
                fill: Array("0 path=abc\n".utf8) + [UInt8](repeating: 0, count: 501))
        ),
        (
            "a pax number that is none",
            block(
                name: "f", type: "x", size: Array("00000000013\0".utf8),
                fill: Array("11 uid=-1a\n".utf8) + [UInt8](repeating: 0, count: 501))
                + block(name: "f", type: "0", size: Array("00000000000\0".utf8))
        ),
        (
            "a pax name with a zero byte",
            block(
                name: "f", type: "x", size: Array("00000000014\0".utf8),
                fill: Array("12 path=a\0b\n".utf8) + [UInt8](repeating: 0, count: 500))
                + block(name: "f", type: "0", size: Array("00000000000\0".utf8))
        ),
    ]

    @Test("a header that lies is refused", arguments: lies)
    func refusesLies(name: String, bytes: [UInt8]) throws {
        #expect(throws: Failure(.invalid, "")) {
            let reader = TarReader(BytesSource(bytes))
            while let entry = try reader.next() { _ = try reader.readAll(limit: Int(entry.size)) }
        }
    }

    @Test("a wrong checksum is refused")
    func refusesWrongChecksum() throws {
        var bytes = try Self.tar([Self.file("f")])
        bytes[0] ^= 1
        #expect(throws: Failure(.invalid, "")) { try TarReader(BytesSource(bytes)).next() }
    }

    @Test("a message about an entry carries nothing that steers a terminal")
    func cleansNames() throws {
        let scratch = try Scratch()
        let root = try scratch.directory("root")
        let bytes = try Self.tar([Self.file("../\u{1b}[2Jx\n")])
        do {
            _ = try LayerUnpacker(into: root.raw).unpack(BytesSource(bytes))
            Issue.record("nothing refused")
        } catch { #expect(!"\(error)".unicodeScalars.contains { $0.value < 0x20 }) }
    }

    @Test("a later entry replaces an earlier one of the same name, directories merge")
    func replaces() throws {
        let scratch = try Scratch()
        let root = try scratch.directory("root")
        var options = LayerUnpacker.Options()
        options.whiteouts = .ordinary
        options.owner = (getuid(), getgid())
        let bytes = try Self.tar([
            Self.file("a", "one"), Self.file("./a", "two"), Self.directory("d"), Self.file("d/x", "x"),
            Self.directory("d"),
            Self.file("f", "f"), Self.directory("f"), Self.file("f/y", "y"), Self.directory("g"), Self.file("g/z"),
            Self.file("g", "file"),
        ])
        _ = try LayerUnpacker(into: root.raw, options: options).unpack(BytesSource(bytes))
        #expect(scratch.text("root/a") == "two")
        #expect(scratch.text("root/d/x") == "x")
        #expect(scratch.text("root/f/y") == "y")
        #expect(scratch.text("root/g") == "file")
    }

    @Test("where kinds may not be replaced, they are refused")
    func keepsKinds() throws {
        for entries in [[Self.directory("a"), Self.file("a")], [Self.file("a"), Self.directory("a")]] {
            let scratch = try Scratch()
            let root = try scratch.directory("root")
            var options = LayerUnpacker.Options()
            options.whiteouts = .ordinary
            options.owner = (getuid(), getgid())
            options.replacesKinds = false
            let bytes = try Self.tar(entries)
            #expect(throws: Failure.self) {
                try LayerUnpacker(into: root.raw, options: options).unpack(BytesSource(bytes))
            }
        }
    }
}
