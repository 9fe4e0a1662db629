internal import Linux

/// A moment as HTTP has it: `Sat, 21 Nov 2026 08:49:48 GMT` (RFC 9110, section 5.6.7).
enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter seconds: since 1970, not before.
    static func text(_ seconds: Int64) -> String {
        // `2026-11-21T08:49:48Z`
        let date = WallTime(seconds: seconds, nanoseconds: 0).text.split(whereSeparator: { "-TZ".contains($0) })
        let month = months[(Int(date[1]) ?? 1) - 1]
        // The first day of 1970 was a Thursday.
        return "\(days[Int(seconds / 86400 % 7)]), \(date[2]) \(month) \(date[0]) \(date[3]) GMT"
    }

    static func now() -> String { text(WallTime.now().seconds) }
}
