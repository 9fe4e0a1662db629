/// A message in the wire format of Protocol Buffers, written field by field.
///
/// Only what CRIU's messages need: varints and length-delimited fields. Numbers of type `int32` go out sign-extended to
/// 64 bits, as the format asks. See the Protocol Buffers encoding guide.
struct ProtobufMessage: Sendable, Equatable {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ field: UInt32, _ value: Bool) { add(field, varint: value ? 1 : 0) }
    mutating func add(_ field: UInt32, _ value: Int32) { add(field, varint: UInt64(bitPattern: Int64(value))) }
    mutating func add(_ field: UInt32, _ value: UInt32) { add(field, varint: UInt64(value)) }
    mutating func add(_ field: UInt32, _ text: String) { add(field, Array(text.utf8)) }
    mutating func add(_ field: UInt32, _ message: ProtobufMessage) { add(field, message.bytes) }

    /// Leaves the field out where there is no value.
    mutating func add(_ field: UInt32, ifAny text: String?) { if let text { add(field, text) } }
    /// Leaves the field out where it would say what is so without it.
    mutating func add(_ field: UInt32, ifSet value: Bool) { if value { add(field, true) } }

    private mutating func add(_ field: UInt32, varint value: UInt64) {
        append(UInt64(field) << 3)
        append(value)
    }

    private mutating func add(_ field: UInt32, _ content: [UInt8]) {
        append(UInt64(field) << 3 | 2)
        append(UInt64(content.count))
        bytes += content
    }

    private mutating func append(_ varint: UInt64) {
        var rest = varint
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// The fields of a message that was received; unknown ones are kept and passed over.
struct ProtobufFields: Sendable {
    enum Value: Sendable, Equatable {
        case varint(UInt64)
        case bytes([UInt8])
    }

    private var fields: [UInt32: Value] = [:]

    /// - Returns: nil for bytes that are no whole message. Of a field that is there twice the last one counts.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let tag = Self.varint(&rest), let field = UInt32(exactly: tag >> 3), field > 0 else { return nil }
            switch tag & 7 {
            case 0:
                guard let value = Self.varint(&rest) else { return nil }
                fields[field] = .varint(value)
            case 1: guard Self.take(8, &rest) != nil else { return nil }
            case 2:
                guard let length = Self.varint(&rest), let content = Self.take(length, &rest) else { return nil }
                fields[field] = .bytes(content)
            case 5: guard Self.take(4, &rest) != nil else { return nil }
            default: return nil
            }
        }
    }

    func number(_ field: UInt32) -> Int32? {
        guard case .varint(let value) = fields[field] else { return nil }
        return Int32(truncatingIfNeeded: value)
    }

    func flag(_ field: UInt32) -> Bool? {
        guard case .varint(let value) = fields[field] else { return nil }
        return value != 0
    }

    func text(_ field: UInt32) -> String? {
        guard case .bytes(let content) = fields[field] else { return nil }
        return String(decoding: content, as: UTF8.self)
    }

    /// A message within this one.
    func message(_ field: UInt32) -> ProtobufFields? {
        guard case .bytes(let content) = fields[field] else { return nil }
        return ProtobufFields(content)
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            // The tenth byte holds the one bit that is left.
            if shift == 63, byte > 1 { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    private static func take(_ count: UInt64, _ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard count <= UInt64(rest.count) else { return nil }
        defer { rest = rest.dropFirst(Int(count)) }
        return Array(rest.prefix(Int(count)))
    }
}
