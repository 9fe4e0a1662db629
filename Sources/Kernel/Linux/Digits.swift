// Numbers as the standard library writes them, whose ways are made for every kind of number: a program that lives for a
// millisecond would fault in dozens of its pages for a digit, and make a table of witnesses at run time.

/// A number that is not negative, in decimal.
public func decimal(_ number: Int32) -> String { digits(of: UInt64(UInt32(bitPattern: number)), base: 10) }

/// In base 16, in small letters.
public func hexadecimal(_ number: UInt64) -> String { digits(of: number, base: 16) }

private func digits(of number: UInt64, base: UInt64) -> String {
    var rest = number
    // Room for 24.
    var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
    return withUnsafeMutableBytes(of: &digits) { buffer in
        var first = buffer.count
        repeat {
            first -= 1
            let digit = UInt8(truncatingIfNeeded: rest % base)
            buffer[first] = digit < 10 ? UInt8(ascii: "0") &+ digit : UInt8(ascii: "a") &+ digit &- 10
            rest /= base
        } while rest > 0 && first > 0
        return String(decoding: buffer[first...], as: UTF8.self)
    }
}
