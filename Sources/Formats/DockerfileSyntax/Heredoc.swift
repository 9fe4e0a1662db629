/// One here-document: `<<EOF`, `<<-EOF`, `<<"EOF"`, `3<<EOF`.
public struct Heredoc: Hashable, Sendable {
    /// The word that ends it.
    public var name: String
    /// Leading tabs of each line are dropped: `<<-`.
    public var stripsTabs: Bool
    /// Variables in it are expanded: no part of the word was quoted.
    public var expands: Bool
    /// The descriptor in front of `<<`, for a shell.
    public var descriptor: Int?
    /// The lines between, each with its line end.
    public var content: String = ""

    /// The content with leading tabs dropped where that was asked for.
    public var text: String {
        guard stripsTabs else { return content }
        var result: [UInt8] = []
        var atStart = true
        for byte in content.utf8 {
            if atStart, byte == ASCII.tab { continue }
            atStart = byte == ASCII.newline
            result.append(byte)
        }
        return result.text
    }

    /// The here-document that a whole word opens, or `nil` when it opens none.
    static func opened(by word: String, escape: UInt8) -> Heredoc? {
        let bytes = Array(word.utf8)
        var at = 0
        while at < bytes.count, ASCII.isDigit(bytes[at]) { at += 1 }
        let digits = bytes[..<at]
        guard at + 1 < bytes.count, bytes[at] == ASCII.less, bytes[at + 1] == ASCII.less else { return nil }
        at += 2
        let strips = at < bytes.count && bytes[at] == ASCII.dash
        if strips { at += 1 }
        let rest = bytes[at...]
        guard !rest.isEmpty, !rest.contains(ASCII.less) else { return nil }
        // The shell's own rule: quoting any part of the word keeps the text as it is.
        var name: [UInt8] = []
        var quote: UInt8?
        var quoted = false
        var index = rest.startIndex
        while index < rest.endIndex {
            let byte = rest[index]
            index += 1
            if let open = quote {
                if byte == open { quote = nil } else { name.append(byte) }
            } else if byte == ASCII.singleQuote || byte == ASCII.doubleQuote {
                quote = byte
                quoted = true
            } else if byte == escape, index < rest.endIndex {
                name.append(rest[index])
                index += 1
                quoted = true
            } else {
                name.append(byte)
            }
        }
        guard quote == nil, !name.isEmpty else { return nil }
        return Heredoc(
            name: name.text, stripsTabs: strips, expands: !quoted, descriptor: digits.isEmpty ? nil : Int(digits.text))
    }

    /// The here-documents an instruction's line opens, in order.
    static func opened(inLine line: String, escape: UInt8) -> [Heredoc] {
        guard line.contains("<<") else { return [] }
        return Words.split(line, escape: escape).compactMap { opened(by: $0, escape: escape) }
    }
}
