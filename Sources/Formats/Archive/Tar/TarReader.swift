public import Failures

/// The members of a tar stream, one after the other: ustar, GNU's long names and numbers, pax.
///
/// ```
/// let reader = TarReader(try Decompressor(source))
/// while let entry = try reader.next() { … reader.read(into: buffer) … }
/// try reader.drain()
/// ```
/// A stream may come from an enemy: a header that lies is an error, and all that grows has a limit.
public final class TarReader: ByteSource {
    private let source: any ByteSource
    private let limits: ArchiveLimits
    private let buffer: UnsafeMutableRawBufferPointer
    private var head = 0
    private var tail = 0
    /// Content of the present member that was not read, and what fills up its last block.
    private var remaining: Int64 = 0
    private var padding: Int64 = 0
    private var entries = 0
    private var contentBytes: Int64 = 0
    private var isAtEnd = false

    public init(_ source: any ByteSource, limits: ArchiveLimits = .standard) {
        self.source = source
        self.limits = limits
        self.buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    /// The next member, its predecessor's unread content skipped; `nil` at the end.
    public func next() throws(Failure) -> TarEntry? {
        guard !isAtEnd else { return nil }
        try skip(remaining)
        // Docker's client leaves out what would fill the last block of a context whose Dockerfile was piped in.
        try skip(padding, mayEnd: true)
        remaining = 0
        padding = 0
        var pax = PaxRecords()
        var longName: [UInt8]?
        var longLink: [UInt8]?
        var headerBytes = 0
        while true {
            guard let block = try header() else {
                isAtEnd = true
                return nil
            }
            guard let size = TarHeader.number(block, TarHeader.size), size >= 0 else {
                throw Failure(.invalid, "a header of the archive has no valid size")
            }
            let type = block[TarHeader.type]
            switch type {
            case Letter.pax, Letter.longName, Letter.longLink, Letter.globalPax, Letter.solarisPax:
                headerBytes += Int(clamping: size)
                guard size <= Int64(limits.headerBytes), headerBytes <= limits.headerBytes else {
                    throw Failure(
                        .invalid, "the headers of one archive entry exceed the limit of \(limits.headerBytes) bytes")
                }
                let text = try metadata(Int(size))
                switch type {
                case Letter.pax, Letter.solarisPax: pax = try PaxRecords(parsing: text)
                case Letter.longName: longName = Array(text.prefix { $0 != 0 })
                case Letter.longLink: longLink = Array(text.prefix { $0 != 0 })
                // What holds for all entries is at most a comment (git), and Docker's reader leaves it out as well.
                default: break
                }
            case Letter.volumeName:
                try skip(TarHeader.padded(size))
            default:
                return try member(block, type: type, size: size, pax: pax, longName: longName, longLink: longLink)
            }
        }
    }

    /// Content of the member that ``next()`` returned; 0 is its end.
    public func read(into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        let chunk = try content(atMost: output.count)
        output.copyMemory(from: chunk)
        return chunk.count
    }

    /// Reads what follows the end marker up to the end of the stream, so that a digest taken below sees every byte.
    public func drain() throws(Failure) {
        repeat {
            head = 0
            tail = try source.read(into: buffer)
        } while tail > 0
        isAtEnd = true
    }

    /// The next piece of the present member's content, where it lies; empty at its end.
    ///
    /// Valid until the next call.
    func content(atMost limit: Int = .max) throws(Failure) -> UnsafeRawBufferPointer {
        guard remaining > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        if head == tail, try !refill() { throw TarReader.endsInsideFile }
        let count = min(tail - head, limit, Int(clamping: remaining))
        let chunk = UnsafeRawBufferPointer(rebasing: buffer[head..<head + count])
        head += count
        remaining -= Int64(count)
        return chunk
    }

    /// Type letters of a header; what is not named here makes a member, or is refused.
    private enum Letter {
        static let pax = UInt8(ascii: "x")
        static let solarisPax = UInt8(ascii: "X")
        static let globalPax = UInt8(ascii: "g")
        static let longName = UInt8(ascii: "L")
        static let longLink = UInt8(ascii: "K")
        static let volumeName = UInt8(ascii: "V")
    }

    /// The next header's block, checked; `nil` at the end marker or where the stream ends between members.
    private func header() throws(Failure) -> UnsafeRawBufferPointer? {
        if tail - head < TarHeader.blockSize {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[head..<tail]))
            tail -= head
            head = 0
            while tail < TarHeader.blockSize {
                let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[tail...]))
                if count == 0 {
                    if tail == 0 { return nil }
                    throw Failure(.invalid, "the archive ends too early, inside a header")
                }
                tail += count
            }
        }
        let block = UnsafeRawBufferPointer(rebasing: buffer[head..<head + TarHeader.blockSize])
        head += TarHeader.blockSize
        if TarHeader.isZero(block) { return nil }
        guard TarHeader.hasValidChecksum(block) else {
            throw Failure(
                .invalid,
                entries == 0 ? "this is not a tar archive" : "the archive is broken: a header's checksum is wrong")
        }
        entries += 1
        guard entries <= limits.entries else {
            throw Failure(.invalid, "the archive has more than the limit of \(limits.entries) entries")
        }
        return block
    }

    private func member(
        _ block: UnsafeRawBufferPointer, type: UInt8, size: Int64, pax: PaxRecords, longName: [UInt8]?,
        longLink: [UInt8]?
    ) throws(Failure) -> TarEntry {
        var path = pax.path ?? longName ?? TarReader.path(block)
        let hadSlash = path.last == 0x2f
        while path.count > 1, path.last == 0x2f { path.removeLast() }
        guard path.count <= limits.pathBytes else {
            throw Failure(.invalid, "the archive has a name of \(path.count) bytes")
        }
        let kind: TarEntry.Kind
        switch type {
        case UInt8(ascii: "0"), 0, UInt8(ascii: "7"): kind = type == 0 && hadSlash ? .directory : .file
        case UInt8(ascii: "1"): kind = .hardLink
        case UInt8(ascii: "2"): kind = .symbolicLink
        case UInt8(ascii: "3"): kind = .characterDevice
        case UInt8(ascii: "4"): kind = .blockDevice
        case UInt8(ascii: "5"): kind = .directory
        case UInt8(ascii: "6"): kind = .fifo
        case UInt8(ascii: "S"):
            throw Failure(
                .invalid,
                "\(printable(path)) of the archive is a sparse file, which is not supported: write it without --sparse")
        default:
            throw Failure(.invalid, "\(printable(path)) of the archive has an unknown type (\(type))")
        }
        let numbers = try numbers(block, pax, path)
        var entry = TarEntry(kind: kind, path: path, mode: numbers.mode, uid: numbers.uid, gid: numbers.gid)
        entry.modified = pax.modified ?? TarEntry.Time(seconds: numbers.modified)
        entry.attributes = pax.attributes
        switch kind {
        case .file:
            entry.size = pax.size ?? size
            // Subtraction, so that no lie about a size can overflow the sum.
            guard entry.size <= limits.contentBytes - contentBytes else {
                throw Failure(.invalid, "the archive's files exceed the limit of \(limits.contentBytes) bytes")
            }
            contentBytes += entry.size
            remaining = entry.size
            padding = TarHeader.padded(entry.size) - entry.size
        case .hardLink, .symbolicLink:
            entry.linkTarget = pax.linkPath ?? longLink ?? TarHeader.text(block, TarHeader.linkName)
            guard entry.linkTarget.count <= limits.pathBytes else {
                throw Failure(
                    .invalid, "\(printable(path)) of the archive links to a name of \(entry.linkTarget.count) bytes")
            }
        case .characterDevice, .blockDevice:
            entry.deviceMajor = try TarReader.small(TarHeader.number(block, TarHeader.major), "device number", path)
            entry.deviceMinor = try TarReader.small(TarHeader.number(block, TarHeader.minor), "device number", path)
        case .directory, .fifo: break
        }
        return entry
    }

    private func numbers(
        _ block: UnsafeRawBufferPointer, _ pax: PaxRecords, _ path: [UInt8]
    ) throws(Failure) -> (mode: UInt32, uid: UInt32, gid: UInt32, modified: Int64) {
        guard let mode = TarHeader.number(block, TarHeader.mode),
            let modified = TarHeader.number(block, TarHeader.modified)
        else {
            throw Failure(.invalid, "\(printable(path)) of the archive has a broken header")
        }
        let uid = try TarReader.small(pax.uid ?? TarHeader.number(block, TarHeader.uid), "owner", path)
        let gid = try TarReader.small(pax.gid ?? TarHeader.number(block, TarHeader.gid), "group", path)
        // Old writers put the file's type above the permission bits.
        return (UInt32(truncatingIfNeeded: mode & 0o7777), uid, gid, modified)
    }

    /// A number the kernel takes as an id: the highest one means "leave it" to `chown`.
    private static func small(_ number: Int64?, _ what: String, _ path: [UInt8]) throws(Failure) -> UInt32 {
        guard let number, number >= 0, number < Int64(UInt32.max) else {
            throw Failure(.invalid, "\(printable(path)) of the archive has no valid \(what)")
        }
        return UInt32(number)
    }

    /// The name in the block itself; only POSIX's form has the part that goes in front.
    private static func path(_ block: UnsafeRawBufferPointer) -> [UInt8] {
        let name = TarHeader.text(block, TarHeader.name)
        let isPosix = block[TarHeader.magic].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0])
        guard isPosix, block[TarHeader.prefix.lowerBound] != 0 else { return name }
        return TarHeader.text(block, TarHeader.prefix) + [0x2f] + name
    }

    /// The content of a header that describes the next one.
    private func metadata(_ size: Int) throws(Failure) -> [UInt8] {
        remaining = Int64(size)
        var text: [UInt8] = []
        while remaining > 0 { text.append(contentsOf: try content()) }
        try skip(TarHeader.padded(Int64(size)) - Int64(size))
        return text
    }

    /// - Parameter mayEnd: the stream may end here, as Go's reader allows within the filling of a block.
    private func skip(_ count: Int64, mayEnd: Bool = false) throws(Failure) {
        var left = count
        while left > 0 {
            if head == tail, try !refill() {
                if mayEnd { return }
                throw TarReader.endsInsideFile
            }
            let step = min(tail - head, Int(clamping: left))
            head += step
            left -= Int64(step)
        }
    }

    /// Reads more into the empty buffer; false at the end of the stream.
    private func refill() throws(Failure) -> Bool {
        head = 0
        tail = try source.read(into: buffer)
        return tail > 0
    }

    private static let endsInsideFile = Failure(.invalid, "the archive ends too early, inside a file")
}

/// A name from an archive as it may stand in a message: short, and without bytes that steer a terminal.
func printable(_ path: [UInt8]) -> String {
    var text = ""
    for scalar in String(decoding: path.prefix(200), as: UTF8.self).unicodeScalars {
        if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
            text += "?"
        } else {
            text.unicodeScalars.append(scalar)
        }
    }
    return path.count > 200 ? text + "…" : text
}
