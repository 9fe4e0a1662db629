internal import CLinux
internal import Execution

/// The bytes of a log file as they come, cut into whole records.
///
/// `json-file` has a line for each, `local` a message between two lengths (the shim's `LocalRecordForm`).
struct LogCutter {
    /// A line longer than this is not a log's.
    static let longestRecord = 2 << 20

    let form: LogSettings.Form
    private var pending: [UInt8] = []
    private var begin = 0
    /// How much of `pending` is known to hold no line end.
    private var searched = 0
    /// The rest of a line that is too long is being passed over.
    private var isSkipping = false
    /// What follows cannot be cut: a length does not fit.
    private(set) var isBroken = false
    /// How many bytes of the file are behind the records given out.
    private(set) var place: Int64

    init(_ form: LogSettings.Form, from place: Int64 = 0) {
        self.form = form
        self.place = place
    }

    mutating func add(_ bytes: ArraySlice<UInt8>) {
        guard !isBroken else { return }
        pending.removeFirst(begin)
        searched = max(0, searched - begin)
        begin = 0
        pending.append(contentsOf: bytes)
    }

    /// The next whole record, without what is around it; nil when there is none yet.
    mutating func next() -> ArraySlice<UInt8>? {
        switch form {
        case .jsonFile: nextLine()
        case .local: nextMessage()
        }
    }

    private mutating func nextLine() -> ArraySlice<UInt8>? {
        while let newline = newline(from: max(begin, searched)) {
            let line = pending[begin..<newline]
            let isWanted = !isSkipping && !line.isEmpty
            isSkipping = false
            take(newline + 1)
            if isWanted { return line }
        }
        searched = pending.count
        // A line that never ends is not a log: what comes until it does is passed over.
        if isSkipping || pending.count - begin > Self.longestRecord {
            isSkipping = true
            take(pending.count)
        }
        return nil
    }

    /// C function: `memchr`.
    private func newline(from start: Int) -> Int? {
        guard start < pending.count else { return nil }
        return pending.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, let found = memchr(base + start, 10, buffer.count - start) else {
                return nil
            }
            return UnsafeRawPointer(found) - base
        }
    }

    private mutating func nextMessage() -> ArraySlice<UInt8>? {
        guard !isBroken, pending.count - begin >= 4 else { return nil }
        let length = Self.length(pending, begin)
        guard length > 0, length <= Self.longestRecord else { return giveUp() }
        let end = begin + 8 + length
        guard end <= pending.count else { return nil }
        guard Self.length(pending, end - 4) == length else { return giveUp() }
        let message = pending[(begin + 4)..<(end - 4)]
        take(end)
        return message
    }

    private mutating func giveUp() -> ArraySlice<UInt8>? {
        isBroken = true
        pending = []
        begin = 0
        return nil
    }

    private mutating func take(_ end: Int) {
        place += Int64(end - begin)
        begin = end
    }

    /// Four bytes, the highest first.
    static func length(_ bytes: [UInt8], _ at: Int) -> Int {
        Int(bytes[at]) << 24 | Int(bytes[at + 1]) << 16 | Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
    }
}

/// A record of a file: a printed line, or a piece of one.
struct LogPiece {
    var record: LogRecord
    /// Whether the printed line ends here.
    var isWhole: Bool

    /// The size at which the shim cuts a line into pieces, less what a character that did not fit any more may have.
    static let fullSize = (16 << 10) - 3

    init?(_ bytes: ArraySlice<UInt8>, _ form: LogSettings.Form) {
        let record: LogRecord?
        switch form {
        case .jsonFile: record = LogRecord(line: bytes)
        case .local: record = LogRecord(message: bytes)
        }
        guard let record else { return nil }
        self.record = record
        isWhole = record.bytes.last == UInt8(ascii: "\n") || record.bytes.count < Self.fullSize
    }
}
