internal import CLinux
internal import Linux

/// Looks up the address of a host without the C library's resolver, which a static program cannot carry.
///
/// Numbers first, then `/etc/hosts`, then one question to each name server of `/etc/resolv.conf`.
enum HostNames {
    enum Address: Hashable {
        case ipv4(IPv4Address)
        case ipv6(IPv6Address)
    }

    static func address(of host: String) throws(SystemError) -> Address? {
        if let address = IPv4Address(host) { return .ipv4(address) }
        if let address = IPv6Address(host) { return .ipv6(address) }
        if host == "localhost" { return .ipv4(.loopback) }
        if let text = try? readText("/etc/hosts"), let address = address(of: host, inHosts: text) { return address }
        guard let text = try? readText("/etc/resolv.conf") else { return nil }
        let resolver = Resolver(text)
        for name in resolver.names(for: host) {
            for server in resolver.servers {
                let question = try DNSQuestion(name)
                guard let question,
                    let answer = try? exchangeDatagram(question.message, with: server, port: 53, timeout: 2000)
                else { continue }
                if let address = question.address(in: answer) { return .ipv4(address) }
                break
            }
        }
        return nil
    }

    /// The first line of a hosts file that names the host.
    static func address(of host: String, inHosts text: String) -> Address? {
        for line in text.split(whereSeparator: \.isNewline) {
            let fields = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = fields.first, fields.dropFirst().contains(where: { $0.lowercased() == host.lowercased() })
            else { continue }
            if let address = IPv4Address(first) { return .ipv4(address) }
            if let address = IPv6Address(first) { return .ipv6(address) }
        }
        return nil
    }

    /// What a resolv.conf says.
    struct Resolver {
        var servers: [IPv4Address] = []
        var search: [String] = []

        init(_ text: String) {
            for line in text.split(whereSeparator: \.isNewline) {
                let fields = line.split(whereSeparator: \.isWhitespace).map(String.init)
                switch fields.first {
                case "nameserver": servers += fields.dropFirst().compactMap { IPv4Address($0) }
                case "search", "domain": search = Array(fields.dropFirst())
                default: break
                }
            }
        }

        /// The host as it stands and below each search domain, in the order in which they are tried.
        func names(for host: String) -> [String] {
            if host.hasSuffix(".") { return [String(host.dropLast())] }
            let below = search.map { "\(host).\($0)" }
            return host.contains(".") ? [host] + below : below + [host]
        }
    }
}

/// One question for an IPv4 address; RFC 1035, section 4.
struct DNSQuestion {
    let message: [UInt8]
    private let id: UInt16

    /// Nil when the name cannot be written in a message.
    init?(_ name: String) throws(SystemError) {
        id = UInt16.random(in: 0...UInt16.max)
        var bytes: [UInt8] = [UInt8(id >> 8), UInt8(id & 0xFF), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard (1...63).contains(label.utf8.count) else { return nil }
            bytes.append(UInt8(label.utf8.count))
            bytes += Array(label.utf8)
        }
        guard bytes.count < 12 + 254 else { return nil }
        message = bytes + [0, 0, 1, 0, 1]
    }

    /// The first address record of an answer to this question.
    func address(in answer: [UInt8]) -> IPv4Address? {
        func word(_ at: Int) -> Int? { at + 1 < answer.count ? Int(answer[at]) << 8 | Int(answer[at + 1]) : nil }
        guard answer.count > message.count, word(0) == Int(id), answer[2] & 0x80 != 0, answer[3] & 0xF == 0,
            let records = word(6), Array(answer[12..<message.count]) == Array(message[12...])
        else { return nil }
        var at = message.count
        for _ in 0..<records {
            while at < answer.count, answer[at] != 0, answer[at] & 0xC0 == 0 { at += Int(answer[at]) + 1 }
            guard at < answer.count else { return nil }
            at += answer[at] == 0 ? 1 : 2
            guard let type = word(at), let length = word(at + 8), at + 10 + length <= answer.count else { return nil }
            at += 10
            if type == 1, length == 4 { return IPv4Address(octets: answer[at..<(at + 4)]) }
            at += length
        }
        return nil
    }
}
