/// The characters a Dockerfile's syntax is made of.
///
/// All are ASCII, so lines are walked as UTF-8 bytes, and what lies
/// between passes through untouched: grapheme clusters would hide a `\n` behind a `\r`.
enum ASCII {
    static let tab = UInt8(ascii: "\t")
    static let newline = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let hash = UInt8(ascii: "#")
    static let dollar = UInt8(ascii: "$")
    static let singleQuote = UInt8(ascii: "'")
    static let doubleQuote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let backtick = UInt8(ascii: "`")
    static let less = UInt8(ascii: "<")
    static let dash = UInt8(ascii: "-")
    static let equals = UInt8(ascii: "=")
    static let slash = UInt8(ascii: "/")
    static let star = UInt8(ascii: "*")
    static let question = UInt8(ascii: "?")
    static let underscore = UInt8(ascii: "_")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let colon = UInt8(ascii: ":")

    static func isSpace(_ byte: UInt8) -> Bool { byte == space || (byte >= 9 && byte <= 13) }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a }
}

extension Collection<UInt8> {
    /// The bytes as text; what is not UTF-8 is repaired.
    var text: String { String(decoding: self, as: UTF8.self) }
}

extension BidirectionalCollection<UInt8> {
    /// Without white space at both ends.
    var trimmed: SubSequence {
        var rest = self[...]
        while let first = rest.first, ASCII.isSpace(first) { rest.removeFirst() }
        while let last = rest.last, ASCII.isSpace(last) { rest.removeLast() }
        return rest
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String { Array(utf8).trimmed.text }

    /// The first word and the rest behind the white space that ends it.
    var firstWord: (word: String, rest: String) {
        let bytes = Array(utf8).trimmed
        let end = bytes.firstIndex(where: ASCII.isSpace) ?? bytes.endIndex
        return (bytes[..<end].text, bytes[end...].trimmed.text)
    }

    /// The parts between runs of white space.
    var fields: [String] { Array(utf8).split(whereSeparator: ASCII.isSpace).map(\.text) }
}
