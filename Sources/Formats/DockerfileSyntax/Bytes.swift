/// The characters a Dockerfile's syntax is made of.
///
/// All are ASCII, so lines are walked as UTF-8 bytes, and what lies
/// between passes through untouched: grapheme clusters would hide a `\n` behind a `\r`.
public enum ASCII {
    @inlinable public static var tab: UInt8 { UInt8(ascii: "\t") }
    @inlinable public static var newline: UInt8 { UInt8(ascii: "\n") }
    @inlinable public static var carriageReturn: UInt8 { UInt8(ascii: "\r") }
    @inlinable public static var space: UInt8 { UInt8(ascii: " ") }
    @inlinable public static var hash: UInt8 { UInt8(ascii: "#") }
    @inlinable public static var dollar: UInt8 { UInt8(ascii: "$") }
    @inlinable public static var singleQuote: UInt8 { UInt8(ascii: "'") }
    @inlinable public static var doubleQuote: UInt8 { UInt8(ascii: "\"") }
    @inlinable public static var backslash: UInt8 { UInt8(ascii: "\\") }
    @inlinable public static var backtick: UInt8 { UInt8(ascii: "`") }
    @inlinable public static var less: UInt8 { UInt8(ascii: "<") }
    @inlinable public static var dash: UInt8 { UInt8(ascii: "-") }
    @inlinable public static var dot: UInt8 { UInt8(ascii: ".") }
    @inlinable public static var equals: UInt8 { UInt8(ascii: "=") }
    @inlinable public static var slash: UInt8 { UInt8(ascii: "/") }
    @inlinable public static var star: UInt8 { UInt8(ascii: "*") }
    @inlinable public static var question: UInt8 { UInt8(ascii: "?") }
    @inlinable public static var underscore: UInt8 { UInt8(ascii: "_") }
    @inlinable public static var openBrace: UInt8 { UInt8(ascii: "{") }
    @inlinable public static var closeBrace: UInt8 { UInt8(ascii: "}") }
    @inlinable public static var openBracket: UInt8 { UInt8(ascii: "[") }
    @inlinable public static var closeBracket: UInt8 { UInt8(ascii: "]") }
    @inlinable public static var colon: UInt8 { UInt8(ascii: ":") }

    @inlinable public static func isSpace(_ byte: UInt8) -> Bool { byte == space || (byte >= 9 && byte <= 13) }
    @inlinable public static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    @inlinable public static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a }
}

extension Collection<UInt8> {
    /// The bytes as text; what is not UTF-8 is repaired.
    @inlinable public var text: String { String(decoding: self, as: UTF8.self) }
}

extension BidirectionalCollection<UInt8> {
    /// Without white space at both ends.
    public var trimmed: SubSequence {
        var rest = self[...]
        while let first = rest.first, ASCII.isSpace(first) { rest.removeFirst() }
        while let last = rest.last, ASCII.isSpace(last) { rest.removeLast() }
        return rest
    }
}

extension String {
    /// Without white space at both ends.
    public var trimmed: String { Array(utf8).trimmed.text }

    /// The first word and the rest behind the white space that ends it.
    public var firstWord: (word: String, rest: String) {
        let bytes = Array(utf8).trimmed
        let end = bytes.firstIndex(where: ASCII.isSpace) ?? bytes.endIndex
        return (bytes[..<end].text, bytes[end...].trimmed.text)
    }

    /// The parts between runs of white space.
    public var fields: [String] { Array(utf8).split(whereSeparator: ASCII.isSpace).map(\.text) }
}
