internal import CLinux

/// Readings of the kernel's clocks.
public enum Clock {
    /// The wall clock since 1970 UTC.
    ///
    /// C function: `clock_gettime(CLOCK_REALTIME)`.
    public static func wall() -> (seconds: Int64, nanoseconds: Int32) {
        var value = timespec()
        clock_gettime(CLOCK_REALTIME, &value)
        return (Int64(value.tv_sec), Int32(value.tv_nsec))
    }

    /// The wall clock in nanoseconds since 1970 UTC.
    public static func wallNanoseconds() -> Int64 {
        let (seconds, nanoseconds) = wall()
        return seconds * 1_000_000_000 + Int64(nanoseconds)
    }

    /// Milliseconds of a clock that never jumps.
    ///
    /// C function: `clock_gettime(CLOCK_MONOTONIC)`.
    public static func monotonicMilliseconds() -> Int64 {
        var value = timespec()
        clock_gettime(CLOCK_MONOTONIC, &value)
        return Int64(value.tv_sec) * 1000 + Int64(value.tv_nsec) / 1_000_000
    }
}
