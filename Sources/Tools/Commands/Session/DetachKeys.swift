internal import Failures

/// The keys that leave a terminal without ending what runs in it: "ctrl-p,ctrl-q".
///
/// Bytes are held back while they might be the beginning of the sequence.
struct DetachKeys: Sendable {
    static let standard = "ctrl-p,ctrl-q"
    static let option = Option<String?>.text("detach-keys", "Override the key sequence for detaching a container")

    private let sequence: [UInt8]
    private var matched = 0

    init(parsing text: String) throws(Failure) {
        sequence = try text.split(separator: ",").map { key throws(Failure) in try Self.byte(String(key)) }
    }

    private static func byte(_ key: String) throws(Failure) -> UInt8 {
        let bytes = Array(key.utf8)
        if bytes.count == 1 { return bytes[0] }
        let control = key.hasPrefix("ctrl-") ? Array(key.dropFirst(5).utf8) : []
        guard control.count == 1 else { throw Failure(.invalid, "invalid detach keys: unknown character: '\(key)'") }
        switch control[0] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return control[0] - UInt8(ascii: "a") + 1
        case UInt8(ascii: "@"): return 0
        case UInt8(ascii: "["): return 27
        case UInt8(ascii: "\\"): return 28
        case UInt8(ascii: "]"): return 29
        case UInt8(ascii: "^"): return 30
        case UInt8(ascii: "_"): return 31
        default: throw Failure(.invalid, "invalid detach keys: unknown character: '\(key)'")
        }
    }

    /// What of the typed bytes goes on to the container, and whether the sequence is complete.
    mutating func filter(_ typed: some Sequence<UInt8>) -> (passed: [UInt8], detaches: Bool) {
        var passed: [UInt8] = []
        for byte in typed {
            if !sequence.isEmpty, byte == sequence[matched] {
                matched += 1
                if matched == sequence.count { return (passed, true) }
                continue
            }
            passed += sequence[..<matched]
            matched = 0
            if byte == sequence.first { matched = 1 } else { passed.append(byte) }
        }
        return (passed, false)
    }
}
