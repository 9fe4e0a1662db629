public import Failures

/// Writes members of a tar stream, one after the other: ustar, with a pax header where that has no room.
///
/// The same members always make the same bytes: no times, ids or names of this machine go in.
public final class TarWriter {
    private let sink: any ByteSink
    private var remaining: Int64 = 0
    private var padding = 0
    private var current: [UInt8] = []
    private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 16)

    public init(_ sink: any ByteSink) { self.sink = sink }

    deinit { block.deallocate() }

    /// Starts a member; exactly `entry.size` bytes of content must follow before the next.
    public func begin(_ entry: TarEntry) throws(Failure) {
        try end()
        var path = entry.path
        if entry.kind == .directory, path.last != 0x2f { path.append(0x2f) }
        let split = TarWriter.split(path)
        let records = TarWriter.records(entry, path, fits: split != nil)
        if !records.isEmpty {
            var header = TarEntry(
                kind: .file, path: Array("PaxHeaders/".utf8) + path.filter { $0 < 0x80 }.suffix(80), mode: 0o644,
                size: Int64(records.count))
            header.modified = TarEntry.Time(seconds: 0)
            try put(header, name: header.path[...], prefix: [], type: UInt8(ascii: "x"))
            try sink.write(records)
            try fill(TarHeader.padded(Int64(records.count)) - Int64(records.count))
        }
        let (prefix, name) = split ?? ([], path.prefix(100))
        try put(entry, name: name, prefix: prefix, type: TarWriter.type(entry.kind))
        remaining = entry.kind == .file ? entry.size : 0
        padding = Int(TarHeader.padded(remaining) - remaining)
        current = path
    }

    /// Content of the member that was begun.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard Int64(bytes.count) <= remaining else {
            throw Failure(
                .internal, "\(printable(current)) is longer than its archive entry says: it changed while it was read")
        }
        try sink.write(bytes)
        remaining -= Int64(bytes.count)
    }

    /// A whole member.
    public func add(_ entry: TarEntry, content: [UInt8] = []) throws(Failure) {
        var entry = entry
        if entry.kind == .file { entry.size = Int64(content.count) }
        try begin(entry)
        if !content.isEmpty { try content.withUnsafeBytesThrowing { (bytes) throws(Failure) in try write(bytes) } }
    }

    /// Writes the end marker.
    ///
    /// The sink is left open.
    public func finish() throws(Failure) {
        try end()
        try fill(2 * Int64(TarHeader.blockSize))
    }

    /// Content that the present member still needs.
    var missing: Int64 { remaining }

    private func end() throws(Failure) {
        guard remaining == 0 else {
            throw Failure(
                .internal, "\(printable(current)) is shorter than its archive entry says: it changed while it was read")
        }
        try fill(Int64(padding))
        padding = 0
    }

    /// Up to 1024 zeros.
    private func fill(_ count: Int64) throws(Failure) {
        guard count > 0 else { return }
        block.initializeMemory(as: UInt8.self, repeating: 0)
        try sink.write(UnsafeRawBufferPointer(rebasing: block[..<Int(count)]))
    }

    private func put(_ entry: TarEntry, name: ArraySlice<UInt8>, prefix: ArraySlice<UInt8>, type: UInt8) throws(Failure)
    {
        block.initializeMemory(as: UInt8.self, repeating: 0)
        copy(name, to: TarHeader.name)
        copy(prefix, to: TarHeader.prefix)
        TarHeader.put(Int64(entry.mode & 0o7777), block, TarHeader.mode)
        TarHeader.put(TarWriter.fitting(Int64(entry.uid), 7), block, TarHeader.uid)
        TarHeader.put(TarWriter.fitting(Int64(entry.gid), 7), block, TarHeader.gid)
        TarHeader.put(entry.kind == .file ? TarWriter.fitting(entry.size, 11) : 0, block, TarHeader.size)
        TarHeader.put(TarWriter.fitting(max(entry.modified.seconds, 0), 11), block, TarHeader.modified)
        block[TarHeader.type] = type
        copy(entry.linkTarget.prefix(100), to: TarHeader.linkName)
        copy([0x75, 0x73, 0x74, 0x61, 0x72, 0], to: TarHeader.magic)
        copy([0x30, 0x30], to: TarHeader.version)
        if entry.kind == .characterDevice || entry.kind == .blockDevice {
            TarHeader.put(Int64(entry.deviceMajor), block, TarHeader.major)
            TarHeader.put(Int64(entry.deviceMinor), block, TarHeader.minor)
        }
        TarHeader.seal(block)
        try sink.write(UnsafeRawBufferPointer(rebasing: block[..<TarHeader.blockSize]))
    }

    private func copy(_ bytes: ArraySlice<UInt8>, to field: Range<Int>) {
        for (index, byte) in zip(field, bytes) { block[index] = byte }
    }

    private static func fits(_ value: Int64, _ digits: Int64) -> Bool { value >= 0 && value < Int64(1) << (3 * digits) }

    /// What goes into the old field when a pax record has the true number.
    private static func fitting(_ value: Int64, _ digits: Int64) -> Int64 { fits(value, digits) ? value : 0 }

    /// What the old header has no room for.
    private static func records(_ entry: TarEntry, _ path: [UInt8], fits: Bool) -> [UInt8] {
        var records: [UInt8] = []
        func add(_ key: String, _ text: String) { records += PaxRecords.line(key, Array(text.utf8)) }
        if entry.modified.nanoseconds != 0 || !Self.fits(entry.modified.seconds, 11) {
            add("mtime", text(entry.modified))
        }
        if !Self.fits(Int64(entry.uid), 7) { add("uid", String(entry.uid)) }
        if !Self.fits(Int64(entry.gid), 7) { add("gid", String(entry.gid)) }
        if entry.kind == .file, !Self.fits(entry.size, 11) { add("size", String(entry.size)) }
        if !fits { records += PaxRecords.line("path", path) }
        if entry.linkTarget.count > 100 { records += PaxRecords.line("linkpath", entry.linkTarget) }
        for attribute in entry.attributes.sorted(by: { $0.name < $1.name }) {
            records += PaxRecords.line(PaxRecords.attributePrefix + attribute.name, attribute.value)
        }
        return records
    }

    private static func text(_ time: TarEntry.Time) -> String {
        guard time.nanoseconds != 0 else { return String(time.seconds) }
        var seconds = time.seconds
        var nanoseconds = time.nanoseconds
        if seconds < 0 {
            seconds += 1
            nanoseconds = 1_000_000_000 - nanoseconds
        }
        let digits = String(nanoseconds)
        let sign = time.seconds < 0 ? "-" : ""
        return sign + String(abs(seconds)) + "." + String(repeating: "0", count: 9 - digits.utf8.count) + digits
    }

    /// The name's two halves as the old header has them; `nil` when it does not fit, or is not ASCII.
    private static func split(_ path: [UInt8]) -> (prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>)? {
        guard path.allSatisfy({ $0 < 0x80 }) else { return nil }
        if path.count <= 100 { return ([], path[...]) }
        // The slash between them is in neither half; a directory's last slash stays with its name.
        let latest = min(155, path.count - 2)
        guard path.count <= 256, let slash = path[...latest].lastIndex(of: 0x2f), slash > 0,
            path.count - slash - 1 <= 100
        else {
            return nil
        }
        return (path[..<slash], path[(slash + 1)...])
    }

    private static func type(_ kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }
}
