internal import CLinux

/// A moment of the wall clock, UTC.
public struct WallTime: Sendable, Hashable {
    /// Since 1970.
    public var seconds: Int64
    public var nanoseconds: Int32

    public init(seconds: Int64, nanoseconds: Int32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// - Parameter total: nanoseconds since 1970, before it below zero.
    public init(total: Int64) {
        let (quotient, remainder) = total.quotientAndRemainder(dividingBy: 1_000_000_000)
        seconds = remainder < 0 ? quotient - 1 : quotient
        nanoseconds = Int32(remainder < 0 ? remainder + 1_000_000_000 : remainder)
    }

    /// The clock now.
    ///
    /// C function: `clock_gettime(CLOCK_REALTIME)`.
    public static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec))
    }

    /// RFC 3339 with the fraction's trailing zeros left out.
    public var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// RFC 3339 with nine digits of fraction, so that lines stay aligned.
    public var fixedWidthText: String {
        var bytes: [UInt8] = []
        append(to: &bytes, isFixed: true)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Nanoseconds since 1970.
    public var total: Int64 { seconds * 1_000_000_000 + Int64(nanoseconds) }

    /// Appends it as RFC 3339 with the fraction's trailing zeros left out (Go's `RFC3339Nano`).
    public func append(to output: inout [UInt8]) { append(to: &output, isFixed: false) }

    private func append(to output: inout [UInt8], isFixed: Bool) {
        let days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
        let second = seconds - days * 86400
        // Days to a civil date, with years that begin in March so that the leap day comes last.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        func digits(_ value: Int64, _ width: Int, _ end: Unicode.Scalar) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                output.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
                divisor /= 10
            }
            output.append(UInt8(ascii: end))
        }
        digits(year, 4, "-")
        digits(month, 2, "-")
        digits(day, 2, "T")
        digits(second / 3600, 2, ":")
        digits(second / 60 % 60, 2, ":")
        if nanoseconds == 0, !isFixed {
            digits(second % 60, 2, "Z")
            return
        }
        digits(second % 60, 2, ".")
        var fraction = Int64(nanoseconds)
        var width = 9
        while fraction % 10 == 0, !isFixed {
            fraction /= 10
            width -= 1
        }
        digits(fraction, width, "Z")
    }
}
