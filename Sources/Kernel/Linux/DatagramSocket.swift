public import CLinux

/// Receives datagrams at a new socket file in an open directory; reading it does not block.
///
/// The address goes through `/proc/self/fd`, so the directory's path may be longer than the 107 bytes an address holds.
/// C functions: `socket(SOCK_DGRAM)`, `bind`, `fchmodat`: what the caller's mask takes from the mode is given back.
public func receiveDatagrams(in directory: Int32, _ name: String, mode: mode_t) throws(SystemError) -> OwnedDescriptor {
    let socket = try datagramSocket(nonBlocking: true)
    var (address, length) = try localAddress(of: "/proc/self/fd/\(directory)/\(name)", isAbstract: false)
    try check("bind", name) { skiff_bind_local(socket.raw, &address, length) }
    try setModeEntry(name, mode, at: directory)
    return socket
}

/// Opens a socket whose datagrams go to another one's name.
///
/// C functions: `socket(SOCK_DGRAM)`, `connect`, `setsockopt(SO_SNDTIMEO)`.
///
/// - Parameters:
///   - isAbstract: whether the name is the kernel's alone and no file's; unix(7).
///   - timeout: milliseconds after which a receiver that takes nothing is given up (`EAGAIN`).
public func sendDatagrams(
    toLocal path: String, isAbstract: Bool, timeout: Int
) throws(SystemError) -> OwnedDescriptor {
    let socket = try datagramSocket(nonBlocking: false)
    var limit = timeval(tv_sec: timeout / 1000, tv_usec: timeout % 1000 * 1000)
    let size = socklen_t(MemoryLayout<timeval>.size)
    try check("setsockopt(SO_SNDTIMEO)") { setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, size) }
    var (address, length) = try localAddress(of: path, isAbstract: isAbstract)
    try check("connect", path) { skiff_connect_local(socket.raw, &address, length) }
    return socket
}

private func datagramSocket(nonBlocking: Bool) throws(SystemError) -> OwnedDescriptor {
    let flags = Int32(SOCK_CLOEXEC.rawValue) | (nonBlocking ? Int32(SOCK_NONBLOCK.rawValue) : 0)
    return OwnedDescriptor(
        owning: try check("socket") { socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | flags, 0) })
}

/// The address of a local socket by its path or its abstract name; unix(7).
func localAddress(of path: String, isAbstract: Bool) throws(SystemError) -> (sockaddr_un, socklen_t) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = (isAbstract ? [0] : []) + Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw SystemError("connect", errno: ENAMETOOLONG, subject: path)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    // An abstract name ends where the address does; a path at its NUL.
    let length =
        isAbstract ? MemoryLayout<sa_family_t>.size + bytes.count : MemoryLayout<sockaddr_un>.size
    return (address, socklen_t(length))
}
