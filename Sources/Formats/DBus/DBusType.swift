/// A complete type of the D-Bus type system.
///
/// See the D-Bus specification, "Type System".
public indirect enum DBusType: Sendable, Hashable {
    case byte, boolean, int16, uint16, int32, uint32, int64, uint64, double
    case string, objectPath, signature, unixFD, variant
    case array(DBusType)
    case structure([DBusType])
    /// A key and its value; only as what an array holds.
    case entry(DBusType, DBusType)

    /// The deepest nesting of arrays, and of structures, in one signature.
    static let deepest = 32

    /// The type as signatures have it: `a(sv)`.
    public var text: String {
        switch self {
        case .array(let element): "a" + element.text
        case .structure(let members): "(" + members.map(\.text).joined() + ")"
        case .entry(let key, let value): "{" + key.text + value.text + "}"
        default: Self.codes.first { $0.type == self }.map { String(UnicodeScalar($0.code)) } ?? ""
        }
    }

    /// The multiple of bytes at which a value begins.
    var alignment: Int {
        switch self {
        case .byte, .signature, .variant: 1
        case .int16, .uint16: 2
        case .boolean, .int32, .uint32, .string, .objectPath, .unixFD, .array: 4
        case .int64, .uint64, .double, .structure, .entry: 8
        }
    }

    /// The complete types of a signature, one after another.
    ///
    /// - Throws: what is no signature, is longer than 255 bytes, or nests deeper than 32 arrays or structures.
    public static func list(_ signature: String) throws(DBusFault) -> [DBusType] {
        var parser = SignatureParser(bytes: Array(signature.utf8)[...])
        guard parser.bytes.count <= 255 else { throw DBusFault("a signature of more than 255 bytes") }
        var types: [DBusType] = []
        while !parser.bytes.isEmpty { types.append(try parser.next(arrays: 0, structures: 0)) }
        return types
    }

    /// The one complete type of a signature.
    public init(_ signature: String) throws(DBusFault) {
        let types = try Self.list(signature)
        guard types.count == 1 else { throw DBusFault("signature \"\(signature)\" is not one type") }
        self = types[0]
    }

    fileprivate static let codes: [(code: UInt8, type: DBusType)] = [
        (UInt8(ascii: "y"), .byte), (UInt8(ascii: "b"), .boolean), (UInt8(ascii: "n"), .int16),
        (UInt8(ascii: "q"), .uint16), (UInt8(ascii: "i"), .int32), (UInt8(ascii: "u"), .uint32),
        (UInt8(ascii: "x"), .int64), (UInt8(ascii: "t"), .uint64), (UInt8(ascii: "d"), .double),
        (UInt8(ascii: "s"), .string), (UInt8(ascii: "o"), .objectPath), (UInt8(ascii: "g"), .signature),
        (UInt8(ascii: "h"), .unixFD), (UInt8(ascii: "v"), .variant),
    ]

    /// Whether it holds no other value, and so may be a key.
    var isBasic: Bool {
        switch self {
        case .array, .structure, .entry, .variant: false
        default: true
        }
    }
}

private struct SignatureParser {
    var bytes: ArraySlice<UInt8>

    mutating func next(arrays: Int, structures: Int) throws(DBusFault) -> DBusType {
        guard let code = bytes.popFirst() else { throw DBusFault("a signature ends too early") }
        guard arrays <= DBusType.deepest, structures <= DBusType.deepest else {
            throw DBusFault("a signature nests too deep")
        }
        switch code {
        case UInt8(ascii: "a"):
            if bytes.first == UInt8(ascii: "{") { return .array(try entry(arrays: arrays + 1, structures: structures)) }
            return .array(try next(arrays: arrays + 1, structures: structures))
        case UInt8(ascii: "("):
            var members: [DBusType] = []
            while bytes.first != UInt8(ascii: ")") {
                members.append(try next(arrays: arrays, structures: structures + 1))
            }
            bytes.removeFirst()
            if members.isEmpty { throw DBusFault("a signature with an empty structure") }
            return .structure(members)
        default:
            guard let found = DBusType.codes.first(where: { $0.code == code }) else {
                throw DBusFault("a signature with the unknown type code \(code)")
            }
            return found.type
        }
    }

    private mutating func entry(arrays: Int, structures: Int) throws(DBusFault) -> DBusType {
        bytes.removeFirst()
        let key = try next(arrays: arrays, structures: structures + 1)
        let value = try next(arrays: arrays, structures: structures + 1)
        guard key.isBasic, bytes.popFirst() == UInt8(ascii: "}") else {
            throw DBusFault("a signature with a broken dictionary entry")
        }
        return .entry(key, value)
    }
}

/// What is wrong with bytes or a text that should be D-Bus.
public struct DBusFault: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
