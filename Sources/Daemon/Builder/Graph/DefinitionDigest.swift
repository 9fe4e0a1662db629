internal import Crypto
internal import OCI

/// Crypto has a protocol of that name, which nothing here needs.
typealias Digest = OCI.Digest

/// Hashes a description field by field.
///
/// Each field carries its length, so that no two descriptions run into each other.
struct DefinitionDigest {
    private var hash = SHA256()

    /// - Parameter kind: what is described; raised when the meaning of a description changes, so that old results are
    ///   not taken for new ones.
    init(_ kind: String) { add(kind) }

    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(bytes: UnsafeRawBufferPointer($0)) }
    }

    mutating func add(bytes: UnsafeRawBufferPointer) {
        add(number: Int64(bytes.count))
        hash.update(bufferPointer: bytes)
    }

    mutating func add(_ texts: [String]) {
        add(number: Int64(texts.count))
        for text in texts { add(text) }
    }

    /// Absent and empty differ.
    mutating func add(_ text: String?) {
        add(number: text == nil ? 0 : 1)
        if let text { add(text) }
    }

    mutating func add(_ digest: Digest) { add(digest.description) }

    mutating func add(_ flag: Bool) { add(number: flag ? 1 : 0) }

    mutating func add(number: Int64) {
        withUnsafeBytes(of: number.littleEndian) { hash.update(bufferPointer: $0) }
    }

    func finish() -> Digest { Digest(sha256: hash.finalize()) }
}

/// The SHA-256 of a text.
enum SHA256Text {
    static func digest(_ text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}
