/// How many of the bytes at hand belong to the request being read, so that the parser never sees more than one.
///
/// A parser that is given everything at once reads what follows a request as the next request. After
/// `POST /containers/x/attach` what follows is the container's stdin, and whether it is raw bytes is only known when the
/// route has answered. So bytes are let through up to the end of the head, then as many as the body has, then none
/// until the answer is complete.
struct RequestMeter: Equatable {
    enum Position: Equatable {
        /// In a head, with this many bytes of the `\r\n\r\n` that ends it seen.
        case head(matched: Int)
        /// In a body of known length.
        case body(remaining: Int)
        /// In a body whose end only the parser finds (chunked).
        case parserDecides
        /// Behind a request that has not been answered.
        case closed
        /// Taken over: bytes are nobody's request.
        case raw
    }

    private(set) var position = Position.head(matched: 0)

    /// How many bytes from the front of `bytes` may go to the parser now.
    mutating func admit(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch position {
        case .closed: return 0
        case .raw, .parserDecides: return bytes.count
        case .body(let remaining):
            let count = min(remaining, bytes.count)
            position = .body(remaining: remaining - count)
            return count
        case .head(var matched):
            for (index, byte) in bytes.enumerated() {
                matched = Self.step(matched, byte)
                if matched == 4 {
                    position = .head(matched: 0)
                    return index + 1
                }
            }
            position = .head(matched: matched)
            return bytes.count
        }
    }

    /// The parser has read a head whose body has `length` bytes, or a length it will find out itself.
    mutating func headRead(bodyLength length: Int?) {
        if let length { position = .body(remaining: length) } else { position = .parserDecides }
    }

    /// The parser has read the whole request: nothing more until it is answered.
    mutating func requestRead() { position = .closed }

    /// The answer is complete: the next request may come.
    mutating func reopen() { if position != .raw { position = .head(matched: 0) } }

    /// The connection was taken over.
    mutating func takeOver() { position = .raw }

    private static func step(_ matched: Int, _ byte: UInt8) -> Int {
        let wanted: UInt8 = matched % 2 == 0 ? 0x0D : 0x0A
        if byte == wanted { return matched + 1 }
        return byte == 0x0D ? 1 : 0
    }
}
