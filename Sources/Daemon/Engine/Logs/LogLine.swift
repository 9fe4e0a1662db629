internal import JSON

extension LogRecord {
    /// Reads one line of a `json-file` log: `{"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}`; nil when it is none.
    init?(line: ArraySlice<UInt8>) {
        if let plain = line.withUnsafeBytes({ LogLine($0)?.record }) {
            self = plain
            return
        }
        // Members in another order, attributes, or an escape that no log of ours holds.
        guard let json = try? JSON.parse(Array(line)), let text = json["log"]?.stringValue,
            let time = json["time"]?.stringValue.flatMap({ Timestamp(rfc3339: $0) })
        else { return nil }
        var attributes: [String: String] = [:]
        for (key, value) in json["attrs"]?.objectValue ?? JSONObject() { attributes[key] = value.stringValue }
        self.init(
            stream: json["stream"]?.stringValue == "stderr" ? .stderr : .stdout, time: time, bytes: Array(text.utf8),
            attributes: attributes)
    }
}

/// A log line as the shim and Docker write it, taken apart without making a tree of it: logs have a million lines.
///
/// Anything that is not exactly of the one form is left to the JSON parser.
private struct LogLine {
    let record: LogRecord

    init?(_ line: UnsafeRawBufferPointer) {
        var at = 0
        guard Self.take("{\"log\":\"", line, &at), let text = Self.text(line, &at),
            Self.take(",\"stream\":\"std", line, &at)
        else { return nil }
        let stream: LogRecord.Stream
        if Self.take("out\"", line, &at) {
            stream = .stdout
        } else if Self.take("err\"", line, &at) {
            stream = .stderr
        } else {
            return nil
        }
        guard Self.take(",\"time\":\"", line, &at), line.count - at > 22, Self.ends(line, with: "Z\"}") else {
            return nil
        }
        guard let time = Timestamp(rfc3339Bytes: UnsafeRawBufferPointer(rebasing: line[at..<(line.count - 2)])) else {
            return nil
        }
        record = LogRecord(stream: stream, time: time, bytes: text)
    }

    private static func take(_ expected: StaticString, _ line: UnsafeRawBufferPointer, _ at: inout Int) -> Bool {
        let count = expected.utf8CodeUnitCount
        guard at + count <= line.count else { return false }
        for index in 0..<count where line[at + index] != expected.utf8Start[index] { return false }
        at += count
        return true
    }

    private static func ends(_ line: UnsafeRawBufferPointer, with end: StaticString) -> Bool {
        var at = line.count - end.utf8CodeUnitCount
        return at >= 0 && take(end, line, &at)
    }

    /// What stands up to the closing quote, which is taken too; nil for what is no string of the plain kind.
    private static func text(_ line: UnsafeRawBufferPointer, _ at: inout Int) -> [UInt8]? {
        var text: [UInt8] = []
        text.reserveCapacity(max(0, line.count - at - 60))
        var run = at
        while at < line.count {
            let byte = line[at]
            if byte == UInt8(ascii: "\"") {
                text.append(contentsOf: line[run..<at])
                at += 1
                return text
            }
            guard byte == UInt8(ascii: "\\") else {
                if byte < 0x20 { return nil }
                at += 1
                continue
            }
            text.append(contentsOf: line[run..<at])
            guard at + 1 < line.count else { return nil }
            switch line[at + 1] {
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "r"): text.append(13)
            case UInt8(ascii: "\""): text.append(34)
            case UInt8(ascii: "\\"): text.append(92)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(line, at + 2) else { return nil }
                text.append(contentsOf: UTF8.encode(scalar) ?? .init())
                at += 4
            default: return nil
            }
            at += 2
            run = at
        }
        return nil
    }

    /// Four hexadecimal digits; halves of a pair are left to the parser.
    private static func scalar(_ line: UnsafeRawBufferPointer, _ start: Int) -> Unicode.Scalar? {
        guard start + 4 <= line.count else { return nil }
        var value: UInt32 = 0
        for byte in line[start..<(start + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return Unicode.Scalar(value)
    }
}
