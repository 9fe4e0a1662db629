internal import CLinux
internal import Linux

/// Reads a container's `json-file` log over its rotated files, one batch at a time.
///
/// The shim writes `<path>` and, when that is full, renames it to `<path>.1` (and `.1` to `.2`, …) and begins a new one. A
/// reader stays with the file it has open until its end, finds by inode where that file stands now, and goes on with
/// the next newer one: a rotation between two reads loses and repeats nothing. What was rotated out of existence while
/// nobody read is skipped.
///
/// Blocking; used by one reader at a time. Memory is bounded by one batch and the longest record.
struct LogFile: ~Copyable {
    /// How many bytes of payload one batch holds at least before it is returned.
    static let batchBytes = 64 << 10
    /// Pieces of a longer line are given out as they are.
    static let maximumLine = 1 << 20
    /// The size at which the shim cuts a line into pieces.
    static let pieceBytes = 16 << 10
    /// How many rotated files are looked for.
    private static let maximumFiles = 1000

    private let path: String
    private let request: LogRequest
    private var file: SharedDescriptor?
    private var inode: UInt64 = 0
    private var offset: Int64 = 0
    /// Bytes read from the file that do not make a whole record line yet.
    private var pending: [UInt8] = []
    /// How much of `pending` is known to hold no line end.
    private var searched = 0
    /// The rest of a line that is too long is being passed over.
    private var isSkipping = false
    /// Pieces of lines that have not ended, for each stream.
    private var partial: [LogRecord.Stream: LogRecord] = [:]
    private var isPositioned = false
    private var isPastUntil = false

    init(path: String, request: LogRequest) {
        self.path = path
        self.request = request
    }

    /// The next records; empty when there are no more for now.
    ///
    /// - Parameter atEnd: nothing will be written any more, so that a line without its end is given out too.
    mutating func read(atEnd: Bool) throws(SystemError) -> [LogRecord] {
        if !isPositioned {
            isPositioned = true
            try position()
        }
        var records: [LogRecord] = []
        var size = 0
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while size < Self.batchBytes, !isPastUntil {
            guard try openIfNeeded() else { break }
            let count = try readBlock(&block)
            if count > 0 {
                pending.append(contentsOf: block[..<count])
                size += takeLines(into: &records)
                continue
            }
            guard try advance() else { break }
        }
        if atEnd, size < Self.batchBytes, !isPastUntil {
            for stream in [LogRecord.Stream.stdout, .stderr] {
                if let rest = partial.removeValue(forKey: stream) { accept(rest, into: &records) }
            }
        }
        return records
    }

    /// Changes whenever something was read.
    var place: [Int64] { [Int64(bitPattern: inode), offset, isPositioned ? 1 : 0] }

    /// Whether nothing more can come: `until` has passed.
    var isFinished: Bool { isPastUntil }

    // MARK: Files

    private func name(_ number: Int) -> String { number == 0 ? path : "\(path).\(number)" }

    private mutating func open(_ number: Int, at offset: Int64 = 0) throws(SystemError) -> Bool {
        do {
            let opened = try Linux.open(name(number), O_RDONLY)
            inode = UInt64(try status(of: opened.raw).st_ino)
            file = SharedDescriptor(opened)
        } catch {
            if error.errno == ENOENT { return false }
            throw error
        }
        self.offset = offset
        forgetPending()
        return true
    }

    private mutating func forgetPending() {
        pending.removeAll(keepingCapacity: true)
        searched = 0
        isSkipping = false
    }

    private mutating func openIfNeeded() throws(SystemError) -> Bool {
        if file != nil { return true }
        return try open(0)
    }

    private mutating func readBlock(_ block: inout [UInt8]) throws(SystemError) -> Int {
        guard let raw = file?.raw else { return 0 }
        let at = offset
        let count = try check("pread", path) {
            block.withUnsafeMutableBytes { pread(raw, $0.baseAddress, $0.count, Int(at)) }
        }
        offset += Int64(count)
        return count
    }

    /// At the end of the open file: goes on with the next newer one if there is one.
    private mutating func advance() throws(SystemError) -> Bool {
        guard let raw = file?.raw else { return false }
        if let current = try? status(path), UInt64(current.st_ino) == inode {
            // Still the one being written, unless it was cut short to be begun anew (`max-file=1`).
            guard Int64(try status(of: raw).st_size) < offset else { return false }
            offset = 0
            forgetPending()
            return true
        }
        // One more look: it may have grown between the last read and its renaming.
        var last = [UInt8](repeating: 0, count: 64 << 10)
        let count = try readBlock(&last)
        if count > 0 {
            pending.append(contentsOf: last[..<count])
            return true
        }
        var number = 1
        var oldest = 0
        while number <= Self.maximumFiles, let found = try? status(name(number)) {
            if UInt64(found.st_ino) == inode { return try open(number - 1) }
            oldest = number
            number += 1
        }
        // It was rotated out of existence.
        return try open(oldest)
    }

    // MARK: Where to begin

    /// Opens the file and place where the wanted records begin.
    private mutating func position() throws(SystemError) {
        var files = 0
        while files < Self.maximumFiles, exists(name(files)) { files += 1 }
        guard files > 0 else { return }
        if let tail = request.tail {
            var wanted = tail
            for number in 0..<files {
                guard try open(number) else { continue }
                let size = Int64(try status(of: file?.raw ?? -1).st_size)
                guard wanted > 0 else {
                    offset = size
                    return
                }
                let (start, found) = try tailStart(size: size, wanted: wanted)
                offset = start
                wanted -= found
                if wanted <= 0 { return }
            }
            return
        }
        // A file that was last written before `since` has nothing to say.
        var number = files - 1
        if let since = request.since {
            while number > 0, let found = try? status(name(number)),
                Int64(found.st_mtim.tv_sec) * 1_000_000_000 + Int64(found.st_mtim.tv_nsec) < since.nanoseconds
            {
                number -= 1
            }
        }
        _ = try open(number)
    }

    /// Where the last `wanted` records of the open file begin, reading it backwards, and how many were found.
    private func tailStart(size: Int64, wanted: Int) throws(SystemError) -> (offset: Int64, found: Int) {
        guard let raw = file?.raw else { return (0, 0) }
        var found = 0
        var end = size
        // The record line that is being collected, its last byte first in `line`'s end.
        var line: [UInt8] = []
        var start = size
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while end > 0 {
            let length = Int(min(Int64(block.count), end))
            let from = end - Int64(length)
            let count = try check("pread", path) {
                block.withUnsafeMutableBytes { pread(raw, $0.baseAddress, length, Int(from)) }
            }
            guard count == length else { break }
            var upper = count
            while let newline = block[..<upper].lastIndex(of: UInt8(ascii: "\n")) {
                let next = from + Int64(newline) + 1
                line.insert(contentsOf: block[(newline + 1)..<upper], at: 0)
                if !line.isEmpty {
                    // A line that ends a record: everything up to here belongs to it, until an earlier end is seen.
                    if Self.endsRecord(line) || found == 0 {
                        if found == wanted { return (start, found) }
                        found += 1
                    }
                    start = next
                }
                line.removeAll(keepingCapacity: true)
                upper = newline
            }
            line.insert(contentsOf: block[..<upper], at: 0)
            if line.count > Self.maximumLine { line.removeAll(keepingCapacity: true) }
            end = from
        }
        if !line.isEmpty, Self.endsRecord(line) || found == 0 {
            if found == wanted { return (start, found) }
            found += 1
        }
        return (0, found)
    }

    /// Whether a record line holds the end of the printed line: its text ends with an escaped newline, or is no full piece.
    static func endsRecord(_ line: [UInt8]) -> Bool {
        let mark = Array("\\n\",\"".utf8)
        if line.count < pieceBytes { return true }
        guard line.count >= mark.count else { return true }
        // The text is the first member, so its end is the first such mark; searching from behind is shorter.
        var at = line.count - mark.count
        while at >= 0 {
            if line[at] == mark[0], line[at..<(at + mark.count)].elementsEqual(mark) { return true }
            at -= 1
        }
        return false
    }

    // MARK: Records

    /// Takes whole lines off `pending`; the sum of what was accepted comes back.
    private mutating func takeLines(into records: inout [LogRecord]) -> Int {
        var begin = 0
        var size = 0
        while !isPastUntil, let newline = Self.newline(in: pending, from: max(begin, searched)) {
            let record = isSkipping || newline == begin ? nil : LogRecord(line: pending[begin..<newline])
            isSkipping = false
            begin = newline + 1
            guard let record else { continue }
            size += record.bytes.count + 64
            join(record, into: &records)
        }
        pending.removeFirst(begin)
        searched = pending.count
        // A line that never ends is not a log: what comes until it does is passed over.
        if pending.count > 2 * Self.maximumLine || isSkipping {
            isSkipping = true
            pending.removeAll(keepingCapacity: true)
            searched = 0
        }
        return size
    }

    /// C function: `memchr`.
    private static func newline(in bytes: [UInt8], from start: Int) -> Int? {
        guard start < bytes.count else { return nil }
        return bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, let found = memchr(base + start, 10, buffer.count - start) else {
                return nil
            }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Puts the pieces of a long line together.
    private mutating func join(_ piece: LogRecord, into records: inout [LogRecord]) {
        var record = piece
        if let begun = partial.removeValue(forKey: piece.stream) {
            record = LogRecord(
                stream: piece.stream, time: begun.time, bytes: begun.bytes + piece.bytes, attributes: begun.attributes)
        }
        // A piece is full but for a character that did not fit any more.
        let isWhole = piece.bytes.last == UInt8(ascii: "\n") || piece.bytes.count < Self.pieceBytes - 3
        if isWhole || record.bytes.count >= Self.maximumLine {
            accept(record, into: &records)
        } else {
            partial[record.stream] = record
        }
    }

    private mutating func accept(_ record: LogRecord, into records: inout [LogRecord]) {
        if let until = request.until, record.time > until {
            isPastUntil = true
            return
        }
        if let since = request.since, record.time < since { return }
        guard record.stream == .stdout ? request.stdout : request.stderr else { return }
        records.append(record)
    }
}
