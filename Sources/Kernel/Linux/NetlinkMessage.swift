internal import CLinux

/// One netlink request being written: a header, a fixed part, then attributes that may hold attributes.
///
/// Lengths are patched when a part ends and every part is padded to four bytes, so no caller computes an offset.
/// Format: `netlink(7)`, numbers in the machine's byte order unless a family says otherwise.
public struct NetlinkMessage: Sendable {
    /// Header included; sequence and length are written when it is sent.
    public private(set) var bytes: [UInt8]

    static let headerLength = 16

    /// - Parameters:
    ///   - type: the request, as `RTM_NEWLINK`.
    ///   - flags: `NLM_F_…` beside `NLM_F_REQUEST`.
    public init(type: UInt16, flags: UInt16 = 0) {
        bytes = []
        bytes.reserveCapacity(192)
        append(UInt32(0))
        append(type)
        append(flags | UInt16(NLM_F_REQUEST))
        append(UInt64(0))
    }

    public var type: UInt16 { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self) } }
    var flags: UInt16 { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 6, as: UInt16.self) } }

    /// A number in the machine's byte order, as part of a fixed part.
    public mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }

    public mutating func attribute(_ type: UInt16, _ value: some Collection<UInt8>) {
        append(UInt16(4 + value.count))
        append(type)
        bytes.append(contentsOf: value)
        pad()
    }

    public mutating func attribute<Number: FixedWidthInteger>(_ type: UInt16, _ number: Number) {
        append(UInt16(4 + MemoryLayout<Number>.size))
        append(type)
        append(number)
        pad()
    }

    /// A text with the zero byte that C ends it with.
    public mutating func attribute(_ type: UInt16, text: String) { attribute(type, Array(text.utf8) + [0]) }

    /// An attribute that holds what `body` appends.
    public mutating func nested(_ type: UInt16, _ body: (inout NetlinkMessage) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(type)
        body(&self)
        patch(UInt16(bytes.count - start), at: start)
    }

    /// The message as it goes out.
    public func finished(sequence: UInt32, acknowledge: Bool) -> [UInt8] {
        var copy = self
        copy.patch(UInt32(copy.bytes.count), at: 0)
        if acknowledge { copy.patch(copy.flags | UInt16(NLM_F_ACK), at: 6) }
        copy.patch(sequence, at: 8)
        return copy.bytes
    }

    private mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }

    private mutating func patch<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: number, toByteOffset: offset, as: Number.self) }
    }
}

/// One message from the kernel.
public struct NetlinkReply: Sendable, Hashable {
    public let type: UInt16
    public let flags: UInt16
    public let sequence: UInt32
    /// What follows the header.
    public let payload: [UInt8]

    /// The messages of one datagram.
    ///
    /// A length that does not fit ends it: what the kernel sends is whole or nothing.
    public static func parse(_ datagram: some Collection<UInt8>) -> [NetlinkReply] {
        let bytes = Array(datagram)
        var replies: [NetlinkReply] = []
        var at = 0
        while bytes.count - at >= NetlinkMessage.headerLength {
            let length = Int(bytes.number(at: at, UInt32.self))
            guard length >= NetlinkMessage.headerLength, length <= bytes.count - at else { break }
            replies.append(
                NetlinkReply(
                    type: bytes.number(at: at + 4, UInt16.self), flags: bytes.number(at: at + 6, UInt16.self),
                    sequence: bytes.number(at: at + 8, UInt32.self),
                    payload: Array(bytes[(at + NetlinkMessage.headerLength)..<(at + length)])))
            at += (length + 3) & ~3
        }
        return replies
    }

    /// The attributes after a fixed part of `offset` bytes.
    ///
    /// Of an attribute that comes twice the last counts.
    public func attributes(from offset: Int) -> NetlinkAttributes { NetlinkAttributes(payload.dropFirst(offset)) }
}

/// Attributes by type, with the flag bits of nested ones taken off.
public struct NetlinkAttributes: Sendable, Hashable {
    private var values: [UInt16: ArraySlice<UInt8>] = [:]

    public init(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while rest.count >= 4 {
            let length = Int(rest.number(at: 0, UInt16.self))
            guard length >= 4, length <= rest.count else { break }
            let type = rest.number(at: 2, UInt16.self) & 0x3FFF
            values[type] = rest[(rest.startIndex + 4)..<(rest.startIndex + length)]
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }

    public subscript(type: UInt16) -> ArraySlice<UInt8>? { values[type] }

    public func number<Number: FixedWidthInteger>(_ type: UInt16, _: Number.Type) -> Number? {
        guard let value = values[type], value.count >= MemoryLayout<Number>.size else { return nil }
        return value.number(at: 0, Number.self)
    }

    /// A text without the zero byte at its end.
    public func text(_ type: UInt16) -> String? {
        values[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    public func nested(_ type: UInt16) -> NetlinkAttributes? { values[type].map(NetlinkAttributes.init) }
}

extension Collection where Element == UInt8, Index == Int {
    /// A number in the machine's byte order; the caller has seen that it is there.
    func number<Number: FixedWidthInteger>(at offset: Int, _: Number.Type) -> Number {
        var number: Number = 0
        withUnsafeMutableBytes(of: &number) { target in
            for index in target.indices { target[index] = self[startIndex + offset + index] }
        }
        return number
    }
}
