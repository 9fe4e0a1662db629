/// One way a server offers to be convinced, from `WWW-Authenticate`. (RFC 9110, section 11.6.1)
struct Challenge: Sendable, Hashable {
    /// Lower case: `basic`, `bearer`.
    var scheme: String
    /// Names in lower case.
    var parameters: [String: String]

    /// Reads the values of all such headers of one answer; what cannot be read is left out.
    static func parse(_ headers: [String]) -> [Challenge] { headers.flatMap { parse($0) } }

    private static func parse(_ header: String) -> [Challenge] {
        var challenges: [Challenge] = []
        var reader = Reader(text: Array(header.utf8.prefix(8192)))
        while let word = reader.token() {
            if reader.skip(UInt8(ascii: "=")) {
                // A parameter of the challenge that is open.
                guard let value = reader.value() else { return challenges }
                if challenges.isEmpty { return [] }
                challenges[challenges.count - 1].parameters[word.lowercased()] = value
            } else {
                challenges.append(Challenge(scheme: word.lowercased(), parameters: [:]))
            }
        }
        return challenges
    }

    private struct Reader {
        let text: [UInt8]
        var at = 0

        /// A token with the blanks and commas before it.
        mutating func token() -> String? {
            while at < text.count, text[at] == UInt8(ascii: " ") || text[at] == UInt8(ascii: ",") || text[at] == 9 {
                at += 1
            }
            let start = at
            while at < text.count, Reader.isToken(text[at]) { at += 1 }
            return at > start ? String(decoding: text[start..<at], as: UTF8.self) : nil
        }

        mutating func skip(_ byte: UInt8) -> Bool {
            guard at < text.count, text[at] == byte else { return false }
            at += 1
            return true
        }

        /// A token or a quoted string.
        mutating func value() -> String? {
            guard skip(UInt8(ascii: "\"")) else { return token() }
            var bytes: [UInt8] = []
            while at < text.count {
                let byte = text[at]
                at += 1
                if byte == UInt8(ascii: "\"") { return String(decoding: bytes, as: UTF8.self) }
                if byte == UInt8(ascii: "\\"), at < text.count {
                    bytes.append(text[at])
                    at += 1
                } else {
                    bytes.append(byte)
                }
            }
            return nil
        }

        static func isToken(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "!#$%&'*+-.^_`|~/:".utf8.contains(byte)
            }
        }
    }
}
