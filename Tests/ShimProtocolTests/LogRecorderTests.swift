import Linux
import Testing

@testable import ShimProtocol

@Suite struct LogRecorderTests {
    static let time = WallTime(seconds: 1_763_690_584, nanoseconds: 50_000_000)

    /// What the recorder writes for chunks that come one after the other, and then the end.
    static func record(_ chunks: [[UInt8]], attributes: [String: String] = [:], finish: Bool = true) -> [String] {
        var recorder = LogRecorder(.stdout, attributes: attributes)
        var (output, ends) = ([UInt8](), [Int]())
        for chunk in chunks {
            chunk.withUnsafeBytes { recorder.take($0, at: time, into: &output, ends: &ends) }
        }
        if finish { recorder.finish(at: time, into: &output, ends: &ends) }
        #expect(ends.last ?? 0 == output.count)
        var start = 0
        return ends.map { end in
            defer { start = end }
            return String(decoding: output[start..<end], as: UTF8.self)
        }
    }

    static func line(_ log: String) -> String {
        "{\"log\":\"\(log)\",\"stream\":\"stdout\",\"time\":\"2025-11-21T02:03:04.05Z\"}\n"
    }

    @Test func aLineIsOneRecordHoweverItArrives() {
        #expect(Self.record([Array("hello\n".utf8)]) == [Self.line("hello\\n")])
        #expect(Self.record(["h", "el", "lo", "\n"].map { Array($0.utf8) }) == [Self.line("hello\\n")])
        #expect(
            Self.record([Array("a\n\nb".utf8), Array("c\n".utf8)])
                == [Self.line("a\\n"), Self.line("\\n"), Self.line("bc\\n")])
    }

    @Test func theRestIsWrittenWithoutNewlineAtTheEnd() {
        #expect(Self.record([Array("prompt> ".utf8)], finish: false).isEmpty)
        #expect(Self.record([Array("prompt".utf8)]) == [Self.line("prompt")])
        #expect(Self.record([]).isEmpty)
    }

    @Test(arguments: [
        ("tab\there", "tab\\u0009here"), ("\u{1b}[0m", "\\u001b[0m"),
        ("<a href=\"x\">&", "\\u003ca href=\\\"x\\\"\\u003e\\u0026"),
        ("back\\slash\r", "back\\\\slash\\r"), ("ü€😀", "ü€😀"), ("\u{2028}\u{2029}", "\\u2028\\u2029"),
        ("\u{7f}", "\u{7f}"),
    ]) func textIsEscapedAsGoDoes(_ text: String, _ escaped: String) {
        #expect(Self.record([Array(text.utf8)]) == [Self.line(escaped)])
    }

    @Test(
        arguments: [
            ([0xff], 1), ([0xc3], 1), ([0xc0, 0x80], 2), ([0xed, 0xa0, 0x80], 3), ([0xf4, 0x90, 0x80, 0x80], 4),
            ([0xe2, 0x82], 2),
        ] as [([UInt8], Int)]) func whatIsNoTextBecomesReplacementCharacters(_ bytes: [UInt8], _ count: Int)
    {
        #expect(Self.record([bytes + [0x0a]]) == [Self.line(String(repeating: "\\ufffd", count: count) + "\\n")])
    }

    @Test func aLongLineIsCutIntoPiecesThatAddUp() {
        let line = [UInt8](repeating: 0x61, count: 40000)
        let records = Self.record([line + [0x0a]])
        #expect(records.count == 3)
        #expect(records[0] == Self.line(String(repeating: "a", count: 16384)))
        #expect(records[2] == Self.line(String(repeating: "a", count: 40000 - 32768) + "\\n"))
    }

    @Test func aPieceNeverEndsInsideACharacter() {
        let text = String(repeating: "a", count: 16383) + "€uro"
        let records = Self.record([Array(text.utf8)])
        #expect(records == [Self.line(String(repeating: "a", count: 16383)), Self.line("€uro")])
    }

    @Test func aLineOfExactlyOnePieceIsFollowedByItsNewline() {
        let records = Self.record([[UInt8](repeating: 0x62, count: 16384), [0x0a]])
        #expect(records == [Self.line(String(repeating: "b", count: 16384)), Self.line("\\n")])
    }

    @Test func attributesAreWrittenSortedBetweenStreamAndTime() {
        let records = Self.record([Array("x\n".utf8)], attributes: ["b": "2\"", "a": "1"])
        #expect(
            records == [
                "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"1\",\"b\":\"2\\\"\"},\"time\":\"2025-11-21T02:03:04.05Z\"}\n"
            ])
    }

    @Test(
        arguments: [
            (0, 0, "1970-01-01T00:00:00Z"), (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (1_709_251_199, 999_999_999, "2024-02-29T23:59:59.999999999Z"),
            (4_102_444_800, 120_000_000, "2100-01-01T00:00:00.12Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
        ] as [(Int64, Int32, String)]) func timesAreWrittenAsGoDoes(
            _ seconds: Int64, _ nanoseconds: Int32, _ text: String
        )
    {
        var output: [UInt8] = []
        WallTime(seconds: seconds, nanoseconds: nanoseconds).append(to: &output)
        #expect(String(decoding: output, as: UTF8.self) == text)
    }
}
