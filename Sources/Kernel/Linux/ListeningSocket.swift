public import CLinux

/// Listens for stream connections on a new socket file.
///
/// The file has its mode from the moment it exists, since Linux takes the socket's own mode for it; its group is set
/// before anybody can connect. The address goes through `/proc/self/fd`, so the path may be longer than the 107 bytes an
/// address holds. C functions: `socket(SOCK_STREAM)`, `fchmod`, `bind`, `fchownat`, `listen`.
///
/// - Parameter group: who beside root may connect; nil leaves it to root's.
public func listenForStreams(
    in directory: Int32, _ name: String, mode: mode_t, group: gid_t?, backlog: Int32 = 1024
) throws(SystemError) -> OwnedDescriptor {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let socket = OwnedDescriptor(owning: try check("socket") { CLinux.socket(AF_UNIX, kind, 0) })
    try check("fchmod") { fchmod(socket.raw, mode) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array("/proc/self/fd/\(directory)/\(name)".utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw SystemError("bind", errno: ENAMETOOLONG, subject: name)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    try check("bind", name) { skiff_bind_local(socket.raw, &address, length) }
    if let group { try check("fchownat", name) { fchownat(directory, name, uid_t.max, group, AT_SYMLINK_NOFOLLOW) } }
    try check("listen", name) { listen(socket.raw, backlog) }
    return socket
}

/// Takes the lock on an open file, without waiting; it goes with the last descriptor of the file.
///
/// C function: `flock(LOCK_EX | LOCK_NB)`.
/// - Returns: false when somebody else has it.
public func tryLock(_ descriptor: Int32) throws(SystemError) -> Bool {
    do {
        try check("flock") { flock(descriptor, LOCK_EX | LOCK_NB) }
        return true
    } catch {
        if error.errno == EWOULDBLOCK { return false }
        throw error
    }
}

/// The process's own number.
///
/// C function: `getpid`.
public func ownProcess() -> pid_t { getpid() }
