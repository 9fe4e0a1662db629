/// Sizes as people write them: `64m`, `1g`, `512k`, `100`, in powers of 1024.
enum ByteCount {
    static func parse(_ text: String) -> Int64? {
        var digits = Substring(text.lowercased())
        if digits.hasSuffix("ib") { digits.removeLast(2) } else if digits.hasSuffix("b") { digits.removeLast() }
        var scale: Int64 = 1
        if let last = digits.last, let power = ["k": 10, "m": 20, "g": 30, "t": 40][String(last)] {
            scale = 1 << Int64(power)
            digits.removeLast()
        }
        guard let number = Int64(digits), number >= 0 else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: scale)
        return overflow ? nil : size
    }
}
