import CLinux

/// Random numbers that can be had again from their seed: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// - Parameter purpose: gives each user of a seed numbers of its own.
    init(_ seed: UInt64, _ purpose: String) {
        state = seed
        for byte in purpose.utf8 { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// How the crash tests throw their dice; both can be set from outside.
enum CrashDice {
    /// `SKIFF_CRASH_SEED`: what a failure printed, to have the same moments again.
    static let seed: UInt64 = number("SKIFF_CRASH_SEED") ?? UInt64.random(in: 1...999_999)
    /// `SKIFF_CRASH_ROUNDS`: how often each verb is cut short.
    static let rounds = Int(number("SKIFF_CRASH_ROUNDS") ?? 10)

    private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
}
