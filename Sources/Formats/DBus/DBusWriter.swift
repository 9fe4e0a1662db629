/// Values as bytes, little-endian.
///
/// See the D-Bus specification, "Marshaling". Alignment counts from the first byte, which is a message's own or begins at a
/// multiple of eight.
struct DBusWriter {
    private(set) var bytes: [UInt8] = []

    mutating func align(to multiple: Int) {
        while bytes.count % multiple != 0 { bytes.append(0) }
    }

    mutating func append(_ value: DBusValue) {
        align(to: value.type.alignment)
        switch value {
        case .byte(let number): bytes.append(number)
        case .boolean(let flag): append(fixed: UInt32(flag ? 1 : 0))
        case .int16(let number): append(fixed: number)
        case .uint16(let number): append(fixed: number)
        case .int32(let number): append(fixed: number)
        case .uint32(let number), .unixFD(let number): append(fixed: number)
        case .int64(let number): append(fixed: number)
        case .uint64(let number): append(fixed: number)
        case .double(let number): append(fixed: number.bitPattern)
        case .string(let text), .objectPath(let text):
            append(fixed: UInt32(text.utf8.count))
            bytes += Array(text.utf8) + [0]
        case .signature(let text): append(signature: text)
        case .variant(let inner):
            append(signature: inner.type.text)
            append(inner)
        case .structure(let members): for member in members { append(member) }
        case .entry(let key, let inner):
            append(key)
            append(inner)
        case .array(let element, let elements): append(array: elements, of: element)
        }
    }

    private mutating func append(signature: String) {
        bytes.append(UInt8(truncatingIfNeeded: signature.utf8.count))
        bytes += Array(signature.utf8) + [0]
    }

    /// The length counts the elements, without the padding before the first.
    private mutating func append(array elements: [DBusValue], of type: DBusType) {
        let place = bytes.count
        append(fixed: UInt32(0))
        align(to: type.alignment)
        let start = bytes.count
        for element in elements { append(element) }
        replace(UInt32(bytes.count - start), at: place)
    }

    private mutating func append(fixed value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    mutating func append(raw: [UInt8]) { bytes += raw }

    mutating func replace(_ value: UInt32, at place: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(place..<place + 4, with: $0) }
    }
}
