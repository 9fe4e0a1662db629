/// Values out of bytes a peer sent, of either byte order; everything is checked, since the peer may be anybody.
///
/// See the D-Bus specification, "Marshaling" and "Valid Object Paths".
struct DBusReader {
    /// The largest array, and the deepest nesting of arrays, structures and variants.
    static let largestArray = 1 << 26, deepest = 64

    private let bytes: [UInt8]
    private let isBigEndian: Bool
    private(set) var place: Int
    private var end: Int
    private var depth = 0

    /// - Parameter start: a multiple of eight, from which alignment counts.
    init(_ bytes: [UInt8], from start: Int = 0, isBigEndian: Bool) {
        self.bytes = bytes
        self.isBigEndian = isBigEndian
        place = start
        end = bytes.count
    }

    var isAtEnd: Bool { place == end }

    mutating func align(to multiple: Int) throws(DBusFault) {
        while place % multiple != 0 {
            guard try byte() == 0 else { throw DBusFault("padding that is not zero") }
        }
    }

    mutating func value(_ type: DBusType) throws(DBusFault) -> DBusValue {
        try align(to: type.alignment)
        switch type {
        case .byte: return .byte(try byte())
        case .boolean:
            let number: UInt32 = try fixed()
            guard number < 2 else { throw DBusFault("a boolean that is \(number)") }
            return .boolean(number == 1)
        case .int16: return .int16(try fixed())
        case .uint16: return .uint16(try fixed())
        case .int32: return .int32(try fixed())
        case .uint32: return .uint32(try fixed())
        case .int64: return .int64(try fixed())
        case .uint64: return .uint64(try fixed())
        case .double: return .double(Double(bitPattern: try fixed()))
        case .unixFD: return .unixFD(try fixed())
        case .string: return .string(try text(length: Int(try fixed() as UInt32)))
        case .objectPath:
            let path = try text(length: Int(try fixed() as UInt32))
            guard isObjectPath(path) else { throw DBusFault("\"\(path)\" is no object path") }
            return .objectPath(path)
        case .signature:
            let signature = try text(length: Int(try byte()))
            _ = try DBusType.list(signature)
            return .signature(signature)
        case .variant, .array, .structure, .entry: return try container(type)
        }
    }

    private mutating func container(_ type: DBusType) throws(DBusFault) -> DBusValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else { throw DBusFault("values that nest too deep") }
        switch type {
        case .variant:
            let inner = try DBusType(try text(length: Int(try byte())))
            return .variant(try value(inner))
        case .array(let element): return .array(of: element, try elements(element))
        case .structure(let types):
            var members: [DBusValue] = []
            for member in types { members.append(try value(member)) }
            return .structure(members)
        case .entry(let key, let inner): return .entry(try value(key), try value(inner))
        default: throw DBusFault("no container")
        }
    }

    private mutating func elements(_ type: DBusType) throws(DBusFault) -> [DBusValue] {
        let length = Int(try fixed() as UInt32)
        guard length <= Self.largestArray else { throw DBusFault("an array of \(length) bytes") }
        try align(to: type.alignment)
        let outer = end
        guard length <= end - place else { throw DBusFault("an array that is longer than what holds it") }
        end = place + length
        var elements: [DBusValue] = []
        while place < end { elements.append(try value(type)) }
        end = outer
        return elements
    }

    private mutating func text(length: Int) throws(DBusFault) -> String {
        guard length < end - place else { throw DBusFault("a text that is longer than what holds it") }
        let content = bytes[place..<place + length]
        place += length
        guard try byte() == 0, !content.contains(0) else { throw DBusFault("a text with a wrong end") }
        guard let text = String(validating: content, as: UTF8.self) else { throw DBusFault("a text that is not UTF-8") }
        return text
    }

    private mutating func byte() throws(DBusFault) -> UInt8 {
        guard place < end else { throw DBusFault("a value that ends too early") }
        place += 1
        return bytes[place - 1]
    }

    private mutating func fixed<Number: FixedWidthInteger>() throws(DBusFault) -> Number {
        let size = MemoryLayout<Number>.size
        guard size <= end - place else { throw DBusFault("a value that ends too early") }
        let raw = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Number.self) }
        place += size
        return isBigEndian ? Number(bigEndian: raw) : Number(littleEndian: raw)
    }
}
