internal import Linux

/// Records of Docker's `json-file` log: one JSON object per line, as moby's `jsonlog` package writes it.
///
/// ```
/// {"log":"hello\n","stream":"stdout","time":"2026-11-21T02:03:04.05Z"}
/// ```
///
/// `<`, `>`, `&`, control characters, U+2028 and U+2029 are escaped, bytes that are no UTF-8 become `\ufffd`, and the
/// fraction of the time loses its trailing zeros, all as Go's encoder has it.
struct JSONRecordForm: Sendable {
    private let head: [UInt8]
    private let middle: [UInt8]
    /// The last record's time and what ends a record with it: all lines of one read have the same.
    private var time: WallTime?
    private var tail: [UInt8] = []

    /// - Parameter attributes: what every record carries as `attrs`, written sorted.
    init(_ stream: LogStream, attributes: [String: String]) {
        head = Array("{\"log\":\"".utf8)
        var text = Array("\",\"stream\":\"\(stream.rawValue)\"".utf8)
        if !attributes.isEmpty {
            text += Array(",\"attrs\":{".utf8)
            for (index, (key, value)) in attributes.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                for (part, end) in [(key, "\":"), (value, "\"")] {
                    text.append(UInt8(ascii: "\""))
                    Array(part.utf8).withUnsafeBytes { Self.appendEscaped($0, to: &text) }
                    text += Array(end.utf8)
                }
            }
            text.append(UInt8(ascii: "}"))
        }
        middle = text + Array(",\"time\":\"".utf8)
    }

    mutating func append(_ piece: UnsafeRawBufferPointer, at time: WallTime, to output: inout [UInt8]) {
        if time != self.time {
            self.time = time
            tail = middle
            time.append(to: &tail)
            tail.append(UInt8(ascii: "\""))
            tail.append(UInt8(ascii: "}"))
            tail.append(UInt8(ascii: "\n"))
        }
        output.append(contentsOf: head)
        Self.appendEscaped(piece, to: &output)
        output.append(contentsOf: tail)
    }

    // MARK: Escaping

    private static let hexDigits = Array("0123456789abcdef".utf8)
    private static let replacement = Array("\\ufffd".utf8)
    private static let lineSeparator = Array("\\u2028".utf8)
    private static let paragraphSeparator = Array("\\u2029".utf8)
    /// What stands in JSON as it is: ASCII that neither JSON nor HTML gives a meaning to.
    private static let isPlain: [Bool] = (0..<256).map { byte in
        byte >= 0x20 && byte < 0x80 && ![0x22, 0x5c, 0x3c, 0x3e, 0x26].contains(byte)
    }

    /// Appends bytes as the inside of a JSON string, escaped as Go's encoder does for HTML.
    private static func appendEscaped(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        isPlain.withUnsafeBufferPointer { isPlain in
            var at = 0
            while at < bytes.count {
                let run = at
                while at < bytes.count, isPlain[Int(bytes[at])] { at += 1 }
                if run < at { output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[run..<at])) }
                if at < bytes.count { at += appendSpecial(bytes, at, to: &output) }
            }
        }
    }

    /// Appends the one character at an offset that is not plain, and says how many bytes it had.
    private static func appendSpecial(_ bytes: UnsafeRawBufferPointer, _ at: Int, to output: inout [UInt8]) -> Int {
        let byte = bytes[at]
        if byte < 0x80 {
            output.append(UInt8(ascii: "\\"))
            switch byte {
            case 0x22, 0x5c: output.append(byte)
            case 0x0a: output.append(UInt8(ascii: "n"))
            case 0x0d: output.append(UInt8(ascii: "r"))
            default:
                output.append(UInt8(ascii: "u"))
                output.append(UInt8(ascii: "0"))
                output.append(UInt8(ascii: "0"))
                output.append(hexDigits[Int(byte >> 4)])
                output.append(hexDigits[Int(byte & 15)])
            }
            return 1
        }
        let length = validSequence(bytes, at)
        if length == 0 {
            output.append(contentsOf: replacement)
            return 1
        }
        // U+2028 and U+2029 end a line in JavaScript.
        if length == 3 && byte == 0xe2 && bytes[at + 1] == 0x80 && bytes[at + 2] & 0xfe == 0xa8 {
            output.append(contentsOf: bytes[at + 2] == 0xa8 ? lineSeparator : paragraphSeparator)
        } else {
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<(at + length)]))
        }
        return length
    }

    /// The length of the well-formed UTF-8 sequence of more than one byte at an offset, 0 if there is none (RFC 3629).
    private static func validSequence(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int {
        func continues(_ offset: Int, _ low: UInt8 = 0x80, _ high: UInt8 = 0xbf) -> Bool {
            at + offset < bytes.count && bytes[at + offset] >= low && bytes[at + offset] <= high
        }
        switch bytes[at] {
        case 0xc2...0xdf: return continues(1) ? 2 : 0
        case 0xe0: return continues(1, 0xa0) && continues(2) ? 3 : 0
        case 0xed: return continues(1, 0x80, 0x9f) && continues(2) ? 3 : 0
        case 0xe1...0xef: return continues(1) && continues(2) ? 3 : 0
        case 0xf0: return continues(1, 0x90) && continues(2) && continues(3) ? 4 : 0
        case 0xf1...0xf3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xf4: return continues(1, 0x80, 0x8f) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }
}
