internal import Linux

/// A question to a name server, taken apart just far enough to answer or pass it on.
///
/// Pure; format: RFC 1035 section 4.
///
/// Whoever runs in a container writes these bytes. So every length is checked against what is there, a name has at most
/// 255 octets, pointers only lead backwards, and there is exactly one question.
struct DNSQuery: Sendable, Hashable {
    let id: UInt16
    /// The flags as they came: the answer repeats opcode, "recursion desired" and "checking disabled".
    let flags: UInt16
    /// Lower case, without the dot at the end; the root is empty.
    ///
    /// Octets that are no printable ASCII make a name nobody has.
    let name: String
    let type: UInt16
    let dnsClass: UInt16
    /// Name, type and class as they came, to be repeated in the answer.
    let question: [UInt8]

    enum Reading: Equatable {
        case query(DNSQuery)
        /// To be answered with this code.
        case refused(id: UInt16, flags: UInt16, DNSCode)
        /// Not to be answered at all: an answer itself, or no header.
        case ignored
    }

    static let headerLength = 12
    private static let longestName = 255
    private static let mostPointers = 8

    static func read(_ bytes: [UInt8]) -> Reading {
        guard bytes.count >= headerLength else { return .ignored }
        let id = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        let flags = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        guard flags & DNSFlag.response == 0 else { return .ignored }
        guard flags & DNSFlag.opcode == 0 else { return .refused(id: id, flags: flags, .notImplemented) }
        guard bytes[4] == 0, bytes[5] == 1, let (name, end) = readName(bytes, at: headerLength), end + 4 <= bytes.count
        else {
            return .refused(id: id, flags: flags, .formatError)
        }
        return .query(
            DNSQuery(
                id: id, flags: flags, name: name, type: UInt16(bytes[end]) << 8 | UInt16(bytes[end + 1]),
                dnsClass: UInt16(bytes[end + 2]) << 8 | UInt16(bytes[end + 3]),
                question: Array(bytes[headerLength..<(end + 4)])))
    }

    /// The name at an offset and where what follows it begins.
    static func readName(_ bytes: [UInt8], at start: Int) -> (name: String, end: Int)? {
        var name: [UInt8] = []
        var at = start
        var end: Int?
        var length = 1
        var pointers = 0
        while at < bytes.count {
            let count = Int(bytes[at])
            switch count & 0xC0 {
            case 0x00:
                if count == 0 { return (String(decoding: name, as: UTF8.self), end ?? at + 1) }
                guard at + 1 + count <= bytes.count else { return nil }
                length += count + 1
                guard length <= longestName else { return nil }
                if !name.isEmpty { name.append(UInt8(ascii: ".")) }
                for byte in bytes[(at + 1)...(at + count)] { name.append(folded(byte)) }
                at += 1 + count
            case 0xC0:
                guard at + 1 < bytes.count else { return nil }
                let target = (count & 0x3F) << 8 | Int(bytes[at + 1])
                pointers += 1
                // Backwards only, and never into the header: no loops.
                guard target < at, target >= headerLength, pointers <= mostPointers else { return nil }
                if end == nil { end = at + 2 }
                at = target
            default: return nil
            }
        }
        return nil
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        // A dot inside a label is no separator, and the rest is in no name we know.
        case UInt8(ascii: "."), 0...0x20, 0x7F...: UInt8(ascii: "?")
        default: byte
        }
    }

    /// The address a reverse look-up asks for: `2.0.17.172.in-addr.arpa`.
    var reversedAddress: IPv4Address? {
        guard name.hasSuffix(".in-addr.arpa") else { return nil }
        let parts = name.dropLast(".in-addr.arpa".count).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        return IPv4Address(parts.reversed().joined(separator: "."))
    }
}

/// The bits of the second word of the header.
enum DNSFlag {
    static let response: UInt16 = 0x8000
    static let opcode: UInt16 = 0x7800
    static let authoritative: UInt16 = 0x0400
    static let truncated: UInt16 = 0x0200
    static let recursionDesired: UInt16 = 0x0100
    static let recursionAvailable: UInt16 = 0x0080
    static let checkingDisabled: UInt16 = 0x0010
}

enum DNSCode: UInt16, Sendable {
    case ok = 0
    case formatError = 1
    case serverFailure = 2
    case noSuchName = 3
    case notImplemented = 4
    case refused = 5
}

enum DNSType {
    static let a: UInt16 = 1
    static let ptr: UInt16 = 12
    static let aaaa: UInt16 = 28
    static let any: UInt16 = 255
    static let internet: UInt16 = 1
}

/// Answers, written.
///
/// Pure.
enum DNSAnswer {
    /// How long others may remember: Docker's value.
    static let timeToLive: UInt32 = 600
    /// What a datagram without EDNS may hold (RFC 1035, 2.3.4).
    static let datagramLimit = 512

    /// - Parameter limit: what fits; records that do not are left out and the answer says so.
    static func addresses(_ addresses: [IPv4Address], to query: DNSQuery, limit: Int) -> [UInt8] {
        let perRecord = 16
        let space = max(0, limit - DNSQuery.headerLength - query.question.count) / perRecord
        let sent = addresses.prefix(space)
        let truncated = sent.count < addresses.count ? DNSFlag.truncated : 0
        var bytes = header(query.id, flags: query.flags, code: .ok, extra: truncated, questions: 1, answers: sent.count)
        bytes += query.question
        for address in sent { bytes += record(DNSType.a, address.octets) }
        return bytes
    }

    static func pointer(_ name: String, to query: DNSQuery) -> [UInt8] {
        let encoded = encode(name)
        return header(query.id, flags: query.flags, code: .ok, questions: 1, answers: 1) + query.question
            + record(DNSType.ptr, encoded)
    }

    /// No record of that type, or no such name, or no answer.
    static func empty(_ code: DNSCode, to query: DNSQuery) -> [UInt8] {
        header(query.id, flags: query.flags, code: code, questions: 1, answers: 0) + query.question
    }

    static func refusal(id: UInt16, flags: UInt16, _ code: DNSCode) -> [UInt8] {
        header(id, flags: flags, code: code, questions: 0, answers: 0)
    }

    private static func header(
        _ id: UInt16, flags: UInt16, code: DNSCode, extra: UInt16 = 0, questions: UInt16, answers: Int
    ) -> [UInt8] {
        let repeated = flags & (DNSFlag.opcode | DNSFlag.recursionDesired | DNSFlag.checkingDisabled)
        let word = DNSFlag.response | DNSFlag.recursionAvailable | repeated | extra | code.rawValue
        return [id, word, questions, UInt16(answers), 0, 0].flatMap(big)
    }

    private static func record(_ type: UInt16, _ data: [UInt8]) -> [UInt8] {
        // The owner is the question's name: a pointer behind the header.
        [0xC0, UInt8(DNSQuery.headerLength)] + big(type) + big(DNSType.internet) + big(timeToLive)
            + big(UInt16(data.count)) + data
    }

    static func encode(_ name: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for label in name.utf8.split(separator: UInt8(ascii: ".")) {
            bytes.append(UInt8(min(label.count, 63)))
            bytes += label.prefix(63)
        }
        return bytes.prefix(254) + [0]
    }

    static func big<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian, Array.init)
    }
}
