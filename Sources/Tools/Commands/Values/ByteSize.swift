internal import Failures

/// Numbers of bytes as people write and read them; the texts are those of Docker's go-units.
enum ByteSize {
    /// "64m", "1.5 GiB", "2048": binary multiples, in any case, with or without "b" and "ib".
    static func parse(_ text: String) throws(Failure) -> Int64 {
        let invalid = Failure(.invalid, "invalid size: '\(text)'")
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(number), value.isFinite else { throw invalid }
        var unit = text[number.endIndex...].drop { $0 == " " }.lowercased()
        if unit.hasSuffix("ib") { unit.removeLast(2) } else if unit.hasSuffix("b") { unit.removeLast() }
        let powers = ["": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5]
        guard let power = powers[unit] else { throw invalid }
        var result = value
        for _ in 0..<power { result *= 1024 }
        guard result < 9.2e18 else { throw invalid }
        return Int64(result)
    }

    /// Decimal multiples with a few digits: "4.09MB".
    static func decimal(_ bytes: Int64, digits: Int = 3) -> String {
        scaled(Double(bytes), base: 1000, units: ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"], digits)
    }

    /// Binary multiples with four digits: "1.952GiB".
    static func binary(_ bytes: Int64) -> String {
        scaled(Double(bytes), base: 1024, units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"], 4)
    }

    private static func scaled(_ bytes: Double, base: Double, units: [String], _ digits: Int) -> String {
        var value = bytes
        var unit = 0
        while abs(value) >= base, unit < units.count - 1 {
            value /= base
            unit += 1
        }
        return significant(value, digits) + units[unit]
    }

    /// A number with at most so many significant digits and no zeros at its end, as C's `%g` has it.
    static func significant(_ value: Double, _ digits: Int) -> String {
        guard value != 0, value.isFinite else { return "0" }
        var whole = 0
        var probe = abs(value)
        while probe >= 1 {
            probe /= 10
            whole += 1
        }
        // Zeros behind the point before the first digit give room for as many more.
        if whole == 0 {
            probe = abs(value)
            while probe < 0.1 {
                probe *= 10
                whole -= 1
            }
        }
        return decimals(value, max(0, digits - whole), trimmed: true)
    }

    /// A number with so many digits behind the point.
    static func decimals(_ value: Double, _ places: Int, trimmed: Bool = false) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let rounded = (abs(value) * scale).rounded(.toNearestOrEven)
        guard rounded < 9e18 else { return String(Int64(clamping: Int(value.rounded()))) }
        let digits = String(Int64(rounded))
        let filled = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        var text = String(filled.dropLast(places))
        var fraction = String(filled.suffix(places))
        if trimmed { while fraction.hasSuffix("0") { fraction.removeLast() } }
        if !fraction.isEmpty { text += ".\(fraction)" }
        return value < 0 && rounded != 0 ? "-\(text)" : text
    }
}
