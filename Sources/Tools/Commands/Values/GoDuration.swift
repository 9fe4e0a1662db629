internal import Failures

/// Lengths of time as Go writes them, in nanoseconds: "300ms", "1h30m", "-1.5s".
enum GoDuration {
    private static let units: [String: Double] = [
        "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
    ]

    static func parse(_ text: String) throws(Failure) -> Int64 {
        let invalid = Failure(.invalid, "time: invalid duration \"\(text)\"")
        var rest = text[...]
        let sign: Double = rest.hasPrefix("-") ? -1 : 1
        if rest.hasPrefix("-") || rest.hasPrefix("+") { rest.removeFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { throw invalid }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest[number.endIndex...]
            let unit = rest.prefix { !$0.isNumber && $0 != "." }
            rest = rest[unit.endIndex...]
            guard let value = Double(number) else { throw invalid }
            guard let factor = units[String(unit)] else {
                let what = unit.isEmpty ? "missing unit" : "unknown unit \"\(unit)\""
                throw Failure(.invalid, "time: \(what) in duration \"\(text)\"")
            }
            total += value * factor
        }
        guard total < 9.2e18 else { throw invalid }
        return Int64(sign * total.rounded())
    }

    /// "About a minute", "3 weeks": how long something takes or is ago.
    static func human(seconds: Int64) -> String {
        let minutes = seconds / 60
        let hours = (seconds + 1800) / 3600
        switch seconds {
        case ..<1: return "Less than a second"
        case 1: return "1 second"
        case ..<60: return "\(seconds) seconds"
        default: break
        }
        if minutes == 1 { return "About a minute" }
        if minutes < 60 { return "\(minutes) minutes" }
        if hours == 1 { return "About an hour" }
        if hours < 48 { return "\(hours) hours" }
        if hours < 24 * 7 * 2 { return "\(hours / 24) days" }
        if hours < 24 * 30 * 2 { return "\(hours / 24 / 7) weeks" }
        if hours < 24 * 365 * 2 { return "\(hours / 24 / 30) months" }
        return "\(seconds / 3600 / 24 / 365) years"
    }
}
