internal import CLinux

/// How far away a host is, as far as its name tells: what a public registry may not send us to.
///
/// Only addresses and well-known names are judged. A name that resolves to a private address is not caught here; the
/// token or blob request it leads to carries no credentials of another origin. (security: CVE-2026-33540)
enum HostReach: Sendable, Hashable {
    case loopback, restricted, open

    init(host: String) {
        if host == "localhost" || host.hasSuffix(".localhost") {
            self = .loopback
            return
        }
        guard let bytes = HostReach.bytes(of: host) else {
            // A single label only means something inside one's own network.
            self = host.contains(".") && !host.hasSuffix(".local") && !host.hasSuffix(".internal") ? .open : .restricted
            return
        }
        self = HostReach.judge(bytes)
    }

    /// The 4 or 16 bytes of an address in network order, nil for a name.
    ///
    /// C function: `inet_pton`.
    static func bytes(of address: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, address, &bytes) == 1 { return bytes }
        }
        return nil
    }

    private static func judge(_ bytes: [UInt8]) -> HostReach {
        if bytes.count == 16 {
            // Mapped addresses (::ffff:a.b.c.d) mean the address inside.
            if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
                return judge(Array(bytes[12...]))
            }
            if bytes[..<15].allSatisfy({ $0 == 0 }) { return bytes[15] == 1 ? .loopback : .restricted }
            // fc00::/7 unique local, fe80::/10 link local, ff00::/8 multicast.
            if bytes[0] & 0xFE == 0xFC || (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80) || bytes[0] == 0xFF {
                return .restricted
            }
            return .open
        }
        switch (bytes[0], bytes[1]) {
        case (127, _): return .loopback
        case (0, _), (10, _), (192, 168), (169, 254), (172, 16...31), (100, 64...127), (224..., _): return .restricted
        default: return .open
        }
    }

    /// Whether `host` lies in `cidr` (`10.0.0.0/8`); a name never does.
    static func host(_ host: String, isIn cidr: String) -> Bool {
        guard let slash = cidr.firstIndex(of: "/"), let prefix = Int(cidr[cidr.index(after: slash)...]), prefix >= 0,
            let left = bytes(of: String(cidr[..<slash])), let right = bytes(of: host), left.count == right.count,
            prefix <= left.count * 8
        else { return false }
        for bit in 0..<prefix where (left[bit / 8] ^ right[bit / 8]) & (0x80 >> UInt8(bit % 8)) != 0 { return false }
        return true
    }
}
