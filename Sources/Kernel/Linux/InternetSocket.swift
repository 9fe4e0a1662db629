internal import CLinux

/// Plain IPv4 sockets, made in the calling thread's network namespace.
public enum InternetSocket {
    public enum Transport: Sendable, Hashable { case tcp, udp, sctp }

    /// C function: `socket`.
    public static func make(_ transport: Transport) throws(SystemError) -> OwnedDescriptor {
        let kind = transport == .udp ? Int32(SOCK_DGRAM.rawValue) : Int32(SOCK_STREAM.rawValue)
        let number: Int32 =
            switch transport {
            case .tcp: Int32(IPPROTO_TCP)
            case .udp: Int32(IPPROTO_UDP)
            case .sctp: 132
            }
        return OwnedDescriptor(
            owning: try check("socket", "\(transport)") { socket(AF_INET, kind | Int32(SOCK_CLOEXEC.rawValue), number) }
        )
    }

    /// Lets the port be taken though old connections on it linger.
    ///
    /// C function: `setsockopt(SO_REUSEADDR)`.
    public static func reuseAddress(_ descriptor: Int32) throws(SystemError) {
        var on: Int32 = 1
        try check("setsockopt", "SO_REUSEADDR") {
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// How long a blocking call on the socket may take, `connect` included.
    ///
    /// C function: `setsockopt(SO_RCVTIMEO, SO_SNDTIMEO)`.
    public static func setTimeout(_ descriptor: Int32, milliseconds: Int) throws(SystemError) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            try check("setsockopt", "timeout") {
                setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
            }
        }
    }

    /// Port 0 takes any.
    ///
    /// C function: `bind`.
    public static func bind(_ descriptor: Int32, _ address: IPv4Address, _ port: UInt16) throws(SystemError) {
        var name = socketAddress(address, port)
        try check("bind", "\(address):\(port)") { skiff_bind_ipv4(descriptor, &name) }
    }

    /// C function: `connect`.
    public static func connect(_ descriptor: Int32, _ address: IPv4Address, _ port: UInt16) throws(SystemError) {
        var name = socketAddress(address, port)
        try check("connect", "\(address):\(port)") { skiff_connect_ipv4(descriptor, &name) }
    }

    /// C function: `listen`.
    public static func listen(_ descriptor: Int32, backlog: Int32) throws(SystemError) {
        try check("listen") { CLinux.listen(descriptor, backlog) }
    }

    /// The port a socket is bound to.
    ///
    /// C function: `getsockname`.
    public static func port(of descriptor: Int32) throws(SystemError) -> UInt16 {
        var address = sockaddr_in()
        try check("getsockname") { skiff_getsockname_ipv4(descriptor, &address) }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func socketAddress(_ address: IPv4Address, _ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = address.value.bigEndian
        return name
    }
}
