import Testing

@testable import Engine

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000000Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456789Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z", "2023-11-14T22:13:20.120000000Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000000Z"),
        (-1_000_000_000, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
    ])
    func writesAndReadsRFC3339(nanoseconds: Int, short: String, fixed: String) throws {
        let time = Timestamp(nanoseconds: Int64(nanoseconds))
        #expect(time.rfc3339 == short)
        #expect(time.rfc3339FixedWidth == fixed)
        #expect(Timestamp(rfc3339: short) == time)
        #expect(Timestamp(rfc3339: fixed) == time)
    }

    @Test func neverIsDockersYearOne() {
        #expect(Timestamp.never.rfc3339 == "0001-01-01T00:00:00Z")
        #expect(Timestamp(rfc3339: "0001-01-01T00:00:00Z") == .never)
        #expect(Timestamp.never.seconds == 0)
        #expect(Timestamp.never < Timestamp(nanoseconds: 0))
    }

    @Test(arguments: [
        ("2023-11-14T23:13:20+01:00", 1_700_000_000), ("2023-11-14T20:43:20-01:30", 1_700_000_000),
        ("2023-11-14t22:13:20z", 1_700_000_000),
    ])
    func readsZones(text: String, seconds: Int) {
        #expect(Timestamp(rfc3339: text)?.seconds == Int64(seconds))
    }

    @Test(arguments: [
        "", "2023", "2023-11-14", "2023-13-14T22:13:20Z", "2023-11-14T24:00:00Z", "2023-11-14T22:13:20",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20Zx", "9999999-01-01T00:00:00Z",
    ])
    func refusesWhatIsNoTime(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test(arguments: [
        ("1700000000", 1_700_000_000_000_000_000), ("1700000000.5", 1_700_000_000_500_000_000),
        ("1700000000.000000001", 1_700_000_000_000_000_001), ("1700000000.0000000019", 1_700_000_000_000_000_001),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000), ("0", 0),
    ])
    func readsParameters(text: String, nanoseconds: Int) {
        #expect(Timestamp(parameter: text)?.nanoseconds == Int64(nanoseconds))
    }

    @Test(arguments: ["yesterday", "1.2.3", "99999999999999999999", "", "12x"])
    func refusesOtherParameters(text: String) {
        #expect(Timestamp(parameter: text) == nil)
    }

    @Test func arithmeticStopsAtTheEnds() {
        #expect(Timestamp(nanoseconds: .max).advanced(byNanoseconds: 1).nanoseconds == .max)
        #expect(Timestamp(nanoseconds: .min + 2).advanced(byNanoseconds: -9) > .never)
    }
}
