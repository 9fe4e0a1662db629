internal import Linux

/// The three files by which a container's C library knows names: pure text, written by whoever owns the container's folder.
public struct NameFiles: Sendable, Hashable {
    /// The text of `/etc/hosts`.
    public var hosts: String
    /// The text of `/etc/resolv.conf`.
    public var resolvConf: String
    /// The text of `/etc/hostname`.
    public var hostname: String

    public init(hosts: String, resolvConf: String, hostname: String) {
        self.hosts = hosts
        self.resolvConf = resolvConf
        self.hostname = hostname
    }
}

extension NameFiles {
    static let standardHosts = """
        127.0.0.1\tlocalhost
        ::1\tlocalhost ip6-localhost ip6-loopback
        fe00::\tip6-localnet
        ff00::\tip6-mcastprefix
        ff02::1\tip6-allnodes
        ff02::2\tip6-allrouters

        """

    /// `/etc/hosts`: the fixed lines or the host's file, then what the user added, then the container's own addresses.
    ///
    /// - Parameters:
    ///   - base: the host's own file for a container in the host's network.
    ///   - extra: `name:address` or `name=address`, already checked by ``extraHost(_:gateway:)``.
    static func hosts(
        base: String? = nil, extra: [(name: String, address: String)], addresses: [IPv4Address], hostname: String,
        domain: String
    ) -> String {
        var text = base ?? standardHosts
        if !text.isEmpty && !text.hasSuffix("\n") { text += "\n" }
        for (name, address) in extra { text += "\(address)\t\(name)\n" }
        if !hostname.isEmpty {
            let names = domain.isEmpty ? hostname : "\(hostname).\(domain) \(hostname)"
            for address in addresses { text += "\(address)\t\(names)\n" }
        }
        return text
    }

    /// One `--add-host`: a name, and an address behind the first colon or equals sign; `host-gateway` becomes `gateway`.
    ///
    /// nil when it is neither.
    static func extraHost(_ text: String, gateway: String) -> (name: String, address: String)? {
        guard let mark = text.firstIndex(where: { $0 == ":" || $0 == "=" }) else { return nil }
        let name = text[..<mark]
        var address = String(text[text.index(after: mark)...])
        if address == "host-gateway" { address = gateway }
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") }
        guard isName, IPv4Address(address) != nil || looksLikeIPv6(address) else { return nil }
        return (String(name), address)
    }

    private static func looksLikeIPv6(_ text: String) -> Bool {
        text.contains(":") && text.utf8.count <= 64
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"),
                    UInt8(ascii: ":"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
