internal import Linux

/// A moment in UTC to the nanosecond, as Docker's clients read and write it.
///
/// Nanoseconds since 1970 in one word, because events, logs and states compare moments all day. The far past that
/// Docker shows for "never" (`0001-01-01T00:00:00Z`) does not fit and is its own value.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Nanoseconds since 1970-01-01T00:00:00Z; `Int64.min` stands for never.
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// What inspect shows for something that has not happened.
    public static let never = Timestamp(nanoseconds: .min)

    /// The present moment of the realtime clock.
    public static var now: Timestamp { Timestamp(nanoseconds: WallTime.now().total) }

    /// Whole seconds since 1970, rounded down; 0 for never, as Docker's lists have it.
    public var seconds: Int64 { self == .never ? 0 : nanoseconds.flooredDivision(by: 1_000_000_000).quotient }

    /// The moment `nanoseconds` later (or earlier), held at the ends of the range.
    public func advanced(byNanoseconds amount: Int64) -> Timestamp {
        if self == .never { return self }
        let (sum, overflow) = nanoseconds.addingReportingOverflow(amount)
        return Timestamp(nanoseconds: overflow ? (amount < 0 ? .min + 1 : .max) : sum)
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }
}

// MARK: RFC 3339

extension Timestamp {
    /// Go's `RFC3339Nano`: as many fraction digits as are needed, none for a whole second.
    public var rfc3339: String {
        if self == .never { return "0001-01-01T00:00:00Z" }
        return WallTime(total: nanoseconds).text
    }

    /// Exactly nine fraction digits: what `logs --timestamps` prints, so that lines stay aligned.
    public var rfc3339FixedWidth: String {
        if self == .never { return "0001-01-01T00:00:00.000000000Z" }
        return WallTime(total: nanoseconds).fixedWidthText
    }

    /// Reads RFC 3339 with any fraction (digits past nine are dropped) and `Z` or a numeric zone.
    public init?(rfc3339 text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard let time = bytes.withUnsafeBytes({ Timestamp(rfc3339Bytes: $0) }) else { return nil }
        self = time
    }

    /// The same of bytes where they lie, for logs with a million lines.
    init?(rfc3339Bytes bytes: UnsafeRawBufferPointer) {
        var scanner = Scanner(bytes: bytes)
        guard let year = scanner.number(4), scanner.take("-"), let month = scanner.number(2), scanner.take("-"),
            let day = scanner.number(2), scanner.take("T") || scanner.take("t") || scanner.take(" "),
            let hour = scanner.number(2), scanner.take(":"), let minute = scanner.number(2), scanner.take(":"),
            let second = scanner.number(2), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
            second < 61
        else { return nil }
        var fraction: Int64 = 0
        if scanner.take(".") {
            guard let digits = scanner.fraction() else { return nil }
            fraction = digits
        }
        var offset: Int64 = 0
        if !(scanner.take("Z") || scanner.take("z")) {
            let sign: Int64
            if scanner.take("+") { sign = 1 } else if scanner.take("-") { sign = -1 } else { return nil }
            guard let hours = scanner.number(2), scanner.take(":"), let minutes = scanner.number(2) else { return nil }
            offset = sign * (hours * 3600 + minutes * 60)
        }
        guard scanner.atEnd else { return nil }
        if year == 1, month == 1, day == 1, hour == 0, minute == 0, second == 0 {
            self = .never
            return
        }
        let seconds = Self.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return nil }
        self.init(nanoseconds: scaled + fraction)
    }

    /// Reads what the API's `since` and `until` carry: unix seconds, with an optional `.nanoseconds`, or RFC 3339.
    public init?(parameter text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if let time = bytes.withUnsafeBytes({ Timestamp(unixSeconds: $0) }) {
            self = time
        } else {
            self.init(rfc3339: text)
        }
    }

    private init?(unixSeconds bytes: UnsafeRawBufferPointer) {
        var scanner = Scanner(bytes: bytes)
        let negative = scanner.take("-")
        guard let seconds = scanner.digits() else { return nil }
        var fraction: Int64 = 0
        if scanner.take(".") {
            guard let digits = scanner.fraction() else { return nil }
            fraction = digits
        }
        guard scanner.atEnd else { return nil }
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow, scaled < .max - fraction else { return nil }
        self.init(nanoseconds: negative ? -(scaled + fraction) : scaled + fraction)
    }

    /// Days since 1970 of a civil date.
    ///
    /// Howard Hinnant's days_from_civil: eras of 400 years that start on 1 March.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shifted.flooredDivision(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// Takes numbers of a fixed width off the front of a date.
private struct Scanner {
    let bytes: UnsafeRawBufferPointer
    var at = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var atEnd: Bool { at == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard at < bytes.count, UInt32(bytes[at]) == character.value else { return false }
        at += 1
        return true
    }

    mutating func number(_ width: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<width {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// Up to eighteen digits, so that the value cannot overflow.
    mutating func digits() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit = digit() {
            count += 1
            if count > 18 { return nil }
            value = value * 10 + digit
        }
        return count == 0 ? nil : value
    }

    /// Fraction digits as nanoseconds.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit = digit() {
            if count < 9 { value = value * 10 + digit }
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 9)..<9 { value *= 10 }
        return value
    }

    private mutating func digit() -> Int64? {
        guard at < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) else { return nil }
        at += 1
        return Int64(bytes[at - 1] - UInt8(ascii: "0"))
    }
}

extension Int64 {
    /// Division that rounds towards minus infinity, so that the remainder is never negative.
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
