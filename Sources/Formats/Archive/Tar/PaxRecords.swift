internal import Failures

/// The records of a pax extended header that say something about an entry, out of `length key=value` lines.
struct PaxRecords {
    var path: [UInt8]?
    var linkPath: [UInt8]?
    var size: Int64?
    var uid: Int64?
    var gid: Int64?
    var modified: TarEntry.Time?
    var attributes: [TarEntry.Attribute] = []

    static let attributePrefix = "SCHILY.xattr."

    init() {}

    /// Reads the records of one header; a later one of the same key wins, an empty value takes it back.
    init(parsing bytes: [UInt8]) throws(Failure) {
        var rest = bytes[...]
        while let first = rest.first {
            // Some writers fill the header up with zeros.
            if first == 0 { break }
            guard let space = rest.prefix(20).firstIndex(of: 0x20), let length = PaxRecords.decimal(rest[..<space]),
                length > Int64(space - rest.startIndex) + 2, length <= Int64(rest.count)
            else { throw Failure(.invalid, "a pax header of the archive is broken") }
            let end = rest.startIndex + Int(length)
            guard rest[end - 1] == 0x0a, let equals = rest[(space + 1)..<(end - 1)].firstIndex(of: 0x3d),
                equals > space + 1
            else {
                throw Failure(.invalid, "a pax header of the archive is broken")
            }
            try take(
                key: String(decoding: rest[(space + 1)..<equals], as: UTF8.self), value: rest[(equals + 1)..<(end - 1)])
            rest = rest[end...]
        }
    }

    private mutating func take(key: String, value: ArraySlice<UInt8>) throws(Failure) {
        switch key {
        case "path": path = try PaxRecords.name(key, value)
        case "linkpath": linkPath = try PaxRecords.name(key, value)
        case "size": size = try PaxRecords.number(key, value)
        case "uid": uid = try PaxRecords.number(key, value)
        case "gid": gid = try PaxRecords.number(key, value)
        case "mtime": modified = try PaxRecords.time(value)
        default:
            if key.hasPrefix("GNU.sparse.") {
                throw Failure(
                    .invalid, "the archive holds a sparse file, which is not supported: write it without --sparse")
            }
            guard key.hasPrefix(PaxRecords.attributePrefix) else { return }
            let name = String(key.dropFirst(PaxRecords.attributePrefix.count))
            guard !name.isEmpty, name.utf8.count < 256, !name.utf8.contains(0) else {
                throw Failure(.invalid, "a pax header of the archive names no extended attribute")
            }
            attributes.removeAll { $0.name == name }
            if !value.isEmpty { attributes.append(TarEntry.Attribute(name: name, value: Array(value))) }
        }
    }

    private static func name(_ key: String, _ value: ArraySlice<UInt8>) throws(Failure) -> [UInt8]? {
        if value.isEmpty { return nil }
        guard !value.contains(0) else {
            throw Failure(.invalid, "the pax record \(key) of the archive holds a zero byte")
        }
        return Array(value)
    }

    private static func number(_ key: String, _ value: ArraySlice<UInt8>) throws(Failure) -> Int64? {
        if value.isEmpty { return nil }
        guard let number = decimal(value) else {
            throw Failure(.invalid, "the pax record \(key) of the archive is not a number")
        }
        return number
    }

    /// Digits alone: no sign, no space, no overflow.
    private static func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            value = value * 10 + Int64(digit - 0x30)
        }
        return value
    }

    /// Seconds with any number of decimal places, below zero before 1970: "-1.25" is 1,250 ms before.
    static func time(_ text: ArraySlice<UInt8>) throws(Failure) -> TarEntry.Time? {
        if text.isEmpty { return nil }
        let isNegative = text.first == 0x2d
        let parts = text.dropFirst(isNegative ? 1 : 0).split(
            separator: 0x2e, maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, let seconds = decimal(whole) else {
            throw Failure(.invalid, "the pax record mtime of the archive is not a time")
        }
        var nanoseconds: Int64 = 0
        if parts.count == 2, !parts[1].isEmpty {
            let digits = Array((parts[1] + [UInt8](repeating: 0x30, count: 9)).prefix(9))
            guard parts[1].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let value = decimal(digits[...]) else {
                throw Failure(.invalid, "the pax record mtime of the archive is not a time")
            }
            nanoseconds = value
        }
        if isNegative {
            return nanoseconds == 0
                ? TarEntry.Time(seconds: -seconds)
                : TarEntry.Time(seconds: -seconds - 1, nanoseconds: Int32(1_000_000_000 - nanoseconds))
        }
        return TarEntry.Time(seconds: seconds, nanoseconds: Int32(nanoseconds))
    }

    /// One line as the format has it: its length counts itself.
    static func line(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let content = key.utf8.count + value.count + 3
        var length = content
        while length != content + String(length).utf8.count { length = content + String(length).utf8.count }
        return Array("\(length) \(key)=".utf8) + value + [0x0a]
    }
}
