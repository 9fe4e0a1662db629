internal import Failures
internal import NIOHTTP1

/// Keeps web pages away from an API that listens on a network socket.
///
/// A page in somebody's browser can make it send requests to 127.0.0.1; it cannot hide that it is a page (`Origin`), nor
/// which name it used (`Host`, under DNS rebinding). No client of the Engine API sends an `Origin`, and all of them use
/// an address or `localhost`.
enum BrowserGuard {
    static func check(_ headers: HTTPHeaders) throws(Failure) {
        guard !headers.contains(name: "origin") else {
            throw Failure(.forbidden, "requests from web pages are refused: the request has an Origin header")
        }
        guard let host = headers.first(name: "host") else { return }
        guard isOwnName(withoutPort(host)) else {
            throw Failure(.forbidden, "requests for the host \"\(host)\" are refused: use an address or localhost")
        }
    }

    private static func withoutPort(_ host: String) -> Substring {
        if host.hasPrefix("[") { return host.dropFirst().prefix { $0 != "]" } }
        return host.prefix { $0 != ":" }
    }

    /// An IP address, `localhost`, or a name without dots as `docker` makes it up for local sockets.
    private static func isOwnName(_ name: Substring) -> Bool {
        if name.isEmpty || name == "localhost" || name == "docker" || name == "api.moby.localhost" { return true }
        if name.contains(":") { return name.utf8.allSatisfy { $0 == 0x3A || $0 == 0x2E || isHex($0) } }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}
