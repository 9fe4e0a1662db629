/// The part of a URL a registry conversation needs: scheme, authority, path with query.
///
/// Strict on purpose: what a registry writes into `Location` or `realm` is hostile input, so user names, fragments,
/// control characters and anything that two parsers could read differently are refused. (RFC 3986)
struct RegistryURL: Sendable, Hashable, CustomStringConvertible {
    enum Scheme: String, Sendable, Hashable { case http, https }

    /// Scheme, host and port: what credentials are bound to.
    struct Origin: Sendable, Hashable, CustomStringConvertible {
        var scheme: Scheme
        /// Lower case, without the brackets of an IPv6 address.
        var host: String
        var port: Int

        /// `host[:port]` as it stands in a URL; the scheme's own port is left out.
        var authority: String {
            let shown = host.contains(":") ? "[\(host)]" : host
            return port == Origin.port(of: scheme) ? shown : "\(shown):\(port)"
        }

        var description: String { "\(scheme.rawValue)://\(authority)" }

        static func port(of scheme: Scheme) -> Int { scheme == .https ? 443 : 80 }

        init(scheme: Scheme, host: String, port: Int) {
            self.scheme = scheme
            self.host = host
            self.port = port
        }

        /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
        init?(scheme: Scheme, authority: some StringProtocol) {
            var host = Substring(authority)
            var port = Origin.port(of: scheme)
            if host.first == "[" {
                guard let end = host.firstIndex(of: "]") else { return nil }
                let rest = host[host.index(after: end)...]
                host = host[host.index(after: host.startIndex)..<end]
                guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                    return nil
                }
                if !rest.isEmpty {
                    guard rest.first == ":", let number = UInt16(rest.dropFirst()), number > 0 else { return nil }
                    port = Int(number)
                }
            } else {
                if let colon = host.firstIndex(of: ":") {
                    guard let number = UInt16(host[host.index(after: colon)...]), number > 0 else { return nil }
                    port = Int(number)
                    host = host[..<colon]
                }
                let allowed = host.allSatisfy {
                    $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-" || $0 == "_")
                }
                guard !host.isEmpty, allowed else { return nil }
            }
            self.init(scheme: scheme, host: host.lowercased(), port: port)
        }
    }

    var origin: Origin
    /// Begins with `/`; may hold a query.
    var path: String

    var description: String { origin.description + path }

    init(origin: Origin, path: String) {
        self.origin = origin
        self.path = path
    }

    /// Reads an absolute `http` or `https` URL.
    init?(_ text: some StringProtocol) {
        guard RegistryURL.isClean(text), let colon = text.firstIndex(of: ":"),
            let scheme = Scheme(rawValue: text[..<colon].lowercased())
        else { return nil }
        let rest = text[text.index(after: colon)...]
        guard rest.hasPrefix("//") else { return nil }
        let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
        guard let origin = Origin(scheme: scheme, authority: authority) else { return nil }
        let path = rest[authority.endIndex...]
        self.origin = origin
        self.path = path.isEmpty ? "/" : path.first == "?" ? "/" + path : String(path)
    }

    /// Where `location`, seen in an answer to this URL, leads. (RFC 3986, section 5.2, without dot segments)
    func resolving(_ location: String) -> RegistryURL? {
        guard RegistryURL.isClean(location), !location.isEmpty else { return nil }
        if location.hasPrefix("//") { return RegistryURL(origin.scheme.rawValue + ":" + location) }
        if location.hasPrefix("/") { return RegistryURL(origin: origin, path: location) }
        let colon = location.firstIndex(of: ":")
        if let colon, !location[..<colon].contains(where: { $0 == "/" || $0 == "?" }) { return RegistryURL(location) }
        let base = path.prefix { $0 != "?" }
        if location.hasPrefix("?") { return RegistryURL(origin: origin, path: base + location) }
        let slash = base.lastIndex(of: "/") ?? base.startIndex
        return RegistryURL(origin: origin, path: base[..<slash] + "/" + location)
    }

    /// The same URL with a query parameter more.
    func adding(_ name: String, _ value: String) -> RegistryURL {
        let separator = path.contains("?") ? "&" : "?"
        return RegistryURL(origin: origin, path: "\(path)\(separator)\(name)=\(RegistryURL.escape(value))")
    }

    /// A value for a query: everything but unreserved characters as `%XX`.
    static func escape(_ value: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Printable ASCII without what could end a header or hide a user name.
    private static func isClean(_ text: some StringProtocol) -> Bool {
        text.utf8.count <= 8192
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "#") }
            && !text.prefix { $0 != "?" }.contains("@")
    }
}
