public import Linux

/// Which stream a line of output came from.
public enum LogStream: String, Sendable, Hashable {
    case stdout
    case stderr
}

/// One stream's output cut into the records of a log file.
///
/// A record is a line with its newline, or, of a line longer than 16 KiB, a piece without one; what is left at the end of
/// the stream is a record without newline too. Pieces of one line carry the time of the first, and a piece never ends
/// inside a character. How a record is written is the form's: ``JSONRecordForm``, ``LocalRecordForm``.
public struct LogRecorder: Sendable {
    /// The most bytes of a line that go into one record.
    public static let pieceLimit = 16 << 10

    private enum Form: Sendable {
        case json(JSONRecordForm)
        case local(LocalRecordForm)
    }

    private var form: Form
    private var line: [UInt8] = []
    private var firstPieceTime: WallTime?

    /// - Parameter attributes: what every record carries where the form has room for it.
    public init(_ stream: LogStream, form: LogOrder.Form = .jsonFile, attributes: [String: String] = [:]) {
        self.form =
            switch form {
            case .jsonFile: .json(JSONRecordForm(stream, attributes: attributes))
            case .local: .local(LocalRecordForm(stream))
            }
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
        // Out of the structure for the call, so that the form may change while the bytes are read.
        let pending = line
        line = []
        pending.withUnsafeBytes { append(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: time, into: &output) }
        line = pending
        if count == line.count {
            line.removeAll(keepingCapacity: true)
        } else {
            line.removeFirst(count)
        }
    }

    private mutating func append(_ piece: UnsafeRawBufferPointer, at time: WallTime, into output: inout [UInt8]) {
        switch form {
        case .json(var json):
            json.append(piece, at: time, to: &output)
            form = .json(json)
        case .local(var local):
            local.append(piece, at: time, to: &output)
            form = .local(local)
        }
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
