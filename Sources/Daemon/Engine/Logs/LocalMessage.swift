extension LogRecord {
    /// Reads one message of a `local` log, moby's `logdriver.LogEntry`; nil when it is none.
    ///
    /// ```
    /// 1 source: string   2 time: int64, nanoseconds   3 line: bytes   4 is part: bool   5 { 1 is last: bool … }
    /// ```
    /// A line that is whole, and the last part of one, have lost their newline there and get it back here.
    init?(message: ArraySlice<UInt8>) {
        var fields = ProtocolFields(message)
        var stream = Stream.stdout
        var time: Int64 = 0
        var line: ArraySlice<UInt8> = []
        var (isPart, isLast) = (false, false)
        while let field = fields.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let name)): stream = name.elementsEqual("stderr".utf8) ? .stderr : .stdout
            case (2, .integer(let value)): time = Int64(bitPattern: value)
            case (3, .bytes(let bytes)): line = bytes
            case (4, .integer(let value)): isPart = value != 0
            case (5, .bytes(let part)):
                var inner = ProtocolFields(part)
                while let field = inner.next() {
                    if case (1, .integer(let value)) = (field.number, field.value) { isLast = value != 0 }
                }
                if inner.isBroken { return nil }
            default: break
            }
        }
        if fields.isBroken { return nil }
        var bytes = Array(line)
        if !isPart || isLast { bytes.append(UInt8(ascii: "\n")) }
        self.init(stream: stream, time: Timestamp(nanoseconds: time), bytes: bytes)
    }
}

/// The fields of a Protocol Buffers message, one after the other; of an unknown number or kind they are the caller's to skip.
private struct ProtocolFields {
    enum Value {
        case integer(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed
    }

    private var rest: ArraySlice<UInt8>
    private(set) var isBroken = false

    init(_ message: ArraySlice<UInt8>) { rest = message }

    mutating func next() -> (number: UInt64, value: Value)? {
        guard !rest.isEmpty, !isBroken else { return nil }
        guard let key = varint(), let value = value(kind: key & 7) else {
            isBroken = true
            return nil
        }
        return (key >> 3, value)
    }

    private mutating func value(kind: UInt64) -> Value? {
        switch kind {
        case 0: return varint().map { .integer($0) }
        case 1: return take(8).map { _ in .fixed }
        case 2:
            guard let length = varint(), length <= UInt64(rest.count) else { return nil }
            return take(Int(length)).map { .bytes($0) }
        case 5: return take(4).map { _ in .fixed }
        default: return nil
        }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
