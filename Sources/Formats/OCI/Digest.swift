public import Failures
internal import JSON

/// The name of content by its hash: "sha256:" and 64 hexadecimal digits.
///
/// Digests become file names and URL paths, so the grammar is strict (CVE-2024-3727: `sha256:../../x`): only the
/// registered algorithms, only lower-case hexadecimal digits, only the right number of them. A value of this type is
/// always safe to put into a path. See the OCI image specification, descriptor.md, "Digests".
public struct Digest: Sendable, Hashable {
    public let algorithm: String
    /// The hash in lower-case hexadecimal digits.
    public let hex: String

    /// Hexadecimal digits by algorithm.
    private static let lengths = ["sha256": 64, "sha384": 96, "sha512": 128]

    public init(parsing text: String) throws(Failure) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw Failure(.invalid, "invalid digest \(quoted(text)): want algorithm:hex")
        }
        let algorithm = String(text[..<colon])
        let hex = String(text[text.utf8.index(after: colon)...])
        guard let length = Self.lengths[algorithm] else {
            throw Failure(.invalid, "invalid digest \(quoted(text)): unsupported algorithm")
        }
        guard hex.utf8.count == length, hex.utf8.allSatisfy(\.isLowercaseHexDigit) else {
            throw Failure(.invalid, "invalid digest \(quoted(text)): want \(length) lower-case hexadecimal digits")
        }
        self.algorithm = algorithm
        self.hex = hex
    }

    /// The digest of a SHA-256 that was computed here.
    /// - Precondition: 64 lower-case hexadecimal digits; text from outside goes through ``init(parsing:)``.
    public init(sha256 hex: String) {
        precondition(hex.utf8.count == 64 && hex.utf8.allSatisfy(\.isLowercaseHexDigit), "not a SHA-256")
        algorithm = "sha256"
        self.hex = hex
    }

    /// The digest of a SHA-256's 32 bytes.
    public init(sha256 bytes: some Sequence<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        var hex: [UInt8] = []
        hex.reserveCapacity(64)
        for byte in bytes {
            hex.append(digits[Int(byte >> 4)])
            hex.append(digits[Int(byte & 0xF)])
        }
        self.init(sha256: String(decoding: hex, as: UTF8.self))
    }

    /// The first twelve digits, as tables show them.
    public var short: String { String(hex.prefix(12)) }
}

extension Digest: CustomStringConvertible {
    public var description: String { "\(algorithm):\(hex)" }
}

extension Digest: Comparable {
    public static func < (left: Digest, right: Digest) -> Bool {
        (left.algorithm, left.hex) < (right.algorithm, right.hex)
    }
}

extension Digest: Codable {
    public init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension UInt8 {
    var isLowercaseHexDigit: Bool { isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self) }
    var isHexDigit: Bool { isLowercaseHexDigit || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(self) }
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    var isLowercaseLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
    var isUppercaseLetter: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }
    var isAlphanumeric: Bool { isDigit || isLowercaseLetter || isUppercaseLetter }
}

/// Text from outside for a message: quoted, cut, without control characters.
func quoted(_ text: String) -> String { JSON.string(String(text.prefix(128))).text }
