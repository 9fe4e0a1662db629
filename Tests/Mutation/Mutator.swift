internal import CLinux
internal import Linux

/// The same numbers on every machine (SplitMix64): a failure names its seed.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Feeds a parser what is almost right, for a few seconds: what it must not do is crash, hang or take in nonsense.
///
/// ```sh
/// SKIFF_FUZZ_SECONDS=600 swift test --filter Fuzz        # longer than the 2 seconds of a usual run
/// SKIFF_FUZZ_SEED=12345 swift test --filter Fuzz         # the run that printed this seed, again
/// ```
///
/// A crash ends the whole test run; the seed stands in its output, and the last input in `/tmp/skiff-fuzz-<name>`, which
/// is removed when all went well. An input that found something belongs in the corpus.
public struct Mutator: Sendable {
    private let corpus: [[UInt8]]
    private let words: [[UInt8]]

    /// - Parameters:
    ///   - corpus: inputs that are right.
    ///   - words: what means something to the parser.
    public init(corpus: [[UInt8]], words: [String]) {
        self.corpus = corpus
        self.words = words.map { Array($0.utf8) } + Self.numbers
    }

    /// The files of a folder beside a test's source file.
    public static func corpus(_ folder: String = "corpus", beside file: String = #filePath) throws -> [[UInt8]] {
        let path = String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]) + "/" + folder
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        return try readDirectory(directory.raw).map(\.name.text).sorted().map { try readFile("\(path)/\($0)") }
    }

    /// Calls the body with one input after the other until the time is over.
    public func run(_ name: String, _ body: ([UInt8]) throws -> Void) throws {
        let seed = Self.setting("SKIFF_FUZZ_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
        let seconds = Self.setting("SKIFF_FUZZ_SECONDS").flatMap { Int64($0) } ?? 2
        print("fuzz \(name): SKIFF_FUZZ_SEED=\(seed)")
        let last = "/tmp/skiff-fuzz-\(name)"
        let file = try open(last, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
        var generator = SeededGenerator(seed: seed)
        let end = Clock.monotonicMilliseconds() + seconds * 1000
        var rounds = 0
        for input in corpus { try body(input) }
        while Clock.monotonicMilliseconds() < end {
            let input = mutated(&generator)
            try truncate(file.raw, to: 0)
            try check("pwrite", last) { input.withUnsafeBytes { pwrite(file.raw, $0.baseAddress, $0.count, 0) } }
            try body(input)
            rounds += 1
        }
        try unlink(last)
        print("fuzz \(name): \(rounds) inputs")
    }

    /// One input of the corpus, changed in a few places.
    public func mutated(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = corpus.randomElement(using: &generator) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let at = Int.random(in: 0...bytes.count, using: &generator)
            let end = min(bytes.count, at + Int.random(in: 0...24, using: &generator))
            switch Int.random(in: 0..<8, using: &generator) {
            case 0 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.removeSubrange(at..<end)
            case 3: bytes.insert(contentsOf: Array(bytes[at..<end]), at: at)
            case 4: bytes.replaceSubrange(at..<end, with: words.randomElement(using: &generator) ?? [])
            case 5: bytes.insert(contentsOf: words.randomElement(using: &generator) ?? [], at: at)
            case 6: replaceNumber(&bytes, from: at, &generator)
            default:
                // The middle of another: two right halves are seldom a right whole.
                let other = corpus.randomElement(using: &generator) ?? []
                if !other.isEmpty {
                    let from = Int.random(in: 0..<other.count, using: &generator)
                    bytes.replaceSubrange(at..<end, with: other[from..<min(other.count, from + 64)])
                }
            }
        }
        return bytes
    }

    /// Counts and ranges are where parsers break.
    private func replaceNumber(_ bytes: inout [UInt8], from start: Int, _ generator: inout SeededGenerator) {
        guard let first = bytes[start...].firstIndex(where: Self.isDigit) else { return }
        let end = bytes[first...].firstIndex { !Self.isDigit($0) } ?? bytes.count
        bytes.replaceSubrange(first..<end, with: Self.numbers.randomElement(using: &generator) ?? [])
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static let numbers = [
        "0", "-1", "1", "127", "128", "255", "256", "32767", "65535", "65536", "2147483647", "2147483648",
        "-2147483649",
        "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
        "18446744073709551615", "18446744073709551616", "1e3", "1e400", "-0.0", "0.5", "00", "1E", "-",
    ].map { Array($0.utf8) }

    private static func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
