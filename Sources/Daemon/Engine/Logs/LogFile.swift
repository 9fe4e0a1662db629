internal import Execution
internal import Linux

/// Reads a container's log over its rotated files, one batch at a time.
///
/// The shim writes `<path>` and, when that is full, renames it to `<path>.1` (and `.1` to `.2`, …), begins a new one and
/// may pack the old. A reader stays with the file it has open until its end, finds where that file stands now, and goes on
/// with the next newer one: a rotation between two reads loses and repeats nothing. What was rotated out of existence while
/// nobody read is skipped.
///
/// Blocking; used by one reader at a time. Memory is bounded by one batch and the longest record.
struct LogFile: ~Copyable {
    /// How many bytes of payload one batch holds at least before it is returned.
    static let batchBytes = 64 << 10
    /// Pieces of a longer line are given out as they are.
    static let maximumLine = 1 << 20
    /// How often a place that moved while it was looked for is looked for again.
    private static let mostLooks = 100

    private let path: String
    private let request: LogRequest
    private var source: LogSource?
    private var cutter: LogCutter
    /// How many files were gone through.
    private var files: Int64 = 0
    /// Pieces of lines that have not ended, for each stream.
    private var partial: [LogRecord.Stream: LogRecord] = [:]
    private var isPositioned = false
    private var isPastUntil = false
    private var block = [UInt8](repeating: 0, count: 64 << 10)

    init(path: String, form: LogSettings.Form = .jsonFile, request: LogRequest) {
        self.path = path
        self.request = request
        cutter = LogCutter(form)
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
        while size < Self.batchBytes, !isPastUntil {
            if source == nil {
                guard let newest = try LogSource.open(path, 0) else { break }
                begin(newest)
            }
            // Asked before the last look: what grew between that look and its renaming would be lost otherwise.
            let isNewest = source?.hasNumber(0, of: path) ?? false
            if try readBlock() {
                size += takeRecords(into: &records)
                continue
            }
            guard try isNewest ? restart() : advance() else { break }
        }
        if atEnd, size < Self.batchBytes, !isPastUntil {
            for stream in [LogRecord.Stream.stdout, .stderr] {
                if let rest = partial.removeValue(forKey: stream) { accept(rest, into: &records) }
            }
        }
        return records
    }

    /// Changes whenever something was read.
    var place: [Int64] { [files, source?.offset ?? -1, isPositioned ? 1 : 0] }

    /// Whether nothing more can come: `until` has passed.
    var isFinished: Bool { isPastUntil }

    // MARK: Files

    private mutating func begin(_ source: LogSource, at place: Int64 = 0) {
        self.source = source
        files += 1
        cutter = LogCutter(cutter.form, from: place)
    }

    /// Reads on in the open file; false at its end.
    private mutating func readBlock() throws(SystemError) -> Bool {
        guard !cutter.isBroken, let count = try source?.read(into: &block), count > 0 else { return false }
        cutter.add(block[..<count])
        return true
    }

    /// At the end of the file being written: goes on at its beginning if it was emptied to be begun anew (`max-file=1`).
    private mutating func restart() throws(SystemError) -> Bool {
        guard let source, try source.size() < source.offset else { return false }
        try source.move(to: 0)
        begin(source)
        return true
    }

    /// At the end of a file that is written no more: goes on with the next newer one if there is one.
    private mutating func advance() throws(SystemError) -> Bool {
        guard let source else { return false }
        for _ in 0..<Self.mostLooks {
            let numbers = LogSource.numbers(path)
            guard let number = numbers.first(where: { source.hasNumber($0, of: path) }) else {
                // It was rotated out of existence.
                guard let oldest = numbers.last, let next = try LogSource.open(path, oldest) else { return false }
                if !source.isNowhere(of: path) { continue }
                begin(next)
                return true
            }
            guard let newer = numbers.last(where: { $0 < number }), let next = try LogSource.open(path, newer) else {
                return false
            }
            // A rotation between the looks may have put another file between the two.
            let isBetween = (newer + 1..<number).contains { LogSource.isThere(path, $0) }
            if isBetween || !source.hasNumber(number, of: path) { continue }
            begin(next)
            return true
        }
        return false
    }

    // MARK: Where to begin

    /// How much older a file may seem than its last record: the kernel stamps files by a clock that is up to a tick behind,
    /// and some file systems keep seconds only.
    private static let clockDifference: Int64 = 2_000_000_000

    /// Opens the file and place where the wanted records begin.
    private mutating func position() throws(SystemError) {
        let numbers = LogSource.numbers(path)
        if let tail = request.tail {
            var wanted = tail
            for number in numbers {
                guard let file = try LogSource.open(path, number) else { continue }
                // After a rotation just now a file is met again under its next number.
                if let source, source.hasNumber(number, of: path) { continue }
                if wanted == 0 {
                    try file.moveToEnd()
                } else {
                    let (start, found) = try LogTail.start(file, cutter.form, wanted: wanted)
                    try file.move(to: start)
                    wanted -= found
                }
                begin(file, at: file.offset)
                if wanted <= 0 { return }
            }
            return
        }
        guard var index = numbers.indices.last else { return }
        // A file that was last written before `since` has nothing to say.
        if let since = request.since?.advanced(byNanoseconds: -Self.clockDifference) {
            while index > 0, let time = LogSource.lastWritten(path, numbers[index]), time < since { index -= 1 }
        }
        if let file = try LogSource.open(path, numbers[index]) { begin(file) }
    }

    // MARK: Records

    /// Takes whole records off the bytes read; the sum of what was accepted comes back.
    private mutating func takeRecords(into records: inout [LogRecord]) -> Int {
        var size = 0
        while !isPastUntil, let bytes = cutter.next() {
            guard let piece = LogPiece(bytes, cutter.form) else { continue }
            size += piece.record.bytes.count + 64
            join(piece, into: &records)
        }
        return size
    }

    /// Puts the pieces of a long line together.
    private mutating func join(_ piece: LogPiece, into records: inout [LogRecord]) {
        var record = piece.record
        if let begun = partial.removeValue(forKey: record.stream) {
            record = LogRecord(
                stream: record.stream, time: begun.time, bytes: begun.bytes + record.bytes,
                attributes: begun.attributes)
        }
        if piece.isWhole || record.bytes.count >= Self.maximumLine {
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
