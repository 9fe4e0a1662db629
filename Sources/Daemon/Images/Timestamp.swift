/// Times as images have them: RFC 3339, more or less.
enum Timestamp {
    /// Seconds since 1970 of an RFC 3339 text, 0 for anything else: images carry all sorts of it.
    static func seconds(_ text: String?) -> Int64 {
        guard let text, text.utf8.count >= 20, text.utf8.count <= 64 else { return 0 }
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int64? {
            guard start + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[start..<start + count] {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            return value
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2), (1...12).contains(month), (1...31).contains(day)
        else { return 0 }
        var zone = 19
        while zone < bytes.count, bytes[zone] == UInt8(ascii: ".") || (bytes[zone] >= 48 && bytes[zone] <= 57) {
            zone += 1
        }
        var offset: Int64 = 0
        if zone < bytes.count, bytes[zone] == UInt8(ascii: "+") || bytes[zone] == UInt8(ascii: "-") {
            guard let hours = number(zone + 1, 2), let minutes = number(zone + 4, 2) else { return 0 }
            offset = (hours * 3600 + minutes * 60) * (bytes[zone] == UInt8(ascii: "-") ? -1 : 1)
        }
        return days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
    }

    /// Days since 1970 of a day in the Gregorian calendar. (Hinnant, "chrono-Compatible Low-Level Date Algorithms")
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.floorDivided(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
