/// A few bytes of somebody's own in a gzip stream, in the field that RFC 1952 (2.3.1.1) keeps for that.
///
/// Readers that do not know the field pass it over. It is carried by a member without content at the front, so what packs
/// the rest need not know of it either.
public struct GzipExtraField: Sendable, Hashable {
    /// Two letters that say whose it is.
    public var name: String
    public var data: [UInt8]

    public init(_ name: String, _ data: [UInt8]) {
        precondition(name.utf8.count == 2 && data.count <= 1 << 15, "two letters and at most 32 KiB")
        self.name = name
        self.data = data
    }

    /// How much of a stream ``init(reading:)`` wants to see.
    public static let longest = 16 + (1 << 15)

    /// The member without content that carries it.
    public var member: [UInt8] {
        var bytes: [UInt8] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff]
        bytes += Self.little(data.count + 4) + Array(name.utf8) + Self.little(data.count) + data
        // An empty block, the checksum and the length of nothing.
        return bytes + [3, 0] + [UInt8](repeating: 0, count: 8)
    }

    /// The first field of a stream's first member, nil if it has none.
    public init?(reading stream: [UInt8]) {
        guard stream.count >= 16, stream[0] == 0x1f, stream[1] == 0x8b, stream[2] == 8, stream[3] & 4 != 0 else {
            return nil
        }
        func number(_ at: Int) -> Int { Int(stream[at]) | Int(stream[at + 1]) << 8 }
        let (all, length) = (number(10), number(14))
        guard length + 4 <= all, length <= 1 << 15, 16 + length <= stream.count, stream[12] < 0x80, stream[13] < 0x80
        else { return nil }
        self.init(String(decoding: stream[12..<14], as: UTF8.self), Array(stream[16..<(16 + length)]))
    }

    private static func little(_ number: Int) -> [UInt8] { [UInt8(number & 0xff), UInt8(number >> 8)] }
}
