internal import Failures
internal import Linux

/// Where the API listens: one `-H`.
enum ListenAddress: Hashable, CustomStringConvertible {
    case unix(path: String)
    case tcp(host: IPv4Address, port: UInt16)
    /// Sockets that systemd made, all of them or one by its name or number.
    case inherited(name: String)

    /// - Throws: `invalid` for anything else, and for TCP on an address that others can reach: whoever reaches the API
    ///   is root on this machine, and there is no TLS yet to tell who that is.
    init(_ text: String) throws(Failure) {
        if text.hasPrefix("unix://") {
            let path = String(text.dropFirst(7))
            guard path.hasPrefix("/") else {
                throw Failure(.invalid, "the socket of \"\(text)\" needs an absolute path")
            }
            self = .unix(path: path)
        } else if text.hasPrefix("tcp://") {
            let rest = text.dropFirst(6)
            guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]), port > 0,
                let host = IPv4Address(rest[..<colon] == "localhost" ? "127.0.0.1" : String(rest[..<colon]))
            else {
                throw Failure(.invalid, "invalid bind address \"\(text)\": use tcp://ADDRESS:PORT with an IPv4 address")
            }
            guard host.octets.first == 127 else {
                throw Failure(
                    .invalid,
                    "refusing to listen on \(text): without TLS whoever reaches it is root here; use 127.0.0.1 or a unix socket behind ssh"
                )
            }
            self = .tcp(host: host, port: port)
        } else if text.hasPrefix("fd://") {
            self = .inherited(name: String(text.dropFirst(5)))
        } else {
            throw Failure(.invalid, "invalid bind address \"\(text)\": use unix://PATH, tcp://ADDRESS:PORT or fd://")
        }
    }

    var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): "tcp://\(host):\(port)"
        case .inherited(let name): "fd://\(name)"
        }
    }
}
