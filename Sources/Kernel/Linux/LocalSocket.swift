public import CLinux

/// Who is at the other end of a local socket, as the kernel recorded it when they connected.
public struct PeerCredentials: Sendable, Hashable {
    public let pid: pid_t
    public let uid: uid_t
    public let gid: gid_t
}

/// C function: `getsockopt(SO_PEERCRED)`.
public func peerCredentials(_ socket: Int32) throws(SystemError) -> PeerCredentials {
    var value = ucred()
    var length = socklen_t(MemoryLayout<ucred>.size)
    try check("getsockopt(SO_PEERCRED)") { getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &value, &length) }
    return PeerCredentials(pid: value.pid, uid: value.uid, gid: value.gid)
}

/// Listens for message connections on a new socket file of mode 0600 in an open directory.
///
/// The address goes through `/proc/self/fd`, so the directory's path may be longer than the 107 bytes an address holds.
/// C functions: `socket(SOCK_SEQPACKET)`, `bind`, `listen`.
public func listenForMessages(in directory: Int32, _ name: String, backlog: Int32 = 16) throws(SystemError)
    -> OwnedDescriptor
{
    let socket = try messageSocket(nonBlocking: true)
    // The mode of the file is decided at bind; fchmod on the socket before bind is what Linux takes as its mask.
    try check("fchmod") { fchmod(socket.raw, 0o600) }
    try withAddress(directory, name) { (address, length) throws(SystemError) in
        try check("bind", name) { skiff_bind_local(socket.raw, address, length) }
    }
    try check("listen", name) { listen(socket.raw, backlog) }
    return socket
}

/// Connects to a listening message socket below an open directory, blocking only while its backlog is full.
///
/// C functions: `socket(SOCK_SEQPACKET)`, `connect`.
public func connectForMessages(in directory: Int32, _ name: String) throws(SystemError) -> OwnedDescriptor {
    let socket = try messageSocket(nonBlocking: false)
    try withAddress(directory, name) { (address, length) throws(SystemError) in
        try check("connect", name) { skiff_connect_local(socket.raw, address, length) }
    }
    return socket
}

/// Takes the next connection, nil when none waits; the new socket does not block.
///
/// C function: `accept4`.
public func acceptConnection(_ listener: Int32) throws(SystemError) -> OwnedDescriptor? {
    do {
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        return OwnedDescriptor(owning: try check("accept4") { skiff_accept(listener, flags) })
    } catch {
        if error.errno == EAGAIN || error.errno == ECONNABORTED { return nil }
        throw error
    }
}

/// Ends one or both directions of a connection.
///
/// C function: `shutdown`.
public func shutDown(_ socket: Int32, reading: Bool = false, writing: Bool = false) {
    guard reading || writing else { return }
    _ = shutdown(socket, Int32(reading && writing ? SHUT_RDWR : writing ? SHUT_WR : SHUT_RD))
}

private func messageSocket(nonBlocking: Bool) throws(SystemError) -> OwnedDescriptor {
    let flags = Int32(SOCK_CLOEXEC.rawValue) | (nonBlocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
    return OwnedDescriptor(
        owning: try check("socket") { socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | flags, 0) })
}

private func withAddress(
    _ directory: Int32, _ name: String, _ body: (UnsafePointer<sockaddr_un>, socklen_t) throws(SystemError) -> Void
) throws(SystemError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array("/proc/self/fd/\(directory)/\(name)".utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw SystemError("bind", errno: ENAMETOOLONG, subject: name)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    var failure: SystemError?
    withUnsafePointer(to: &address) {
        do throws(SystemError) {
            try body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        } catch {
            failure = error
        }
    }
    if let failure { throw failure }
}
