internal import CLinux
internal import Linux
internal import ShimProtocol

/// Makes a log that a crash of the machine cut in the middle of a record one that can be appended to.
enum LogRepair {
    /// The longest record that is believed.
    private static let longestRecord = 1 << 20

    /// Cuts off, or closes, what is no whole record at the end.
    ///
    /// - Returns: the size of the file then.
    static func repaired(_ file: Int32, _ size: Int64, _ form: LogOrder.Form) throws(SystemError) -> Int64 {
        guard size > 0 else { return 0 }
        switch form {
        case .jsonFile:
            if try bytes(file, size - 1, 1) == [UInt8(ascii: "\n")] { return size }
            // Readers pass over a line that is no record.
            try writeAll(file, [UInt8(ascii: "\n")])
            return size + 1
        case .local:
            if let last = try length(file, size - 4, of: size), last <= size - 8,
                try length(file, size - 8 - last, of: size) == last
            {
                return size
            }
            // From the front to the last record that is whole.
            var end: Int64 = 0
            while let next = try length(file, end, of: size), end + 8 + next <= size,
                try length(file, end + 4 + next, of: size) == next
            {
                end += 8 + next
            }
            try truncate(file, to: end)
            return end
        }
    }

    private static func length(_ file: Int32, _ offset: Int64, of size: Int64) throws(SystemError) -> Int64? {
        guard offset >= 0, offset + 4 <= size else { return nil }
        let length = try bytes(file, offset, 4).reduce(Int64(0)) { $0 << 8 | Int64($1) }
        return length > 0 && length <= longestRecord ? length : nil
    }

    private static func bytes(_ file: Int32, _ offset: Int64, _ count: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try check("pread", "\(file)") {
            bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress, count, off_t(offset)) }
        }
        return Array(bytes[..<got])
    }
}
