public import Linux

/// Which stream a line of output came from.
public enum LogStream: String, Sendable, Hashable {
    case stdout
    case stderr
}

/// Output cut into the records of Docker's `json-file` log: one JSON object per line, as moby's `jsonlog` package writes it.
///
/// ```
/// {"log":"hello\n","stream":"stdout","time":"2026-11-21T02:03:04.05Z"}
/// ```
///
/// A record is a line with its newline, or, of a line longer than 16 KiB, a piece without one; what is left at the end of
/// the stream is a record without newline too. Pieces of one line carry the time of the first. `<`, `>`, `&`, control
/// characters, U+2028 and U+2029 are escaped, bytes that are no UTF-8 become `\ufffd`, and the fraction of the time loses
/// its trailing zeros, all as Go's encoder has it; a piece never ends inside a character.
public struct LogRecorder: Sendable {
    /// The most bytes of a line that go into one record.
    public static let pieceLimit = 16 << 10

    private let head: [UInt8]
    private let middle: [UInt8]
    private var line: [UInt8] = []
    private var firstPieceTime: WallTime?

    /// - Parameter attributes: what every record carries as `attrs`, written sorted.
    public init(_ stream: LogStream, attributes: [String: String] = [:]) {
        head = Array("{\"log\":\"".utf8)
        var text = Array("\",\"stream\":\"\(stream.rawValue)\"".utf8)
        if !attributes.isEmpty {
            text += Array(",\"attrs\":{".utf8)
            for (index, (key, value)) in attributes.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                for (part, end) in [(key, "\":"), (value, "\"")] {
                    text.append(UInt8(ascii: "\""))
                    Array(part.utf8).withUnsafeBytes { appendEscaped($0, to: &text) }
                    text += Array(end.utf8)
                }
            }
            text.append(UInt8(ascii: "}"))
        }
        middle = text + Array(",\"time\":\"".utf8)
    }

    /// Takes what was read and appends the records that are now complete.
    ///
    /// - Parameter ends: gets the offset in `output` at which each record ends.
    public mutating func take(
        _ bytes: UnsafeRawBufferPointer, at time: WallTime, into output: inout [UInt8], ends: inout [Int]
    ) {
        var rest = bytes
        while !rest.isEmpty {
            let room = Self.pieceLimit - line.count
            let window = UnsafeRawBufferPointer(rebasing: rest.prefix(room))
            if let newline = window.firstIndex(of: UInt8(ascii: "\n")) {
                let piece = UnsafeRawBufferPointer(rebasing: window[...newline])
                if line.isEmpty {
                    append(piece, at: firstPieceTime ?? time, into: &output)
                } else {
                    line.append(contentsOf: piece)
                    flush(line.count, at: firstPieceTime ?? time, into: &output)
                }
                ends.append(output.count)
                firstPieceTime = nil
                rest = UnsafeRawBufferPointer(rebasing: rest[(newline + 1)...])
            } else {
                line.append(contentsOf: window)
                rest = UnsafeRawBufferPointer(rebasing: rest[window.count...])
                if line.count == Self.pieceLimit {
                    let started = firstPieceTime ?? time
                    flush(line.count - incompleteTail(), at: started, into: &output)
                    firstPieceTime = started
                    ends.append(output.count)
                }
            }
        }
    }

    /// Appends what is left when the stream has ended.
    public mutating func finish(at time: WallTime, into output: inout [UInt8], ends: inout [Int]) {
        guard !line.isEmpty else { return }
        flush(line.count, at: firstPieceTime ?? time, into: &output)
        firstPieceTime = nil
        ends.append(output.count)
    }

    private mutating func flush(_ count: Int, at time: WallTime, into output: inout [UInt8]) {
        line.withUnsafeBytes { append(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: time, into: &output) }
        if count == line.count {
            line.removeAll(keepingCapacity: true)
        } else {
            line.removeFirst(count)
        }
    }

    private func append(_ piece: UnsafeRawBufferPointer, at time: WallTime, into output: inout [UInt8]) {
        output.append(contentsOf: head)
        appendEscaped(piece, to: &output)
        output.append(contentsOf: middle)
        time.append(to: &output)
        output.append(UInt8(ascii: "\""))
        output.append(UInt8(ascii: "}"))
        output.append(UInt8(ascii: "\n"))
    }

    /// How many bytes at the end of the line begin a character that is not complete.
    private func incompleteTail() -> Int {
        for back in 1...3 where back < line.count {
            let byte = line[line.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back ? back : 0
        }
        return 0
    }
}

private let hexDigits = Array("0123456789abcdef".utf8)

/// Appends bytes as the inside of a JSON string, escaped as Go's encoder does for HTML.
private func appendEscaped(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    var at = 0
    var plain = 0
    func flush(_ end: Int) {
        if plain < end { output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[plain..<end])) }
    }
    while at < bytes.count {
        let byte = bytes[at]
        if byte < 0x80 {
            if byte >= 0x20 && byte != 0x22 && byte != 0x5c && byte != 0x3c && byte != 0x3e && byte != 0x26 {
                at += 1
                continue
            }
            flush(at)
            output.append(UInt8(ascii: "\\"))
            switch byte {
            case 0x22, 0x5c: output.append(byte)
            case 0x0a: output.append(UInt8(ascii: "n"))
            case 0x0d: output.append(UInt8(ascii: "r"))
            default:
                output.append(contentsOf: [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")])
                output.append(hexDigits[Int(byte >> 4)])
                output.append(hexDigits[Int(byte & 15)])
            }
            at += 1
            plain = at
            continue
        }
        let length = validSequence(bytes, at)
        if length == 0 {
            flush(at)
            output.append(contentsOf: Array("\\ufffd".utf8))
            at += 1
            plain = at
        } else if length == 3 && byte == 0xe2 && bytes[at + 1] == 0x80 && bytes[at + 2] & 0xfe == 0xa8 {
            // U+2028 and U+2029 end a line in JavaScript.
            flush(at)
            output.append(contentsOf: Array((bytes[at + 2] == 0xa8 ? "\\u2028" : "\\u2029").utf8))
            at += 3
            plain = at
        } else {
            at += length
        }
    }
    flush(at)
}

/// The length of the well-formed UTF-8 sequence of more than one byte at an offset, 0 if there is none (RFC 3629).
private func validSequence(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int {
    func continues(_ offset: Int, _ low: UInt8 = 0x80, _ high: UInt8 = 0xbf) -> Bool {
        at + offset < bytes.count && bytes[at + offset] >= low && bytes[at + offset] <= high
    }
    switch bytes[at] {
    case 0xc2...0xdf: return continues(1) ? 2 : 0
    case 0xe0: return continues(1, 0xa0) && continues(2) ? 3 : 0
    case 0xed: return continues(1, 0x80, 0x9f) && continues(2) ? 3 : 0
    case 0xe1...0xef: return continues(1) && continues(2) ? 3 : 0
    case 0xf0: return continues(1, 0x90) && continues(2) && continues(3) ? 4 : 0
    case 0xf1...0xf3: return continues(1) && continues(2) && continues(3) ? 4 : 0
    case 0xf4: return continues(1, 0x80, 0x8f) && continues(2) && continues(3) ? 4 : 0
    default: return 0
    }
}
