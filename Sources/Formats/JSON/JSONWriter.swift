extension JSON {
    /// The text of the value in UTF-8.
    ///
    /// Nothing is escaped that RFC 8259 does not ask for. Numbers that JSON cannot say (infinite, not a number) become
    /// null.
    /// - Parameters:
    ///   - pretty: one member a line, four spaces a level, as `inspect` prints it.
    ///   - sortedKeys: members by name, for text that is hashed or compared.
    public func serialized(pretty: Bool = false, sortedKeys: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty, sortedKeys: sortedKeys)
        writer.write(self)
        return writer.output
    }

    /// The text of the value on one line.
    public var text: String { String(decoding: serialized(), as: UTF8.self) }
}

struct JSONWriter {
    private(set) var output: [UInt8] = []
    private let pretty: Bool
    private let sortedKeys: Bool
    private var level = 0

    init(pretty: Bool, sortedKeys: Bool) {
        self.pretty = pretty
        self.sortedKeys = sortedKeys
        output.reserveCapacity(256)
    }

    mutating func write(_ value: JSON) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): write(magnitude: value.magnitude, negative: value < 0)
        case .unsigned(let value): write(magnitude: value, negative: false)
        case .double(let value): write(value)
        case .string(let value): write(value)
        case .array(let elements):
            write(open: "[", close: "]", count: elements.count) { writer in
                for (position, element) in elements.enumerated() {
                    writer.separate(position)
                    writer.write(element)
                }
            }
        case .object(let object):
            write(open: "{", close: "}", count: object.count) { writer in
                for (position, member) in (writer.sortedKeys ? object.sorted() : object).enumerated() {
                    writer.separate(position)
                    writer.write(member.key)
                    writer.append(writer.pretty ? ": " : ":")
                    writer.write(member.value)
                }
            }
        }
    }

    private mutating func write(
        open: StaticString, close: StaticString, count: Int, _ body: (inout JSONWriter) -> Void
    ) {
        append(open)
        if count > 0 {
            level += 1
            body(&self)
            level -= 1
            newLine()
        }
        append(close)
    }

    private mutating func separate(_ position: Int) {
        if position > 0 { output.append(UInt8(ascii: ",")) }
        newLine()
    }

    private mutating func newLine() {
        guard pretty else { return }
        output.append(0x0A)
        output.append(contentsOf: repeatElement(0x20, count: 4 * level))
    }

    private mutating func append(_ text: StaticString) {
        output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func write(magnitude: UInt64, negative: Bool) {
        if negative { output.append(UInt8(ascii: "-")) }
        let start = output.count
        var rest = magnitude
        repeat {
            output.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        output[start...].reverse()
    }

    private mutating func write(_ value: Double) {
        guard value.isFinite else { return append("null") }
        // Swift says 1.0 where Go and JavaScript say 1.
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
            return write(magnitude: whole.magnitude, negative: whole < 0)
        }
        output.append(contentsOf: value.description.utf8)
    }

    private mutating func write(_ text: String) {
        output.append(UInt8(ascii: "\""))
        if text.utf8.withContiguousStorageIfAvailable({ escape($0) }) == nil {
            Array(text.utf8).withUnsafeBufferPointer { escape($0) }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// Plain runs are copied as they are; only quotes, backslashes and control characters are spelled out.
    private mutating func escape(_ bytes: UnsafeBufferPointer<UInt8>) {
        var start = 0
        for position in bytes.indices {
            let byte = bytes[position]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<position]))
            start = position + 1
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x08: append("\\b")
            case 0x09: append("\\t")
            case 0x0A: append("\\n")
            case 0x0C: append("\\f")
            case 0x0D: append("\\r")
            default:
                append("\\u00")
                output.append(hexDigit(byte >> 4))
                output.append(hexDigit(byte & 0xF))
            }
        }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start...]))
    }

    private func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }
}
