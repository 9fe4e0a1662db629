/// A value written as text: `'inactive-or-failed'`, `uint64 5000000`, `['a', 'b']`, `@as []`.
///
/// It is GLib's text format of variants, in which annotations carry a unit's properties; all of it but dictionaries, byte
/// strings and `nothing`. A number without a type is an `int32`, or a `double` where it has a point or an exponent.
public struct VariantText {
    private var rest: Substring
    private var depth = 0

    private init(_ text: String) { rest = text[...] }

    /// - Throws: what is no such text.
    public static func value(_ text: String) throws(DBusFault) -> DBusValue {
        var parser = VariantText(text)
        let value = try parser.value(nil)
        parser.skipSpace()
        guard parser.rest.isEmpty else { throw DBusFault("more than one value in `\(text)`") }
        return value
    }

    /// - Parameter expected: what the surroundings say about the type, if they do.
    private mutating func value(_ expected: DBusType?) throws(DBusFault) -> DBusValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= DBusType.deepest else { throw DBusFault("values that nest too deep") }
        skipSpace()
        switch rest.first {
        case nil: throw DBusFault("a value is missing")
        case "'", "\"": return try Self.string(try quoted(), expected)
        case "[": return try array(expected)
        case "(": return try structure(expected)
        case "<":
            rest.removeFirst()
            let inner = try value(nil)
            try take(">")
            return .variant(inner)
        case "@":
            rest.removeFirst()
            return try value(signature())
        default: return try plain(expected)
        }
    }

    /// A number, a truth value, or the name of a type and a value behind it.
    private mutating func plain(_ expected: DBusType?) throws(DBusFault) -> DBusValue {
        let word = String(word())
        if word == "true" || word == "false" {
            guard expected == nil || expected == .boolean else { throw DBusFault("\(word) in another type's place") }
            return .boolean(word == "true")
        }
        if let type = Self.typeNames[word] { return try value(type) }
        let isFraction = !word.hasPrefix("0x") && word.contains { ".eE".contains($0) }
        return try Self.number(word, expected ?? (isFraction ? .double : .int32))
    }

    private mutating func array(_ expected: DBusType?) throws(DBusFault) -> DBusValue {
        rest.removeFirst()
        var type: DBusType?
        if case .array(let element) = expected {
            type = element
        } else if expected != nil {
            throw DBusFault("an array in another type's place")
        }
        var elements: [DBusValue] = []
        skipSpace()
        while rest.first != "]" {
            if !elements.isEmpty { try take(",") }
            let element = try value(type)
            type = type ?? element.type
            guard element.type == type else { throw DBusFault("an array of different types") }
            elements.append(element)
            skipSpace()
        }
        rest.removeFirst()
        guard let type else { throw DBusFault("an empty array needs its type, as in `@as []`") }
        return .array(of: type, elements)
    }

    private mutating func structure(_ expected: DBusType?) throws(DBusFault) -> DBusValue {
        rest.removeFirst()
        var types: [DBusType]?
        if case .structure(let members) = expected {
            types = members
        } else if expected != nil {
            throw DBusFault("a structure in another type's place")
        }
        var members: [DBusValue] = []
        skipSpace()
        while rest.first != ")" {
            if !members.isEmpty { try take(",") }
            skipSpace()
            // A comma may stand behind the last one, as a single one needs it.
            if rest.first == ")" { break }
            if let types, members.count == types.count { throw DBusFault("a structure with too many members") }
            members.append(try value(types?[members.count]))
            skipSpace()
        }
        rest.removeFirst()
        guard !members.isEmpty, types == nil || types?.count == members.count else {
            throw DBusFault("a structure with too few members")
        }
        return .structure(members)
    }

    private mutating func quoted() throws(DBusFault) -> String {
        let quote = rest.removeFirst()
        var text = ""
        while let character = rest.popFirst() {
            if character == quote { return text }
            guard character == "\\" else {
                text.append(character)
                continue
            }
            switch rest.popFirst() {
            case "n": text.append("\n")
            case "t": text.append("\t")
            case let escaped? where !escaped.isLetter && !escaped.isNumber: text.append(escaped)
            default: throw DBusFault("an unknown escape in a string")
            }
        }
        throw DBusFault("a string without an end")
    }

    private mutating func word() -> Substring {
        let word = rest.prefix { !$0.isWhitespace && !",[]()<>'\"".contains($0) }
        rest = rest[word.endIndex...]
        return word
    }

    /// Behind an `@`: up to the space, since it has brackets of its own.
    private mutating func signature() throws(DBusFault) -> DBusType {
        let word = rest.prefix { !$0.isWhitespace }
        rest = rest[word.endIndex...]
        return try DBusType(String(word))
    }

    private mutating func take(_ character: Character) throws(DBusFault) {
        skipSpace()
        guard rest.first == character else { throw DBusFault("`\(character)` is missing before `\(rest)`") }
        rest.removeFirst()
    }

    private mutating func skipSpace() { rest = rest.drop { $0.isWhitespace } }

    private static let typeNames: [String: DBusType] = [
        "boolean": .boolean, "byte": .byte, "int16": .int16, "uint16": .uint16, "int32": .int32, "handle": .unixFD,
        "uint32": .uint32, "int64": .int64, "uint64": .uint64, "double": .double, "string": .string,
        "objectpath": .objectPath, "signature": .signature,
    ]

    private static func string(_ text: String, _ expected: DBusType?) throws(DBusFault) -> DBusValue {
        switch expected {
        case nil where !text.utf8.contains(0), .string where !text.utf8.contains(0): return .string(text)
        case .objectPath where isObjectPath(text): return .objectPath(text)
        case .signature:
            _ = try DBusType.list(text)
            return .signature(text)
        default: throw DBusFault("\"\(text)\" in another type's place")
        }
    }

    private static func number(_ word: String, _ type: DBusType) throws(DBusFault) -> DBusValue {
        let value: DBusValue? =
            switch type {
            case .byte: integer(word).map { .byte($0) }
            case .int16: integer(word).map { .int16($0) }
            case .uint16: integer(word).map { .uint16($0) }
            case .int32: integer(word).map { .int32($0) }
            case .uint32: integer(word).map { .uint32($0) }
            case .int64: integer(word).map { .int64($0) }
            case .uint64: integer(word).map { .uint64($0) }
            case .unixFD: integer(word).map { .unixFD($0) }
            case .double: Double(word).map { .double($0) }
            default: nil
            }
        guard let value else { throw DBusFault("`\(word)` is not a value of the type \(type.text)") }
        return value
    }

    private static func integer<Number: FixedWidthInteger>(_ word: String) -> Number? {
        word.hasPrefix("0x") ? Number(word.dropFirst(2), radix: 16) : Number(word)
    }
}
