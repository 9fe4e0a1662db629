public import CLinux

// Calls on one name in an open directory. The names are C strings so that a loop over ten thousand of them allocates
// nothing; links are never followed.

/// C function: `openat`, close-on-exec and `O_NOFOLLOW` added.
public func openEntry(
    _ name: UnsafePointer<CChar>, _ flags: Int32, mode: mode_t = 0, at directory: Int32
) throws(SystemError) -> OwnedDescriptor {
    OwnedDescriptor(
        owning: try check("open", String(cString: name)) {
            skiff_openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, mode)
        })
}

/// Like the other, but says `nil` when the call fails with an expected reason, without making an error.
public func openEntry(
    _ name: UnsafePointer<CChar>, _ flags: Int32, mode: mode_t = 0, at directory: Int32, unless expected: Int32
) throws(SystemError) -> OwnedDescriptor? {
    while true {
        let raw = skiff_openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, mode)
        if raw >= 0 { return OwnedDescriptor(owning: raw) }
        let number = skiff_errno()
        if number == expected { return nil }
        if number != EINTR { throw SystemError("open", errno: number, subject: String(cString: name)) }
    }
}

/// Opens a path of bytes below `root` without leaving it.
///
/// C function: `openat2`.
public func openBelow(
    _ root: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, resolve: Resolution = .container
) throws(SystemError) -> OwnedDescriptor {
    var how = open_how()
    how.flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC))
    how.resolve = resolve.rawValue
    while true {
        let raw = skiff_openat2(root, path, &how)
        if raw >= 0 { return OwnedDescriptor(owning: raw) }
        let number = skiff_errno()
        if number == EINTR || number == EAGAIN { continue }
        throw SystemError("openat2", errno: number, subject: String(cString: path))
    }
}

/// Makes a directory; `false` when the name is taken.
///
/// C function: `mkdirat`.
public func makeDirectoryEntry(_ name: UnsafePointer<CChar>, mode: mode_t, at directory: Int32) throws(SystemError)
    -> Bool
{
    try unlessTaken("mkdir", name) { mkdirat(directory, name, mode) }
}

/// Makes a symbolic link; `false` when the name is taken.
///
/// C function: `symlinkat`.
public func makeSymlinkEntry(
    _ name: UnsafePointer<CChar>, to target: UnsafePointer<CChar>, at directory: Int32
) throws(SystemError) -> Bool {
    try unlessTaken("symlink", name) { symlinkat(target, directory, name) }
}

/// Makes a device, fifo or whiteout; `false` when the name is taken.
///
/// C function: `mknodat`.
public func makeNodeEntry(
    _ name: UnsafePointer<CChar>, mode: mode_t, device: dev_t = 0, at directory: Int32
) throws(SystemError) -> Bool {
    try unlessTaken("mknod", name) { mknodat(directory, name, mode, device) }
}

/// Makes a second name of a file, of a link itself if it is one; `false` when the name is taken.
///
/// C function: `linkat`.
public func makeHardLinkEntry(
    _ name: UnsafePointer<CChar>, at directory: Int32, to old: UnsafePointer<CChar>, at oldDirectory: Int32
) throws(SystemError) -> Bool {
    try unlessTaken("link", name) { linkat(oldDirectory, old, directory, name, 0) }
}

/// What a name is; `nil` when there is nothing.
///
/// C function: `fstatat`.
public func statusEntry(_ name: UnsafePointer<CChar>, at directory: Int32) throws(SystemError) -> stat? {
    var status = stat()
    if fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status }
    let number = skiff_errno()
    if number == ENOENT { return nil }
    throw SystemError("stat", errno: number, subject: String(cString: name))
}

/// Where a symbolic link points, as bytes.
///
/// C function: `readlinkat`.
public func readLinkEntry(_ name: UnsafePointer<CChar>, at directory: Int32) throws(SystemError) -> [UInt8] {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = try check("readlink", String(cString: name)) { readlinkat(directory, name, &buffer, buffer.count) }
    return buffer[..<count].map { UInt8(bitPattern: $0) }
}

/// C function: `fchown`.
public func setOwner(_ descriptor: Int32, uid: UInt32, gid: UInt32) throws(SystemError) {
    try check("fchown") { fchown(descriptor, uid, gid) }
}

/// C function: `fchownat`, links not followed.
public func setOwnerEntry(_ name: UnsafePointer<CChar>, uid: UInt32, gid: UInt32, at directory: Int32)
    throws(SystemError)
{
    try check("chown", String(cString: name)) { fchownat(directory, name, uid, gid, AT_SYMLINK_NOFOLLOW) }
}

/// C function: `fchmod`.
public func setMode(_ descriptor: Int32, _ mode: mode_t) throws(SystemError) {
    try check("fchmod") { fchmod(descriptor, mode) }
}

/// The mode of a name that is known not to be a link: `fchmodat` has no way to say so.
///
/// C function: `fchmodat`.
public func setModeEntry(_ name: UnsafePointer<CChar>, _ mode: mode_t, at directory: Int32) throws(SystemError) {
    try check("chmod", String(cString: name)) { fchmodat(directory, name, mode, 0) }
}

/// Sets the mode of what an `O_PATH` descriptor stands for, which cannot have been exchanged since it was opened.
///
/// C functions: `fchmodat2(AT_EMPTY_PATH)`; before Linux 6.6 `chmod` of the descriptor's link in `/proc/self/fd`.
public func setPathMode(_ opened: Int32, _ mode: mode_t) throws(SystemError) {
    if skiff_fchmodat2(opened, "", mode, AT_EMPTY_PATH) == 0 { return }
    let number = skiff_errno()
    guard number == ENOSYS else { throw SystemError("fchmodat2", errno: number) }
    try check("chmod") { chmod("/proc/self/fd/\(opened)", mode) }
}

/// Sets the owner of what an `O_PATH` descriptor stands for.
///
/// C function: `fchownat(AT_EMPTY_PATH)`.
public func setPathOwner(_ opened: Int32, uid: UInt32, gid: UInt32) throws(SystemError) {
    try check("fchownat") { fchownat(opened, "", uid, gid, AT_EMPTY_PATH) }
}

/// Sets both times to the same.
///
/// C function: `futimens`.
public func setTimes(_ descriptor: Int32, seconds: Int64, nanoseconds: Int32) throws(SystemError) {
    let time = timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
    var both = (time, time)
    try check("futimens") {
        withUnsafePointer(to: &both) {
            $0.withMemoryRebound(to: timespec.self, capacity: 2) { futimens(descriptor, $0) }
        }
    }
}

/// Sets both times of a name to the same, links not followed.
///
/// C function: `utimensat`.
public func setTimesEntry(
    _ name: UnsafePointer<CChar>, seconds: Int64, nanoseconds: Int32, at directory: Int32
) throws(SystemError) {
    let time = timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
    var both = (time, time)
    try check("utimensat", String(cString: name)) {
        withUnsafePointer(to: &both) {
            $0.withMemoryRebound(to: timespec.self, capacity: 2) { utimensat(directory, name, $0, AT_SYMLINK_NOFOLLOW) }
        }
    }
}

/// Bytes that an ordinary user may still write to the file system an open file is on.
///
/// C function: `fstatfs`.
public func freeBytes(_ descriptor: Int32) throws(SystemError) -> Int64 {
    var status = statfs()
    try check("fstatfs") { fstatfs(descriptor, &status) }
    let (bytes, overflow) = Int64(clamping: status.f_bavail).multipliedReportingOverflow(by: Int64(status.f_bsize))
    return overflow ? .max : bytes
}

/// Bytes of the file system an open file is on, taken or free.
///
/// C function: `fstatfs`.
public func diskBytes(_ descriptor: Int32) throws(SystemError) -> Int64 {
    var status = statfs()
    try check("fstatfs") { fstatfs(descriptor, &status) }
    let (bytes, overflow) = Int64(clamping: status.f_blocks).multipliedReportingOverflow(by: Int64(status.f_bsize))
    return overflow ? .max : bytes
}

/// The bits the process takes away from modes of new files, without changing them as `umask` would.
public func creationMask() -> mode_t {
    guard let text = try? readText("/proc/self/status", limit: 65536),
        let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Umask:") }),
        let mask = mode_t(line.dropFirst(6).drop(while: { $0 == "\t" || $0 == " " }), radix: 8)
    else { return 0o7777 }
    return mask
}

/// Copies up to `count` bytes inside the kernel, from and to where both files stand; 0 is the end.
///
/// C functions: `copy_file_range`; between file systems that cannot share, `sendfile`.
public func copyFileRange(from source: Int32, to target: Int32, count: Int) throws(SystemError) -> Int {
    do { return try check("copy_file_range") { copy_file_range(source, nil, target, nil, count, 0) } } catch {
        guard error.errno == EXDEV || error.errno == EINVAL else { throw error }
    }
    return try check("sendfile") { sendfile(target, source, nil, count) }
}

private func unlessTaken(_ call: StaticString, _ name: UnsafePointer<CChar>, _ body: () -> Int32) throws(SystemError)
    -> Bool
{
    while true {
        if body() == 0 { return true }
        let number = skiff_errno()
        if number == EEXIST { return false }
        if number != EINTR { throw SystemError(call, errno: number, subject: String(cString: name)) }
    }
}
