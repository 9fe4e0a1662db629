internal import Linux

/// Records of Docker's `local` log: a Protocol Buffers message between its length and its length.
///
/// ```
/// ┌────────────┬─────────────────────────────────────────────────────────┬────────────┐
/// │ length, BE │ 1: source  2: time  3: line  4: is part  5: {last,id,n} │ length, BE │
/// │ 4 bytes    │                                                         │ 4 bytes    │
/// └────────────┴─────────────────────────────────────────────────────────┴────────────┘
/// ```
///
/// The message is moby's `logdriver.LogEntry` (api/types/plugins/logdriver/entry.proto), so what reads Docker's files reads
/// these. The line is kept without its newline. A line in pieces, or one that never ended, is marked as parts: field 5
/// has whether the part ends the line (1), what ties the parts together (2) and their count from 1 (3). The second
/// length lets a reader walk backwards.
struct LocalRecordForm: Sendable {
    private let source: [UInt8]
    /// How many parts of the current line were written.
    private var parts: UInt64 = 0

    init(_ stream: LogStream) { source = Array(stream.rawValue.utf8) }

    mutating func append(_ piece: UnsafeRawBufferPointer, at time: WallTime, to output: inout [UInt8]) {
        let isLast = piece.last == UInt8(ascii: "\n")
        let line = UnsafeRawBufferPointer(rebasing: piece.dropLast(isLast ? 1 : 0))
        var part: [UInt8] = []
        if !isLast || parts > 0 {
            parts += 1
            let id = Array("\(String(UInt64(bitPattern: time.total), radix: 16))-\(source.count)".utf8)
            if isLast { part += [0x08, 1] }
            part += [0x12, UInt8(id.count)] + id + [0x18]
            Self.append(varint: parts, to: &part)
        }
        if isLast { parts = 0 }

        let start = output.count
        Self.append(length: 0, to: &output)
        output.append(0x0a)
        output.append(UInt8(source.count))
        output.append(contentsOf: source)
        if time.total != 0 {
            output.append(0x10)
            Self.append(varint: UInt64(bitPattern: time.total), to: &output)
        }
        if !line.isEmpty {
            output.append(0x1a)
            Self.append(varint: UInt64(line.count), to: &output)
            output.append(contentsOf: line)
        }
        if !part.isEmpty {
            output.append(contentsOf: [0x20, 1, 0x2a, UInt8(part.count)])
            output.append(contentsOf: part)
        }
        let length = UInt32(output.count - start - 4)
        for index in 0..<4 { output[start + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(index))) }
        Self.append(length: length, to: &output)
    }

    private static func append(length: UInt32, to output: inout [UInt8]) {
        for shift in [24, 16, 8, 0] as [UInt32] { output.append(UInt8(truncatingIfNeeded: length >> shift)) }
    }

    private static func append(varint value: UInt64, to output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }
}
