/// How a stream is packed, as its first bytes say.
public enum Compression: String, Sendable, Hashable, CaseIterable {
    case none
    /// RFC 1952, any number of members.
    case gzip
    /// RFC 8878, any number of frames, skippable ones included.
    case zstd

    /// How many bytes ``init(detecting:)`` wants to see.
    public static let magicLength = 4

    /// What the first bytes of a stream say.
    ///
    /// A name or a media type may lie; these cannot.
    public init(detecting prefix: some Collection<UInt8>) {
        let start = Array(prefix.prefix(Compression.magicLength))
        if start.starts(with: [0x1f, 0x8b]) {
            self = .gzip
        } else if start == [0x28, 0xb5, 0x2f, 0xfd] {
            self = .zstd
        } else if start.count == 4, start[0] & 0xf0 == 0x50, start[1...] == [0x2a, 0x4d, 0x18] {
            self = .zstd
        } else {
            self = .none
        }
    }
}
