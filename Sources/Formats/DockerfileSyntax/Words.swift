internal import JSON

/// Cuts an instruction's text into words, flags and JSON arrays, quotes and escapes kept for the expansion that follows.
enum Words {
    /// The words between white space; quoted and escaped white space does not separate.
    ///
    /// Quotes and escapes stay.
    static func split(_ text: String, escape: UInt8) -> [String] {
        let bytes = Array(text.utf8)
        var words: [String] = []
        var word: [UInt8] = []
        var quote: UInt8?
        var at = 0
        func flush() {
            if !word.isEmpty { words.append(word.text) }
            word = []
        }
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if let open = quote {
                word.append(byte)
                if byte == open {
                    quote = nil
                } else if byte == escape, open == ASCII.doubleQuote, at < bytes.count {
                    word.append(bytes[at])
                    at += 1
                }
            } else if ASCII.isSpace(byte) {
                flush()
            } else if byte == escape {
                // An escape character at the very end escapes nothing and goes.
                guard at < bytes.count else { break }
                word.append(byte)
                word.append(bytes[at])
                at += 1
            } else {
                if byte == ASCII.singleQuote || byte == ASCII.doubleQuote { quote = byte }
                word.append(byte)
            }
        }
        flush()
        return words
    }

    /// The `--flag` words in front, unquoted, and what follows them.
    ///
    /// A lone `--` ends them.
    static func flags(_ text: String) -> (flags: [String], rest: String) {
        let bytes = Array(text.utf8)
        var flags: [String] = []
        var at = 0
        while true {
            while at < bytes.count, ASCII.isSpace(bytes[at]) { at += 1 }
            guard at + 1 < bytes.count, bytes[at] == ASCII.dash, bytes[at + 1] == ASCII.dash else { break }
            var word: [UInt8] = []
            var quote: UInt8?
            while at < bytes.count {
                let byte = bytes[at]
                if let open = quote {
                    if byte == open {
                        quote = nil
                    } else if byte == ASCII.backslash, at + 1 < bytes.count {
                        at += 1
                        word.append(bytes[at])
                    } else {
                        word.append(byte)
                    }
                } else if ASCII.isSpace(byte) {
                    break
                } else if byte == ASCII.singleQuote || byte == ASCII.doubleQuote {
                    quote = byte
                } else if byte == ASCII.backslash {
                    at += 1
                    if at < bytes.count { word.append(bytes[at]) }
                } else {
                    word.append(byte)
                }
                at += 1
            }
            if word == [ASCII.dash, ASCII.dash] { break }
            flags.append(word.text)
        }
        return (flags, bytes[min(at, bytes.count)...].trimmed.text)
    }

    /// The elements when `text` is a JSON array, `nil` when it is not; then it is the shell form.
    static func json(_ text: String) -> [JSON]? {
        guard text.utf8.first(where: { !ASCII.isSpace($0) }) == ASCII.openBracket else { return nil }
        return try? JSON.parse(Array(text.utf8)).arrayValue
    }

    /// The strings of a JSON array, `nil` when it is none.
    static func jsonStrings(_ text: String) throws(SyntaxProblem) -> [String]? {
        guard let elements = json(text) else { return nil }
        var strings: [String] = []
        for element in elements {
            guard let string = element.stringValue else {
                throw SyntaxProblem("when using JSON array syntax, arrays must be comprised of strings only")
            }
            strings.append(string)
        }
        return strings
    }
}
