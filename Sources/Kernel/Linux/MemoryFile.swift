internal import CLinux

/// A nameless file in memory that nobody can change any more: for payloads larger than a datagram.
///
/// C function: `memfd_create`.
public func sealedMemoryFile(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> OwnedDescriptor {
    let file = OwnedDescriptor(
        owning: try check("memfd_create", name) { memfd_create(name, UInt32(MFD_CLOEXEC | MFD_ALLOW_SEALING)) })
    try writeAll(file.raw, bytes)
    try check("fcntl(F_ADD_SEALS)", name) {
        skiff_fcntl(file.raw, F_ADD_SEALS, Int(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
    }
    return file
}

/// All of a file from its start, wherever its offset stands (the offset is shared with whoever sent it).
///
/// C function: `pread`.
public func readWhole(_ raw: Int32, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let size = Int(try status(of: raw).st_size)
    if size > limit { throw SystemError("pread", errno: EFBIG) }
    var bytes = [UInt8](repeating: 0, count: size)
    var at = 0
    while at < size {
        let count = try check("pread") {
            bytes.withUnsafeMutableBytes { pread(raw, $0.baseAddress! + at, size - at, off_t(at)) }
        }
        if count == 0 { break }
        at += count
    }
    if at < size { bytes.removeLast(size - at) }
    return bytes
}
