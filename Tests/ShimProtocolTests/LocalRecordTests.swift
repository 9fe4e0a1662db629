import Linux
import Testing

@testable import ShimProtocol

@Suite struct LocalRecordTests {
    /// The messages of the records, without the lengths around them, which must agree.
    static func messages(_ chunks: [[UInt8]], finish: Bool = true) throws -> [[UInt8]] {
        var recorder = LogRecorder(.stderr, form: .local)
        var (output, ends) = ([UInt8](), [Int]())
        let time = WallTime(seconds: 0, nanoseconds: 300)
        for chunk in chunks {
            chunk.withUnsafeBytes { recorder.take($0, at: time, into: &output, ends: &ends) }
        }
        if finish { recorder.finish(at: time, into: &output, ends: &ends) }
        var start = 0
        return try ends.map { end in
            defer { start = end }
            let record = Array(output[start..<end])
            let length = record.count - 8
            try #require(length > 0)
            for at in [0, record.count - 4] {
                #expect(record[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) } == length)
            }
            return Array(record[4..<(record.count - 4)])
        }
    }

    static let head: [UInt8] = [0x0a, 6] + Array("stderr".utf8) + [0x10, 0xac, 0x02]

    @Test func aLineIsAMessageWithoutItsNewline() throws {
        #expect(try Self.messages([Array("hi\n".utf8)]) == [Self.head + [0x1a, 2] + Array("hi".utf8)])
        #expect(try Self.messages([Array("h".utf8), Array("i\n".utf8)]).count == 1)
        #expect(try Self.messages([[0x0a]]) == [Self.head])
        #expect(try Self.messages([[0xff, 0x00, 0x0a]]) == [Self.head + [0x1a, 2, 0xff, 0]], "bytes stay bytes")
    }

    @Test func whatNeverEndedIsAPart() throws {
        let id = Array("12c-6".utf8)
        #expect(
            try Self.messages([Array("x".utf8)])
                == [Self.head + [0x1a, 1, 0x78, 0x20, 1, 0x2a, 9, 0x12, 5] + id + [0x18, 1]])
    }

    @Test func theLastPartOfALongLineSaysSo() throws {
        let messages = try Self.messages([[UInt8](repeating: 0x61, count: 20000) + [0x0a], Array("b\n".utf8)])
        #expect(messages.count == 3)
        #expect(messages[0].starts(with: Self.head + [0x1a, 0x80, 0x80, 0x01]))
        #expect(messages[0].suffix(2) == [0x18, 1])
        #expect(messages[1].suffix(15) == [0x20, 1, 0x2a, 11, 0x08, 1, 0x12, 5] + Array("12c-6".utf8) + [0x18, 2])
        #expect(messages[2] == Self.head + [0x1a, 1, 0x62])
    }
}
