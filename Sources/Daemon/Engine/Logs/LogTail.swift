internal import Execution
internal import Linux

/// Where the last records of a log file begin.
enum LogTail {
    /// Finds the place from which on a file has the last `wanted` printed lines.
    ///
    /// - Returns: the place, and how many lines there are from it on: fewer than wanted when the file has no more.
    static func start(
        _ source: LogSource, _ form: LogSettings.Form, wanted: Int
    ) throws(SystemError) -> (place: Int64, found: Int) {
        if source.isPacked { return try forwards(source, form, wanted) }
        switch form {
        case .jsonFile: return try lines(source, wanted)
        case .local: return try messages(source, wanted)
        }
    }

    /// Packed bytes can only be read from the front: every line's beginning is remembered until `wanted` newer ones came.
    private static func forwards(
        _ source: LogSource, _ form: LogSettings.Form, _ wanted: Int
    ) throws(SystemError) -> (place: Int64, found: Int) {
        var places: [Int64] = []
        var oldest = 0
        var cutter = LogCutter(form)
        var block = [UInt8](repeating: 0, count: 64 << 10)
        var isAtStart = true
        try source.move(to: 0)
        while !cutter.isBroken {
            let count = try source.read(into: &block)
            if count == 0 { break }
            cutter.add(block[..<count])
            var place = cutter.place
            while let bytes = cutter.next() {
                if isAtStart {
                    if places.count < wanted {
                        places.append(place)
                    } else {
                        places[oldest] = place
                        oldest = (oldest + 1) % wanted
                    }
                }
                isAtStart = endsLine(bytes, form)
                place = cutter.place
            }
        }
        return (places.isEmpty ? 0 : places[oldest], places.count)
    }

    /// Reads lines backwards, a block at a time.
    private static func lines(_ source: LogSource, _ wanted: Int) throws(SystemError) -> (place: Int64, found: Int) {
        var found = 0
        var end = try source.size()
        // The record line that is being collected, its last byte first in `line`'s end.
        var line: [UInt8] = []
        var start = end
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while end > 0 {
            let length = Int(min(Int64(block.count), end))
            let from = end - Int64(length)
            let count = try source.read(at: from, into: &block, length)
            guard count == length else { break }
            var upper = count
            while let newline = block[..<upper].lastIndex(of: UInt8(ascii: "\n")) {
                let next = from + Int64(newline) + 1
                line.insert(contentsOf: block[(newline + 1)..<upper], at: 0)
                if !line.isEmpty {
                    // A line that ends a record: everything up to here belongs to it, until an earlier end is seen.
                    if endsRecord(line) || found == 0 {
                        if found == wanted { return (start, found) }
                        found += 1
                    }
                    start = next
                }
                line.removeAll(keepingCapacity: true)
                upper = newline
            }
            line.insert(contentsOf: block[..<upper], at: 0)
            if line.count > LogCutter.longestRecord { line.removeAll(keepingCapacity: true) }
            end = from
        }
        if !line.isEmpty, endsRecord(line) || found == 0 {
            if found == wanted { return (start, found) }
            found += 1
        }
        return (0, found)
    }

    /// Walks from the last message to the one before, by the length behind each.
    private static func messages(_ source: LogSource, _ wanted: Int) throws(SystemError) -> (place: Int64, found: Int) {
        var found = 0
        var start = try source.size()
        var end = start
        var block = [UInt8](repeating: 0, count: 64 << 10)
        /// The part of the file that is in memory, read backwards.
        var (window, from) = ([UInt8](), end)
        while end >= 8 {
            var length = 0
            while true {
                let have = Int(end - from)
                if have >= 4 {
                    length = LogCutter.length(window, have - 4)
                    guard length > 0, length <= LogCutter.longestRecord, Int64(length) + 8 <= end else {
                        return (start, found)
                    }
                    if have >= length + 8 { break }
                }
                let count = Int(min(Int64(block.count), from))
                guard count > 0, try source.read(at: from - Int64(count), into: &block, count) == count else {
                    return (start, found)
                }
                window.removeLast(window.count - have)
                window.insert(contentsOf: block[..<count], at: 0)
                from -= Int64(count)
            }
            let have = Int(end - from)
            if endsLine(window[(have - 4 - length)..<(have - 4)], .local) || found == 0 {
                if found == wanted { return (start, found) }
                found += 1
            }
            end -= Int64(length) + 8
            start = end
        }
        return (0, found)
    }

    private static func endsLine(_ bytes: ArraySlice<UInt8>, _ form: LogSettings.Form) -> Bool {
        switch form {
        case .jsonFile: endsRecord(bytes)
        case .local: LogPiece(bytes, form)?.isWhole ?? true
        }
    }

    private static let lineEnd = Array("\\n\",\"".utf8)

    /// Whether a `json-file` record holds the end of the printed line: its text ends with an escaped newline, or is no full piece.
    private static func endsRecord(_ line: some RandomAccessCollection<UInt8>) -> Bool {
        if line.count < LogPiece.fullSize { return true }
        // The text is the first member, so its end is the first such mark; searching from behind is shorter.
        var rest = line[...]
        while rest.count >= lineEnd.count {
            if rest.suffix(lineEnd.count).elementsEqual(lineEnd) { return true }
            rest = rest.dropLast()
        }
        return false
    }
}
