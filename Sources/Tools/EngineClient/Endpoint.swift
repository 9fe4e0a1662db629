public import Failures
internal import Linux

/// Where an engine listens.
public enum Endpoint: Sendable, Hashable {
    case unix(path: String)
    case tcp(host: String, port: UInt16)

    /// Skiff's own socket.
    public static let standard = Endpoint.unix(path: "/run/skiff/skiff.sock")

    /// Docker's port for plain HTTP.
    private static let plainPort: UInt16 = 2375

    /// `unix://path`, `tcp://host:port` or `http://host:port`, as in `DOCKER_HOST`.
    public init(parsing text: String) throws(Failure) {
        func invalid(_ reason: String) -> Failure {
            Failure(.invalid, "unable to parse docker host \(text): \(reason)")
        }
        guard let separator = text.range(of: "://") else {
            throw invalid("want unix://path or tcp://host:port")
        }
        let scheme = text[..<separator.lower]
        let rest = String(text[separator.upper...])
        switch scheme {
        case "unix":
            self = .unix(path: rest.isEmpty ? "/run/skiff/skiff.sock" : rest)
        case "tcp", "http":
            let authority = String(rest.prefix { $0 != "/" })
            guard let (host, port) = Self.split(authority) else { throw invalid("want tcp://host:port") }
            self = .tcp(host: host.isEmpty ? "127.0.0.1" : host, port: port ?? Self.plainPort)
        case "ssh", "https", "fd", "npipe":
            throw invalid("\(scheme) is not supported, use unix:// or tcp://")
        default:
            throw invalid("unknown scheme \(scheme), use unix:// or tcp://")
        }
    }

    /// "host:port", "[::1]:port" or either without a port.
    private static func split(_ authority: String) -> (host: String, port: UInt16?)? {
        var host = authority[...]
        var port: UInt16?
        let end = authority.lastIndex(of: "]") ?? authority.startIndex
        if let colon = authority.lastIndex(of: ":"), colon >= end {
            guard let number = UInt16(authority[authority.index(after: colon)...]) else { return nil }
            port = number
            host = authority[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (String(host), port)
    }

    /// What the Host header says.
    var hostHeader: String {
        switch self {
        case .unix: "localhost"
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}

extension Endpoint: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        }
    }
}

extension String {
    /// Where `text` first is: its start and what follows it.
    func range(of text: String) -> (lower: Index, upper: Index)? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return (start, index(start, offsetBy: text.count)) }
            start = index(after: start)
        }
        return nil
    }
}
