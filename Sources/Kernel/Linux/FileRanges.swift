internal import CLinux

/// A file without a name on the file system of an open directory: gone with its last descriptor, also when the process is
/// killed.
///
/// C function: `open(O_TMPFILE)`; where the file system has no such thing, a name is made and removed at once.
public func openUnnamedFile(at directory: Int32) throws(SystemError) -> OwnedDescriptor {
    do { return try open(".", O_RDWR | O_TMPFILE, mode: 0o600, at: directory) } catch {
        guard error.errno == EOPNOTSUPP || error.errno == EISDIR else { throw error }
    }
    while true {
        let name = ".unnamed-\(UInt64.random(in: .min ... .max))"
        do {
            let file = try open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, at: directory)
            try unlink(name, at: directory)
            return file
        } catch  where error.errno == EEXIST {}
    }
}

/// Reads at most `buffer.count` bytes from `offset` on, without moving the file's position; 0 is the end.
///
/// C function: `pread`.
public func read(_ descriptor: Int32, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError)
    -> Int
{
    try check("pread") { pread(descriptor, buffer.baseAddress, buffer.count, Int(offset)) }
}

/// Copies `count` bytes from `offset` of one file to where the other stands, inside the kernel where it can.
///
/// C function: `copy_file_range`; between file systems that refuse it, `pread` and `write`.
/// - Throws: `EIO` when the source ends before.
public func copyRange(from source: Int32, at offset: Int64, count: Int64, to target: Int32) throws(SystemError) {
    var at = Int(offset)
    var left = Int(count)
    while left > 0 {
        let copied = copy_file_range(source, &at, target, nil, left, 0)
        if copied > 0 {
            left -= copied
            continue
        }
        if copied == 0 { throw SystemError("copy_file_range", errno: EIO) }
        let number = skiff_errno()
        if number == EINTR { continue }
        guard [EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EBADF].contains(number) else {
            throw SystemError("copy_file_range", errno: number)
        }
        return try copyByHand(from: source, at: Int64(at), count: left, to: target)
    }
}

private func copyByHand(from source: Int32, at offset: Int64, count: Int, to target: Int32) throws(SystemError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(count, 256 << 10), alignment: 16)
    defer { buffer.deallocate() }
    var done = 0
    while done < count {
        let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, count - done)])
        let got = try read(source, at: offset + Int64(done), into: wanted)
        if got == 0 { throw SystemError("pread", errno: EIO) }
        try writeAll(target, UnsafeRawBufferPointer(rebasing: wanted[..<got]))
        done += got
    }
}
