internal import Failures
internal import JSON

/// Finds where one JSON document ends and the next begins in a stream that says nothing about it.
///
/// Engines put a line end after each object, but clients may rely on neither lines nor parts, so braces are counted
/// outside of strings.
struct DocumentSplitter {
    private var pending: [UInt8] = []
    private var depth = 0
    private var inString = false
    private var escaped = false
    private static let limit = 16 << 20

    /// The documents that are complete now.
    mutating func add(_ part: UnsafeRawBufferPointer) throws(Failure) -> [JSON] {
        var documents: [JSON] = []
        for byte in part {
            if depth == 0, pending.isEmpty, " \r\n\t\u{1E}".utf8.contains(byte) { continue }
            pending.append(byte)
            if scan(byte) { documents.append(try parsed()) }
        }
        guard pending.count <= Self.limit else {
            throw Failure(.internal, "the engine sent a document that does not end")
        }
        return documents
    }

    /// What is left when the stream is over, if anything.
    mutating func finish() throws(Failure) -> JSON? {
        // Not a conditional expression: `nil` would be taken for a JSON null.
        if pending.isEmpty { return nil }
        return try parsed()
    }

    /// Whether the byte ends a document.
    private mutating func scan(_ byte: UInt8) -> Bool {
        if escaped {
            escaped = false
            return false
        }
        switch byte {
        case UInt8(ascii: "\\") where inString: escaped = true
        case UInt8(ascii: "\""): inString.toggle()
        case UInt8(ascii: "{") where !inString, UInt8(ascii: "[") where !inString: depth += 1
        case UInt8(ascii: "}") where !inString, UInt8(ascii: "]") where !inString:
            depth -= 1
            return depth == 0
        case UInt8(ascii: "\n") where depth == 0 && !inString: return true
        default: break
        }
        return false
    }

    private mutating func parsed() throws(Failure) -> JSON {
        defer {
            pending.removeAll(keepingCapacity: true)
            depth = 0
            inString = false
        }
        do { return try JSON.parse(pending) } catch {
            let text = String(decoding: pending.prefix(200), as: UTF8.self)
            throw Failure(.internal, "the engine sent something that is not JSON: \(text)", cause: error)
        }
    }
}
