/// One message: a call, its answer, an error or a signal.
///
/// See the D-Bus specification, "Message Protocol".
public struct DBusMessage: Sendable, Hashable {
    public enum Kind: UInt8, Sendable, Hashable {
        case methodCall = 1, methodReturn, error, signal
    }

    /// nil for one of a later version of the protocol, which is to be passed over.
    public var kind: Kind?
    public var serial: UInt32
    public var path: String?
    public var interface: String?
    public var member: String?
    public var errorName: String?
    public var replySerial: UInt32?
    public var destination: String?
    public var sender: String?
    public var body: [DBusValue]

    public init(_ kind: Kind, serial: UInt32, body: [DBusValue] = []) {
        self.kind = kind
        self.serial = serial
        self.body = body
    }

    /// A message that is larger is refused before it is read.
    ///
    /// The protocol's own limit is 128 MiB; what the manager says to us takes a few hundred bytes.
    public static let largest = 1 << 20

    /// The length of the message whose first bytes are given; nil when these are fewer than sixteen.
    public static func length(of beginning: [UInt8]) throws(DBusFault) -> Int? {
        guard beginning.count >= 16 else { return nil }
        var reader = try Self.reader(beginning)
        let numbers = try Self.numbers(&reader)
        // Each is below 2³²: the sum cannot overflow.
        let length = 16 + (numbers.fields + 7) / 8 * 8 + numbers.body
        guard length <= Self.largest else { throw DBusFault("a message of \(length) bytes") }
        return length
    }

    // MARK: Bytes

    public var bytes: [UInt8] {
        var body = DBusWriter()
        for value in self.body { body.append(value) }
        var fields: [DBusValue] = []
        func add(_ code: Field, _ value: DBusValue?) {
            if let value { fields.append(.structure([.byte(code.rawValue), .variant(value)])) }
        }
        add(.path, path.map { .objectPath($0) })
        add(.interface, interface.map { .string($0) })
        add(.member, member.map { .string($0) })
        add(.errorName, errorName.map { .string($0) })
        add(.replySerial, replySerial.map { .uint32($0) })
        add(.destination, destination.map { .string($0) })
        add(.sender, sender.map { .string($0) })
        if !self.body.isEmpty { add(.signature, .signature(self.body.map(\.type.text).joined())) }
        var writer = DBusWriter()
        writer.append(raw: [UInt8(ascii: "l"), kind?.rawValue ?? 0, 0, 1])
        writer.append(.uint32(UInt32(body.bytes.count)))
        writer.append(.uint32(serial))
        writer.append(.array(of: .structure([.byte, .variant]), fields))
        writer.align(to: 8)
        return writer.bytes + body.bytes
    }

    /// Reads one whole message.
    ///
    /// - Throws: what breaks the protocol; after that nothing the peer sends can be understood.
    public init(_ bytes: [UInt8]) throws(DBusFault) {
        guard let length = try Self.length(of: bytes), length == bytes.count else {
            throw DBusFault("a message of another length than it says")
        }
        var reader = try Self.reader(bytes)
        _ = try Self.numbers(&reader)
        kind = Kind(rawValue: bytes[1])
        if bytes[1] == 0 { throw DBusFault("a message of the kind 0") }
        reader = DBusReader(bytes, from: 8, isBigEndian: bytes[0] == UInt8(ascii: "B"))
        guard case .uint32(let serial) = try reader.value(.uint32), serial != 0 else {
            throw DBusFault("a message with the serial number 0")
        }
        self.serial = serial
        body = []
        var signature = ""
        guard case .array(_, let fields) = try reader.value(.array(.structure([.byte, .variant]))) else {
            throw DBusFault("a message without header fields")
        }
        for field in fields {
            guard case .structure(let pair) = field, case .byte(let code) = pair[0], case .variant(let value) = pair[1]
            else { continue }
            try take(Field(rawValue: code), value, &signature)
        }
        try reader.align(to: 8)
        for type in try DBusType.list(signature) { body.append(try reader.value(type)) }
        guard reader.isAtEnd else { throw DBusFault("a message with more in it than its signature says") }
        try checkFields()
    }

    private enum Field: UInt8 {
        case path = 1, interface, member, errorName, replySerial, destination, sender, signature
    }

    /// Fields of later versions are passed over; a known one of another type is not.
    private mutating func take(_ field: Field?, _ value: DBusValue, _ signature: inout String) throws(DBusFault) {
        switch (field, value) {
        case (nil, _): break
        case (.path, .objectPath(let text)): path = text
        case (.interface, .string(let text)): interface = text
        case (.member, .string(let text)): member = text
        case (.errorName, .string(let text)): errorName = text
        case (.replySerial, .uint32(let number)): replySerial = number
        case (.destination, .string(let text)): destination = text
        case (.sender, .string(let text)): sender = text
        case (.signature, .signature(let text)): signature = text
        default: throw DBusFault("a header field of the wrong type")
        }
    }

    private func checkFields() throws(DBusFault) {
        let isWhole =
            switch kind {
            case .methodCall: path != nil && member != nil
            case .methodReturn: replySerial != nil
            case .error: replySerial != nil && errorName != nil
            case .signal: path != nil && interface != nil && member != nil
            case nil: true
            }
        if !isWhole { throw DBusFault("a message without a header field its kind needs") }
    }

    private static func reader(_ bytes: [UInt8]) throws(DBusFault) -> DBusReader {
        guard bytes[0] == UInt8(ascii: "l") || bytes[0] == UInt8(ascii: "B") else {
            throw DBusFault("a message of no known byte order")
        }
        guard bytes[3] == 1 else { throw DBusFault("a message of version \(bytes[3])") }
        return DBusReader(bytes, isBigEndian: bytes[0] == UInt8(ascii: "B"))
    }

    /// The lengths of body and fields, out of the first sixteen bytes.
    private static func numbers(_ reader: inout DBusReader) throws(DBusFault) -> (body: Int, fields: Int) {
        for _ in 0..<4 { _ = try reader.value(.byte) }
        guard case .uint32(let body) = try reader.value(.uint32), case .uint32 = try reader.value(.uint32),
            case .uint32(let fields) = try reader.value(.uint32)
        else { throw DBusFault("a message without lengths") }
        return (Int(body), Int(fields))
    }
}
