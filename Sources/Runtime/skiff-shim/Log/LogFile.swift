internal import CLinux
internal import Linux
internal import ShimProtocol

/// A log file: appended in whole records, begun anew at its size limit.
///
/// ```
/// <path>          being written
/// <path>.1        the one before, and so on up to maximumFiles - 1
/// <path>.2.gz     packed, where the order says so: see LogPacker
/// <path>.new      the next one, for an instant
/// ```
///
/// The limit is looked at before each record, as moby does it, so a file may exceed it by one. With one file only, the
/// file is emptied. While the file before is still being packed the limit is twice as high, and only then is the packing
/// waited for: nothing else of a rotation takes time.
final class LogFile {
    private let order: LogOrder
    private var file: OwnedDescriptor
    private var size: Int64
    private let packer: LogPacker?

    init(_ order: LogOrder) throws(SystemError) {
        self.order = order
        packer = order.compresses ? LogPacker("\(order.path).1") : nil
        file = try open(order.path, O_RDWR | O_CREAT | O_APPEND, mode: 0o640)
        size = Int64(try status(of: file.raw).st_size)
        try? unlink("\(order.path).new")
        size = try LogRepair.repaired(file.raw, size, order.form)
        packer?.takeUp()
    }

    /// Appends records; on a failure the file ends with its last whole record.
    ///
    /// - Parameter ends: the offset in `records` at which each ends.
    func write(_ records: [UInt8], ends: [Int]) throws(SystemError) {
        var start = 0
        var failure: SystemError?
        if let limit = order.maximumSize, limit > 0, size + Int64(records.count) >= limit {
            let allowed = packer?.isRunning ?? false ? 2 * limit : limit
            for record in [0] + ends.dropLast() where size + Int64(record - start) >= allowed {
                try append(records, start..<record)
                start = record
                packer?.wait()
                // What cannot be rotated is still written.
                do throws(SystemError) { try rotate() } catch { failure = error }
                if failure != nil { break }
            }
        }
        try append(records, start..<records.count)
        if let failure { throw failure }
    }

    /// The container is being cleared away: what is being packed stays as it is.
    func abandon() { packer?.stop() }

    private func append(_ records: [UInt8], _ range: Range<Int>) throws(SystemError) {
        guard !range.isEmpty else { return }
        do throws(SystemError) {
            try writeAll(file.raw, records, in: range)
            size += Int64(range.count)
        } catch {
            try? truncate(file.raw, to: size)
            throw error
        }
    }

    private func rotate() throws(SystemError) {
        guard order.maximumFiles > 1 else {
            try truncate(file.raw, to: 0)
            size = 0
            return
        }
        // The new file first: without room for it everything stays as it is.
        let fresh = try open("\(order.path).new", O_RDWR | O_CREAT | O_APPEND | O_TRUNC, mode: 0o640)
        for form in LogPacker.forms { try? unlink("\(order.path).\(order.maximumFiles - 1)\(form)") }
        for number in stride(from: order.maximumFiles - 1, to: 1, by: -1) {
            for form in LogPacker.forms {
                try? rename("\(order.path).\(number - 1)\(form)", to: "\(order.path).\(number)\(form)")
            }
        }
        try rename(order.path, to: "\(order.path).1")
        try rename("\(order.path).new", to: order.path)
        file = fresh
        size = 0
        packer?.start()
    }
}
