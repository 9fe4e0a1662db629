internal import CLinux
internal import Failures

/// A point in time: what the API writes, what people type, what tables show.
struct Moment: Sendable, Hashable, Comparable {
    /// Since the start of 1970 in UTC.
    var seconds: Int64
    var nanoseconds: Int64

    init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    static func now() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Moment(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// RFC 3339 as the API writes it; nil for anything else.
    init?(rfc3339 text: String) {
        guard let zone = text.lastIndex(where: { "Zz+".contains($0) }) ?? Self.minusZone(text) else { return nil }
        guard let local = Moment(local: String(text[..<zone]), zone: 0) else { return nil }
        var offset: Int64 = 0
        let tail = text[zone...]
        if tail.first != "Z", tail.first != "z" {
            let parts = tail.dropFirst().split(separator: ":")
            guard parts.count == 2, let hours = Int64(parts[0]), let minutes = Int64(parts[1]) else { return nil }
            offset = (hours * 3600 + minutes * 60) * (tail.first == "-" ? -1 : 1)
        }
        self = Moment(seconds: local.seconds - offset, nanoseconds: local.nanoseconds)
    }

    private static func minusZone(_ text: String) -> String.Index? {
        guard let dash = text.lastIndex(of: "-"), let time = text.firstIndex(of: "T"), dash > time else { return nil }
        return dash
    }

    /// A date, with or without a time, in local time or at an offset: "2026-11-21T08:30:00.5", "2026-11-21".
    init?(local text: String, zone: Int64? = nil) {
        let halves = text.split(separator: "T", maxSplits: 1).map(String.init)
        guard let first = halves.first else { return nil }
        let date = first.split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
        guard date.count == 3, let year = date[0], let month = date[1], let day = date[2],
            (0...9999).contains(year), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var time = tm()
        time.tm_year = year - 1900
        time.tm_mon = month - 1
        time.tm_mday = day
        time.tm_isdst = -1
        var fraction: Int64 = 0
        if halves.count == 2 {
            let pieces = halves[1].split(separator: ".", omittingEmptySubsequences: false)
            let clock = pieces[0].split(separator: ":", omittingEmptySubsequences: false).map { Int32($0) }
            guard (1...3).contains(clock.count), pieces.count <= 2, !clock.contains(nil) else { return nil }
            time.tm_hour = clock[0] ?? 0
            time.tm_min = clock.count > 1 ? clock[1] ?? 0 : 0
            time.tm_sec = clock.count > 2 ? clock[2] ?? 0 : 0
            guard (0...24).contains(time.tm_hour), (0...59).contains(time.tm_min), (0...60).contains(time.tm_sec)
            else { return nil }
            if pieces.count == 2 {
                guard let digits = Int64((pieces[1] + "000000000").prefix(9)), !pieces[1].isEmpty else { return nil }
                fraction = digits
            }
        }
        seconds = zone.map { Int64(timegm(&time)) - $0 } ?? Int64(mktime(&time))
        nanoseconds = fraction
    }

    /// What `--since` and `--until` take: a moment, seconds since 1970, or a length of time before now.
    init(typed text: String, now: Moment) throws(Failure) {
        if let moment = Moment(rfc3339: text) ?? Moment(local: text) {
            self = moment
        } else if let moment = Moment(unix: text) {
            self = moment
        } else if let ago = try? GoDuration.parse(text) {
            self = now.adding(nanoseconds: -ago)
        } else {
            throw Failure(
                .invalid,
                "failed to parse value as time or duration: \"\(text)\" (want 2026-11-21T08:30:00, seconds since 1970, or 10m)"
            )
        }
    }

    /// "1700000000.5".
    init?(unix text: String) {
        let pieces = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(pieces.count), let seconds = Int64(pieces[0]) else { return nil }
        self.seconds = seconds
        nanoseconds = 0
        if pieces.count == 2 {
            guard !pieces[1].isEmpty, let fraction = Int64((pieces[1] + "000000000").prefix(9)) else { return nil }
            nanoseconds = fraction
        }
    }

    func adding(nanoseconds delta: Int64) -> Moment {
        var total = nanoseconds + delta % 1_000_000_000
        var seconds = seconds + delta / 1_000_000_000
        if total < 0 {
            total += 1_000_000_000
            seconds -= 1
        } else if total >= 1_000_000_000 {
            total -= 1_000_000_000
            seconds += 1
        }
        return Moment(seconds: seconds, nanoseconds: total)
    }

    /// "1700000000.000000000", as the API takes it.
    var unixText: String { "\(seconds).\(digits(nanoseconds, 9))" }

    /// "3 hours ago".
    func ago(from now: Moment) -> String { "\(GoDuration.human(seconds: now.seconds - seconds)) ago" }

    static func < (left: Moment, right: Moment) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    // MARK: Texts in local time

    /// "2026-11-21 08:30:00 +0100 CET", Go's default form.
    var goText: String {
        let (time, offset, zone) = local
        let sign = offset < 0 ? "-" : "+"
        let hours = digits(abs(offset) / 3600, 2) + digits(abs(offset) / 60 % 60, 2)
        return "\(date(time)) \(clock(time)) \(sign)\(hours) \(zone)"
    }

    /// "2026-11-21T08:30:00.000000000+01:00".
    var rfc3339Nano: String {
        let (time, offset, _) = local
        let zone =
            offset == 0
            ? "Z" : "\(offset < 0 ? "-" : "+")\(digits(abs(offset) / 3600, 2)):\(digits(abs(offset) / 60 % 60, 2))"
        return "\(date(time))T\(clock(time)).\(digits(nanoseconds, 9))\(zone)"
    }

    /// "2026-11-21T08:30:00+01:00".
    var rfc3339: String {
        let whole = rfc3339Nano
        guard let dot = whole.firstIndex(of: ".") else { return whole }
        return String(whole[..<dot] + whole[dot...].drop { $0 == "." || $0.isNumber })
    }

    private var local: (tm, Int64, String) {
        var stamp = time_t(seconds)
        var result = tm()
        localtime_r(&stamp, &result)
        return (result, Int64(result.tm_gmtoff), result.tm_zone.map { String(cString: $0) } ?? "UTC")
    }

    private func date(_ time: tm) -> String {
        "\(digits(Int64(time.tm_year) + 1900, 4))-\(digits(Int64(time.tm_mon) + 1, 2))-\(digits(Int64(time.tm_mday), 2))"
    }

    private func clock(_ time: tm) -> String {
        "\(digits(Int64(time.tm_hour), 2)):\(digits(Int64(time.tm_min), 2)):\(digits(Int64(time.tm_sec), 2))"
    }
}

/// A number with zeros in front.
func digits(_ value: Int64, _ width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
}
