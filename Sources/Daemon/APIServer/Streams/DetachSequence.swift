internal import Failures

/// Finds the keys that end an attach in what a person types, and keeps them from the process.
///
/// Bytes that may be the beginning of the sequence are held back until it is clear whether they are; a `ctrl-p` alone
/// therefore waits for the next key, as in Docker.
struct DetachSequence: Sendable, Equatable {
    private let keys: [UInt8]
    private var matched = 0

    /// `ctrl-p,ctrl-q`.
    static let standard = DetachSequence(keys: [16, 17])

    init(keys: [UInt8]) { self.keys = keys }

    /// Reads `ctrl-p,ctrl-q`, `a,ctrl-]` and the like; nil or empty is the standard sequence.
    ///
    /// - Throws: `invalid` with Docker's words for a key there is no such of.
    static func parse(_ text: String?) throws(Failure) -> DetachSequence {
        guard let text, !text.isEmpty else { return .standard }
        var keys: [UInt8] = []
        for key in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let byte = byte(key) else {
                throw Failure(.invalid, "Invalid detach keys (\(text)) provided: Unknown character: '\(key)'")
            }
            keys.append(byte)
        }
        return DetachSequence(keys: keys)
    }

    /// What of `bytes` goes on to the process, and whether the sequence was completed in them.
    mutating func filter(_ bytes: some Sequence<UInt8>) -> (passed: [UInt8], detached: Bool) {
        var passed: [UInt8] = []
        for byte in bytes {
            if byte == keys[matched] {
                matched += 1
                if matched == keys.count { return (passed, true) }
                continue
            }
            passed += keys[..<matched]
            matched = byte == keys[0] ? 1 : 0
            if matched == 0 { passed.append(byte) } else if keys.count == 1 { return (passed, true) }
        }
        return (passed, false)
    }

    private static func byte(_ key: Substring) -> UInt8? {
        if key.utf8.count == 1, let byte = key.utf8.first { return byte }
        guard key.hasPrefix("ctrl-"), let last = key.dropFirst(5).utf8.first, key.utf8.count == 6 else { return nil }
        switch last {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return last - UInt8(ascii: "a") + 1
        case UInt8(ascii: "@"): return 0
        case UInt8(ascii: "["): return 27
        case UInt8(ascii: "\\"): return 28
        case UInt8(ascii: "]"): return 29
        case UInt8(ascii: "^"): return 30
        case UInt8(ascii: "_"): return 31
        default: return nil
        }
    }
}
