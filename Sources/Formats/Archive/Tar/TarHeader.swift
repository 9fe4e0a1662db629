internal import Failures

/// Where things stand in a header block, and how numbers are spelled there: POSIX.1-1988 `ustar` with GNU's additions.
///
/// ```
/// 0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8 | 156 type 1
/// 157 link name 100 | 257 magic 6 | 263 version 2 | 265 user 32 | 297 group 32 | 329 major 8 | 337 minor 8 | 345 prefix 155
/// ```
enum TarHeader {
    static let blockSize = 512

    static let name = 0..<100
    static let mode = 100..<108
    static let uid = 108..<116
    static let gid = 116..<124
    static let size = 124..<136
    static let modified = 136..<148
    static let checksum = 148..<156
    static let type = 156
    static let linkName = 157..<257
    static let magic = 257..<263
    static let version = 263..<265
    static let major = 329..<337
    static let minor = 337..<345
    static let prefix = 345..<500

    /// Content with what fills up its last block; a lie of a size stays a huge number.
    static func padded(_ size: Int64) -> Int64 { size > .max - 511 ? .max : (size + 511) & ~511 }

    /// Whether the block says nothing: the end of the stream.
    static func isZero(_ block: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while at < blockSize {
            if block.loadUnaligned(fromByteOffset: at, as: UInt64.self) != 0 { return false }
            at += 8
        }
        return true
    }

    /// Whether the block's checksum is right, as bytes or (old writers) as signed characters.
    static func hasValidChecksum(_ block: UnsafeRawBufferPointer) -> Bool {
        guard let stated = number(block, checksum) else { return false }
        var unsigned: Int64 = 0
        var highBits: Int64 = 0
        for byte in block[..<blockSize] {
            unsigned += Int64(byte)
            highBits += Int64(byte >> 7)
        }
        for byte in block[checksum] {
            unsigned += 0x20 - Int64(byte)
            highBits -= Int64(byte >> 7)
        }
        return stated == unsigned || stated == unsigned - 256 * highBits
    }

    /// The bytes of a field up to its first zero.
    static func text(_ block: UnsafeRawBufferPointer, _ field: Range<Int>) -> [UInt8] {
        var end = field.lowerBound
        while end < field.upperBound, block[end] != 0 { end += 1 }
        return Array(block[field.lowerBound..<end])
    }

    /// A field's number: octal digits between spaces and zeros, or base 256 when the first bit is set.
    ///
    /// `nil` when it is neither, or does not fit.
    static func number(_ block: UnsafeRawBufferPointer, _ field: Range<Int>) -> Int64? {
        let first = block[field.lowerBound]
        if first & 0x80 != 0 { return base256(block, field) }
        var at = field.lowerBound
        while at < field.upperBound, block[at] == 0x20 || block[at] == 0 { at += 1 }
        var value: Int64 = 0
        while at < field.upperBound, block[at] >= 0x30, block[at] <= 0x37 {
            // Twelve digits at most, so this cannot overflow.
            value = value << 3 | Int64(block[at] - 0x30)
            at += 1
        }
        while at < field.upperBound {
            if block[at] != 0x20, block[at] != 0 { return nil }
            at += 1
        }
        return value
    }

    private static func base256(_ block: UnsafeRawBufferPointer, _ field: Range<Int>) -> Int64? {
        let isNegative = block[field.lowerBound] & 0x40 != 0
        var value: Int64 = isNegative ? -1 : 0
        for index in field {
            var byte = block[index]
            if index == field.lowerBound { byte = isNegative ? byte | 0x80 : byte & 0x7f }
            let (product, overflow) = value.multipliedReportingOverflow(by: 256)
            if overflow { return nil }
            value = product | Int64(byte)
        }
        return value
    }

    /// Spells a number into a field: octal while it fits, base 256 above.
    static func put(_ value: Int64, _ block: UnsafeMutableRawBufferPointer, _ field: Range<Int>) {
        let digits = field.count - 1
        if value >= 0, digits >= 21 || value < Int64(1) << (3 * Int64(digits)) {
            var rest = value
            for index in (field.lowerBound..<field.upperBound - 1).reversed() {
                block[index] = 0x30 + UInt8(rest & 7)
                rest >>= 3
            }
            block[field.upperBound - 1] = 0
            return
        }
        var rest = value
        for index in field.reversed() {
            block[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
        block[field.lowerBound] = value < 0 ? 0xff : block[field.lowerBound] | 0x80
    }

    /// Fills in the checksum of a block that is otherwise complete.
    static func seal(_ block: UnsafeMutableRawBufferPointer) {
        for index in checksum { block[index] = 0x20 }
        var sum: Int64 = 0
        for byte in block[..<blockSize] { sum += Int64(byte) }
        // Six digits, a zero, a space: as every writer does.
        put(sum, block, checksum.lowerBound..<checksum.lowerBound + 7)
        block[checksum.upperBound - 1] = 0x20
    }
}
