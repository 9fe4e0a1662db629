internal import Archive
internal import CLinux
internal import Failures
internal import Linux

/// One file of a log: the one being written, or a rotated one, plain or packed.
///
/// The files of a log change their names while they are read: each rotation gives every file the next number, and then the
/// newest rotated one becomes `.gz`. What stays is the inode number, which a packed file keeps in its header (the shim's
/// `LogPacker`); it cannot be given to another file while this one is open.
final class LogSource {
    private let file: SharedDescriptor
    private let path: String
    private let inode: UInt64
    /// What unpacks it; nil when it is plain.
    private var unpacker: Decompressor?
    let isPacked: Bool
    private(set) var offset: Int64 = 0

    /// How many rotated files are looked for.
    static let mostFiles = 1000

    static func name(_ log: String, _ number: Int) -> String { number == 0 ? log : "\(log).\(number)" }

    static func isThere(_ log: String, _ number: Int) -> Bool {
        exists(name(log, number)) || (number > 0 && exists(name(log, number) + ".gz"))
    }

    /// The numbers that have a file, newest first; one may be missing for the instant of a rotation.
    static func numbers(_ log: String) -> [Int] {
        var numbers: [Int] = []
        var number = 0
        while number <= mostFiles, number - (numbers.last ?? -1) <= 2 {
            if isThere(log, number) { numbers.append(number) }
            number += 1
        }
        return numbers
    }

    /// Opens a file by its number, nil if there is none.
    static func open(_ log: String, _ number: Int) throws(SystemError) -> LogSource? {
        if let plain = try opening(name(log, number)) {
            return try LogSource(plain, name(log, number), isPacked: false)
        }
        guard number > 0, let packed = try opening(name(log, number) + ".gz") else { return nil }
        return try LogSource(packed, name(log, number) + ".gz", isPacked: true)
    }

    private static func opening(_ path: String) throws(SystemError) -> SharedDescriptor? {
        do { return SharedDescriptor(try Linux.open(path, O_RDONLY)) } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
    }

    private init(_ file: SharedDescriptor, _ path: String, isPacked: Bool) throws(SystemError) {
        self.file = file
        self.path = path
        self.isPacked = isPacked
        inode = UInt64(try status(of: file.raw).st_ino)
    }

    /// The size of a plain file now.
    func size() throws(SystemError) -> Int64 { Int64(try status(of: file.raw).st_size) }

    /// Whether the file of that number is this one, packed since or not.
    func hasNumber(_ number: Int, of log: String) -> Bool {
        let name = Self.name(log, number)
        if let found = try? status(name), UInt64(found.st_ino) == inode { return true }
        guard number > 0, let packed = try? Linux.open(name + ".gz", O_RDONLY) else { return false }
        if let found = try? status(of: packed.raw), UInt64(found.st_ino) == inode { return true }
        return !isPacked && Self.plainInode(packed.raw) == inode
    }

    /// Whether no file of the log is this one any more.
    func isNowhere(of log: String) -> Bool {
        !Self.numbers(log).contains { hasNumber($0, of: log) }
    }

    /// When the file of a number was last written; packing keeps that.
    static func lastWritten(_ log: String, _ number: Int) -> Timestamp? {
        guard let found = (try? status(name(log, number))) ?? (try? status(name(log, number) + ".gz")) else {
            return nil
        }
        return Timestamp(nanoseconds: Int64(found.st_mtim.tv_sec) * 1_000_000_000 + Int64(found.st_mtim.tv_nsec))
    }

    /// The number of the plain file that a packed one was.
    private static func plainInode(_ raw: Int32) -> UInt64? {
        var head = [UInt8](repeating: 0, count: 64)
        let count = head.withUnsafeMutableBytes { pread(raw, $0.baseAddress, $0.count, 0) }
        guard count > 0, let field = GzipExtraField(reading: Array(head[..<count])), field.name == "SK",
            field.data.count == 8
        else { return nil }
        return field.data.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: Reading

    /// The next bytes; 0 at the end, for now.
    func read(into block: inout [UInt8]) throws(SystemError) -> Int {
        let count = isPacked ? unpack(&block) : try read(at: offset, into: &block, block.count)
        offset += Int64(count)
        return count
    }

    /// Bytes of a plain file from anywhere.
    func read(at place: Int64, into block: inout [UInt8], _ count: Int) throws(SystemError) -> Int {
        let raw = file.raw
        return try check("pread", path) {
            block.withUnsafeMutableBytes { pread(raw, $0.baseAddress, min(count, $0.count), off_t(place)) }
        }
    }

    /// Goes on from a place, counted in unpacked bytes.
    func move(to place: Int64) throws(SystemError) {
        guard isPacked, place != offset else {
            offset = place
            return
        }
        if place < offset {
            unpacker = nil
            offset = 0
        }
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while offset < place {
            if place - offset < Int64(block.count) { block = [UInt8](repeating: 0, count: Int(place - offset)) }
            if try read(into: &block) == 0 { return }
        }
    }

    func moveToEnd() throws(SystemError) { try move(to: isPacked ? .max : size()) }

    /// What cannot be unpacked any more is the end: a log that was damaged is shown as far as it goes.
    private func unpack(_ block: inout [UInt8]) -> Int {
        do throws(Failure) {
            if unpacker == nil {
                var place: Int64 = 0
                // Our own file: lines that say the same a million times pack better than any bomb.
                var limits = DecompressionLimits()
                (limits.bytes, limits.ratio, limits.freeGrowth) = (.max, .max, .max)
                let raw = file.raw
                unpacker = try Decompressor(
                    ClosureSource { buffer in
                        let count = pread(raw, buffer.baseAddress, buffer.count, off_t(place))
                        place += Int64(max(0, count))
                        return max(0, count)
                    }, limits: limits)
            }
            let unpacker = unpacker
            return try block.withUnsafeMutableBufferPointer { (buffer) throws(Failure) in
                try unpacker?.read(into: UnsafeMutableRawBufferPointer(buffer)) ?? 0
            }
        } catch {
            return 0
        }
    }
}
