extension JSON {
    /// How much of a document is believed before it is refused.
    public struct Limits: Sendable, Hashable {
        /// Objects and arrays inside one another.
        public var depth: Int
        /// Bytes of text.
        public var bytes: Int
        /// Values of all kinds: each costs memory far beyond its two bytes of text.
        public var values: Int

        public init(depth: Int = 128, bytes: Int = 64 << 20, values: Int = 2_000_000) {
            self.depth = depth
            self.bytes = bytes
            self.values = values
        }

        public static let standard = Limits()
    }

    /// Why a text is not JSON, and where.
    public struct ParseError: Error, Sendable, Hashable, CustomStringConvertible {
        public enum Reason: String, Sendable, Hashable {
            case unexpectedEnd = "unexpected end of input"
            case unexpectedCharacter = "unexpected character"
            case invalidNumber = "invalid number"
            case numberOutOfRange = "number out of range"
            case invalidEscape = "invalid escape in string"
            case controlCharacter = "control character in string"
            case invalidUTF8 = "string is not UTF-8"
            case trailingData = "data after the value"
            case tooDeep = "nested too deep"
            case tooLarge = "too large"
        }

        public let reason: Reason
        /// Bytes from the start of the text.
        public let offset: Int

        public init(reason: Reason, offset: Int) {
            self.reason = reason
            self.offset = offset
        }

        public var description: String { "invalid JSON at byte \(offset): \(reason.rawValue)" }
    }

    /// The value a text stands for, strictly by RFC 8259.
    ///
    /// The last of several members of one name wins, as in Go. A lone surrogate escape becomes U+FFFD, as in Go:
    /// documents that carry one exist. Anything after the value is an error.
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, limits: Limits = .standard
    ) throws(ParseError) -> JSON {
        guard bytes.count <= limits.bytes else { throw ParseError(reason: .tooLarge, offset: limits.bytes) }
        var parser = JSONParser(bytes: bytes, limits: limits)
        return try parser.document()
    }

    public static func parse(_ bytes: [UInt8], limits: Limits = .standard) throws(ParseError) -> JSON {
        // `withUnsafeBytes` on arrays only rethrows untyped; a Result carries the type across.
        try bytes.withUnsafeBytes { raw -> Result<JSON, ParseError> in
            do throws(ParseError) { return .success(try parse(raw, limits: limits)) } catch { return .failure(error) }
        }.get()
    }

    /// A document without one of its members, and where that one's text is: for a large part that is known by its text from the
    /// last time.
    ///
    /// Only an object is set aside, by the rule for members of one name the last of them. Of its text nothing is proven but
    /// that its brackets and strings end.
    ///
    /// - Parameters:
    ///   - path: the names of the objects around it, and its own.
    ///   - names: members of those objects that are left out where they are objects or arrays, for who does not need them.
    public static func parse(
        _ bytes: [UInt8], settingAside path: [String], leavingOut names: [String] = [], limits: Limits = .standard
    ) throws(ParseError) -> (document: JSON, aside: Range<Int>?) {
        try bytes.withUnsafeBytes { raw -> Result<(document: JSON, aside: Range<Int>?), ParseError> in
            do throws(ParseError) {
                guard raw.count <= limits.bytes else { throw ParseError(reason: .tooLarge, offset: limits.bytes) }
                var parser = JSONParser(bytes: raw, limits: limits)
                return .success((try parser.document(settingAside: path, leavingOut: names), parser.aside))
            } catch { return .failure(error) }
        }.get()
    }

    public static func parse(_ text: String, limits: Limits = .standard) throws(ParseError) -> JSON {
        var text = text
        return try text.withUTF8 { utf8 -> Result<JSON, ParseError> in
            do throws(ParseError) {
                return .success(try parse(UnsafeRawBufferPointer(utf8), limits: limits))
            } catch { return .failure(error) }
        }.get()
    }
}

/// A recursive descent over the bytes; the depth limit bounds the stack.
struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth: Int
    private var values: Int
    private var scratch: [UInt8] = []
    /// The names on the way to what is set aside; empty for nothing.
    private var path: [String] = []
    /// Of the objects on that way, the members that are passed over.
    private var unwanted: [String] = []
    /// Where its text is.
    private(set) var aside: Range<Int>?

    init(bytes: UnsafeRawBufferPointer, limits: JSON.Limits) {
        self.bytes = bytes
        depth = limits.depth
        values = limits.values
    }

    mutating func document(
        settingAside path: [String] = [], leavingOut names: [String] = []
    ) throws(JSON.ParseError) -> JSON {
        self.path = path
        unwanted = names
        skipSpace()
        let value = try value(at: path.isEmpty ? nil : 0)
        skipSpace()
        guard position == bytes.count else { throw failure(.trailingData) }
        return value
    }

    /// - Parameter part: which name on the way an object's members are compared with; nil off the way.
    private mutating func value(at part: Int? = nil) throws(JSON.ParseError) -> JSON {
        values -= 1
        guard values >= 0 else { throw failure(.tooLarge) }
        guard position < bytes.count else { throw failure(.unexpectedEnd) }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return try object(at: part)
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        default: return try number()
        }
    }

    private mutating func object(at part: Int?) throws(JSON.ParseError) -> JSON {
        try enter()
        var object = JSONObject()
        if try !closes(UInt8(ascii: "}")) {
            repeat {
                skipSpace()
                guard position < bytes.count else { throw failure(.unexpectedEnd) }
                guard bytes[position] == UInt8(ascii: "\"") else { throw failure(.unexpectedCharacter) }
                let key = try string()
                skipSpace()
                try expect(UInt8(ascii: ":"))
                skipSpace()
                guard let part, key == path[part] else {
                    if part != nil, unwanted.contains(key), isBracket {
                        _ = try skipBrackets()
                    } else {
                        object[key] = try value()
                    }
                    continue
                }
                aside = nil
                if part + 1 < path.count {
                    object[key] = try value(at: part + 1)
                } else if position < bytes.count, bytes[position] == UInt8(ascii: "{") {
                    object[key] = nil
                    aside = try skipBrackets()
                } else {
                    object[key] = try value()
                }
            } while try continues(closing: UInt8(ascii: "}"))
        }
        depth += 1
        return .object(object)
    }

    private var isBracket: Bool {
        position < bytes.count && (bytes[position] == UInt8(ascii: "{") || bytes[position] == UInt8(ascii: "["))
    }

    /// Passes over an object or an array, by its brackets and the ends of strings.
    private mutating func skipBrackets() throws(JSON.ParseError) -> Range<Int> {
        let start = position
        var open = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
            case UInt8(ascii: "\""):
                position += 1
                while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                    position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
                }
            default: break
            }
            position += 1
            if open == 0 { return start..<position }
        }
        throw JSON.ParseError(reason: .unexpectedEnd, offset: bytes.count)
    }

    private mutating func array() throws(JSON.ParseError) -> JSON {
        try enter()
        var array: [JSON] = []
        if try !closes(UInt8(ascii: "]")) {
            repeat {
                skipSpace()
                array.append(try value())
            } while try continues(closing: UInt8(ascii: "]"))
        }
        depth += 1
        return .array(array)
    }

    // MARK: Strings

    private mutating func string() throws(JSON.ParseError) -> String {
        let start = position + 1
        position = start
        var seen: UInt8 = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let raw = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
                position += 1
                // Nothing in ASCII is to be repaired, and this way costs a third of the one that would say so.
                return seen < 0x80 ? String(decoding: raw, as: UTF8.self) : try decoded(raw, at: start)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw failure(.controlCharacter) }
            seen |= byte
            position += 1
        }
        throw failure(.unexpectedEnd)
    }

    /// The string that began at `start` and has its first escape where we stand.
    private mutating func escapedString(from start: Int) throws(JSON.ParseError) -> String {
        scratch.removeAll(keepingCapacity: true)
        scratch.append(contentsOf: bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: scratch, as: UTF8.self) else {
                    throw JSON.ParseError(reason: .invalidUTF8, offset: start)
                }
                return text
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20:
                position -= 1
                throw failure(.controlCharacter)
            default: scratch.append(byte)
            }
        }
        throw failure(.unexpectedEnd)
    }

    private mutating func escape() throws(JSON.ParseError) {
        guard position < bytes.count else { throw failure(.unexpectedEnd) }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(byte)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "n"): scratch.append(0x0A)
        case UInt8(ascii: "r"): scratch.append(0x0D)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "u"): scratch.append(contentsOf: String(try unicodeEscape()).utf8)
        default:
            position -= 1
            throw failure(.invalidEscape)
        }
    }

    private mutating func unicodeEscape() throws(JSON.ParseError) -> Character {
        let replacement: Character = "\u{FFFD}"
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return Character(scalar) }
        let pairFollows =
            first < 0xDC00 && position + 1 < bytes.count && bytes[position] == UInt8(ascii: "\\")
            && bytes[position + 1] == UInt8(ascii: "u")
        guard pairFollows else { return replacement }
        let resume = position
        position += 2
        let second = try fourHexDigits()
        guard (0xDC00...0xDFFF).contains(second) else {
            position = resume  // what follows is an escape in its own right
            return replacement
        }
        let scalar = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        return Unicode.Scalar(scalar).map(Character.init) ?? replacement
    }

    private mutating func fourHexDigits() throws(JSON.ParseError) -> UInt16 {
        guard position + 4 <= bytes.count else { throw failure(.unexpectedEnd) }
        var result: UInt16 = 0
        for _ in 0..<4 {
            let byte = bytes[position]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw failure(.invalidEscape)
            }
            result = result << 4 | UInt16(digit)
            position += 1
        }
        return result
    }

    private func decoded(_ raw: UnsafeRawBufferPointer, at start: Int) throws(JSON.ParseError) -> String {
        guard let text = String(validating: raw.bindMemory(to: UInt8.self), as: UTF8.self) else {
            throw JSON.ParseError(reason: .invalidUTF8, offset: start)
        }
        return text
    }

    // MARK: Numbers

    private mutating func number() throws(JSON.ParseError) -> JSON {
        let start = position
        let negative = bytes[position] == UInt8(ascii: "-")
        if negative { position += 1 }
        var magnitude: UInt64 = 0
        var overflows = false
        let firstDigit = position
        while let digit = digit() {
            let (product, high) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            overflows = overflows || high || carry
            magnitude = sum
        }
        guard position > firstDigit else {
            if negative { throw failure(position < bytes.count ? .invalidNumber : .unexpectedEnd) }
            throw failure(.unexpectedCharacter)
        }
        if position > firstDigit + 1, bytes[firstDigit] == UInt8(ascii: "0") {
            throw JSON.ParseError(reason: .invalidNumber, offset: start)
        }
        if try !fractionOrExponent() && !overflows {
            if !negative {
                return magnitude <= UInt64(Int64.max) ? .integer(Int64(magnitude)) : .unsigned(magnitude)
            }
            if magnitude <= UInt64(Int64.max) { return .integer(-Int64(magnitude)) }
            if magnitude == Int64.min.magnitude { return .integer(.min) }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            throw JSON.ParseError(reason: .numberOutOfRange, offset: start)
        }
        return .double(value)
    }

    private mutating func fractionOrExponent() throws(JSON.ParseError) -> Bool {
        var found = false
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            found = true
            position += 1
            try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            found = true
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits()
        }
        return found
    }

    private mutating func digits() throws(JSON.ParseError) {
        guard digit() != nil else { throw failure(position < bytes.count ? .invalidNumber : .unexpectedEnd) }
        while digit() != nil {}
    }

    private mutating func digit() -> UInt8? {
        guard position < bytes.count else { return nil }
        let digit = bytes[position] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        position += 1
        return digit
    }

    // MARK: Punctuation

    private mutating func enter() throws(JSON.ParseError) {
        guard depth > 0 else { throw failure(.tooDeep) }
        depth -= 1
        position += 1
    }

    /// Whether the container ends before its first element.
    private mutating func closes(_ byte: UInt8) throws(JSON.ParseError) -> Bool {
        skipSpace()
        guard position < bytes.count else { throw failure(.unexpectedEnd) }
        guard bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// Whether a comma follows the element, or else the end of the container.
    private mutating func continues(closing byte: UInt8) throws(JSON.ParseError) -> Bool {
        skipSpace()
        guard position < bytes.count else { throw failure(.unexpectedEnd) }
        let found = bytes[position]
        guard found == UInt8(ascii: ",") || found == byte else { throw failure(.unexpectedCharacter) }
        position += 1
        return found != byte
    }

    private mutating func expect(_ byte: UInt8) throws(JSON.ParseError) {
        guard position < bytes.count else { throw failure(.unexpectedEnd) }
        guard bytes[position] == byte else { throw failure(.unexpectedCharacter) }
        position += 1
    }

    private mutating func literal(_ word: StaticString) throws(JSON.ParseError) {
        for offset in 0..<word.utf8CodeUnitCount { try expect(word.utf8Start[offset]) }
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private func failure(_ reason: JSON.ParseError.Reason) -> JSON.ParseError {
        JSON.ParseError(reason: reason, offset: position)
    }
}
