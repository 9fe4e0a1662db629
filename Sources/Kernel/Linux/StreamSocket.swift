internal import CLinux

/// An IPv6 address: sixteen bytes in network order.
public struct IPv6Address: Sendable, Hashable {
    public let octets: [UInt8]

    /// - Precondition: sixteen bytes.
    public init(octets: [UInt8]) {
        precondition(octets.count == 16, "an IPv6 address has sixteen bytes")
        self.octets = octets
    }

    /// C function: `inet_pton(AF_INET6)`.
    public init?(_ text: String) {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        octets = withUnsafeBytes(of: address) { Array($0) }
    }
}

/// Connects to a listening local stream socket by its path.
///
/// C functions: `socket(AF_UNIX)`, `connect`, `setsockopt(SO_SNDTIMEO)`.
///
/// - Parameters:
///   - isAbstract: whether the name is the kernel's alone and no file's; unix(7).
///   - timeout: milliseconds after which a listener whose backlog is full is given up (`EAGAIN`); nil waits for ever.
public func connectStream(
    toLocal path: String, isAbstract: Bool = false, timeout: Int? = nil
) throws(SystemError) -> OwnedDescriptor {
    var (address, length) = try localAddress(of: path, isAbstract: isAbstract)
    let socket = try streamSocket(AF_UNIX)
    if let timeout {
        var limit = timeval(tv_sec: timeout / 1000, tv_usec: timeout % 1000 * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        try check("setsockopt(SO_SNDTIMEO)") { setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, size) }
    }
    try check("connect", path) { skiff_connect_local(socket.raw, &address, length) }
    return socket
}

/// Connects to a TCP port, small writes sent at once.
///
/// C functions: `socket(AF_INET)`, `connect`.
public func connectStream(to address: IPv4Address, port: UInt16) throws(SystemError) -> OwnedDescriptor {
    var destination = sockaddr_in()
    destination.sin_family = sa_family_t(AF_INET)
    destination.sin_port = port.bigEndian
    destination.sin_addr.s_addr = address.value.bigEndian
    let socket = try streamSocket(AF_INET)
    try check("connect", "\(address):\(port)") { skiff_connect_ipv4(socket.raw, &destination) }
    setNoDelay(socket.raw)
    return socket
}

/// Connects to a TCP port over IPv6.
///
/// C functions: `socket(AF_INET6)`, `connect`.
public func connectStream(to address: IPv6Address, port: UInt16) throws(SystemError) -> OwnedDescriptor {
    var destination = sockaddr_in6()
    destination.sin6_family = sa_family_t(AF_INET6)
    destination.sin6_port = port.bigEndian
    withUnsafeMutableBytes(of: &destination.sin6_addr) { $0.copyBytes(from: address.octets) }
    let socket = try streamSocket(AF_INET6)
    try check("connect", "port \(port)") { skiff_connect_ipv6(socket.raw, &destination) }
    setNoDelay(socket.raw)
    return socket
}

/// Sends a datagram to a UDP port and waits for one answer; for name look-ups.
///
/// - Returns: the answer, nil when none came in time. C functions: `socket(SOCK_DGRAM)`, `connect`, `send`, `poll`, `recv`.
public func exchangeDatagram(
    _ message: [UInt8], with address: IPv4Address, port: UInt16, timeout: Int32
) throws(SystemError) -> [UInt8]? {
    let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    let socket = OwnedDescriptor(owning: try check("socket") { CLinux.socket(AF_INET, kind, 0) })
    var destination = sockaddr_in()
    destination.sin_family = sa_family_t(AF_INET)
    destination.sin_port = port.bigEndian
    destination.sin_addr.s_addr = address.value.bigEndian
    try check("connect", "\(address):\(port)") { skiff_connect_ipv4(socket.raw, &destination) }
    try check("send", "\(address):\(port)") { send(socket.raw, message, message.count, 0) }
    guard try poll([(socket.raw, Int16(POLLIN))], timeout: timeout)[0] != 0 else { return nil }
    var answer = [UInt8](repeating: 0, count: 1500)
    let count = try check("recv", "\(address):\(port)") { recv(socket.raw, &answer, answer.count, 0) }
    return Array(answer[..<count])
}

private func streamSocket(_ family: Int32) throws(SystemError) -> OwnedDescriptor {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    return OwnedDescriptor(owning: try check("socket") { socket(family, kind, 0) })
}

private func setNoDelay(_ socket: Int32) {
    var on: Int32 = 1
    // A hint: a connection that does without works too.
    _ = setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
}

/// Whether a text is an IPv4 or an IPv6 address as people write them.
///
/// C function: `inet_pton`.
public func isInternetAddress(_ text: String) -> Bool {
    var bytes = in6_addr()
    return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
}
