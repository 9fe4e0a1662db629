public import CLinux

/// Where a relative path starts: the working directory or an open directory.
public enum Directory {
    /// The process's working directory, `AT_FDCWD`.
    public static let working: Int32 = skiff_AT_FDCWD
}

/// How far a look-up below an open directory may go; see `openat2(2)`.
public struct Resolution: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    private init(_ flag: Int32) { rawValue = UInt64(flag) }

    /// The directory is `/`: absolute links and `..` stay inside.
    ///
    /// C: `RESOLVE_IN_ROOT`.
    public static let inRoot = Resolution(RESOLVE_IN_ROOT)
    /// Anything that would leave the directory fails with `EXDEV`.
    ///
    /// C: `RESOLVE_BENEATH`.
    public static let beneath = Resolution(RESOLVE_BENEATH)
    /// Links of procfs that jump elsewhere fail with `ELOOP`.
    ///
    /// C: `RESOLVE_NO_MAGICLINKS`.
    public static let noMagicLinks = Resolution(RESOLVE_NO_MAGICLINKS)
    /// Any symbolic link fails with `ELOOP`.
    ///
    /// C: `RESOLVE_NO_SYMLINKS`.
    public static let noSymlinks = Resolution(RESOLVE_NO_SYMLINKS)
    /// Crossing a mount fails with `EXDEV`.
    ///
    /// C: `RESOLVE_NO_XDEV`.
    public static let noMountCrossing = Resolution(RESOLVE_NO_XDEV)

    /// What every look-up in a tree that somebody else filled uses.
    public static let container: Resolution = [.inRoot, .noMagicLinks]
}

/// Opens a path of ours.
///
/// Never for a path inside a container's tree: see `open(in:_:flags:mode:resolve:)`. C function: `openat`.
public func open(
    _ path: String, _ flags: Int32, mode: mode_t = 0, at directory: Int32 = Directory.working
) throws(SystemError) -> OwnedDescriptor {
    OwnedDescriptor(owning: try check("open", path) { skiff_openat(directory, path, flags | O_CLOEXEC, mode) })
}

/// Opens a path below `root` without ever leaving it, whatever links the tree holds.
///
/// C function: `openat2`.
public func open(
    in root: Int32, _ path: String, _ flags: Int32, mode: mode_t = 0, resolve: Resolution = .container
) throws(SystemError) -> OwnedDescriptor {
    var how = open_how()
    how.flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC))
    how.mode = UInt64(mode)
    how.resolve = resolve.rawValue
    while true {
        let raw = skiff_openat2(root, path, &how)
        if raw >= 0 { return OwnedDescriptor(owning: raw) }
        let number = skiff_errno()
        // EAGAIN: a rename raced with the look-up and the kernel could not prove that it stayed inside.
        if number == EINTR || number == EAGAIN { continue }
        throw SystemError("openat2", errno: number, subject: path)
    }
}

/// Opens a plain file below `root` for reading, whatever somebody else has put in its place.
///
/// A device or a FIFO is not even opened, which alone may do something: a watchdog begins to count, a tape winds back.
/// C function: `openat2`.
///
/// - Throws: `EINVAL` for what is not a regular file, `ESTALE` for one that was exchanged meanwhile.
public func openRegularFile(in root: Int32, _ path: String, resolve: Resolution = .container) throws(SystemError)
    -> OwnedDescriptor
{
    let place = try open(in: root, path, O_PATH, resolve: resolve)
    let found = try status(of: place.raw)
    guard found.isRegular else {
        throw SystemError("open", errno: EINVAL, subject: "\(path), which is not a regular file")
    }
    let file = try open(in: root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, resolve: resolve)
    let opened = try status(of: file.raw)
    guard opened.st_dev == found.st_dev, opened.st_ino == found.st_ino else {
        throw SystemError("open", errno: ESTALE, subject: path)
    }
    return file
}

/// Reads at most `buffer.count` bytes; 0 is the end.
///
/// C function: `read`.
public func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
    try check("read") { CLinux.read(descriptor, buffer.baseAddress, buffer.count) }
}

/// Writes at most `buffer.count` bytes and says how many went.
///
/// C function: `write`.
public func write(_ descriptor: Int32, from buffer: UnsafeRawBufferPointer) throws(SystemError) -> Int {
    try check("write") { CLinux.write(descriptor, buffer.baseAddress, buffer.count) }
}

/// Writes all of `buffer`, however many calls that takes.
public func writeAll(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) throws(SystemError) {
    var rest = buffer
    while !rest.isEmpty {
        let count = try write(descriptor, from: rest)
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
}

/// Writes all of `bytes`.
public func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) throws(SystemError) {
    var at = 0
    while at < bytes.count {
        at += try check("write") {
            bytes.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress! + at, bytes.count - at) }
        }
    }
}

/// Writes all of `text` in UTF-8.
public func writeAll(_ descriptor: Int32, _ text: String) throws(SystemError) {
    try writeAll(descriptor, Array(text.utf8))
}

/// Everything that is left in the descriptor, refused when it is more than `limit` bytes (`EFBIG`).
public func readAll(_ descriptor: Int32, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    // Not an array: clearing it would touch pages that most files have no use for.
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
    defer { block.deallocate() }
    while true {
        let count = try check("read") { CLinux.read(descriptor, block.baseAddress, block.count) }
        if count == 0 { return bytes }
        if bytes.count + count > limit { throw SystemError("read", errno: EFBIG) }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: block[..<count]))
    }
}

/// A whole file of ours (or of procfs).
public func readFile(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let file = try open(path, O_RDONLY)
    do { return try readAll(file.raw, limit: limit) } catch { throw error.about(path) }
}

/// A whole file as text; bytes that are not UTF-8 are repaired.
public func readText(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> String {
    String(decoding: try readFile(path, limit: limit), as: UTF8.self)
}

/// Writes a file in one go, over what was there.
public func writeFile(
    _ path: String, _ bytes: [UInt8], mode: mode_t = 0o644, at directory: Int32 = Directory.working
) throws(SystemError) {
    let file = try open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode, at: directory)
    do { try writeAll(file.raw, bytes) } catch { throw error.about(path) }
}

/// Writes text into a control file of procfs or cgroupfs: one `write`, no creation.
public func writeControl(_ path: String, _ text: String, at directory: Int32 = Directory.working) throws(SystemError) {
    try writeControl(path, Array(text.utf8), at: directory)
}

/// The same of bytes.
public func writeControl(_ path: String, _ bytes: [UInt8], at directory: Int32 = Directory.working) throws(SystemError)
{
    let file = try open(path, O_WRONLY, at: directory)
    try check("write", path) { bytes.withUnsafeBytes { CLinux.write(file.raw, $0.baseAddress, $0.count) } }
}

/// Writes a file so that a reader, or a crash, sees the old or the new text and nothing between: a sibling, then `rename`.
public func replaceFile(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(SystemError) {
    var replacement = try FileReplacement(path, bytes, mode: mode)
    try replacement.commit()
}

/// The same in two steps: the sibling is written, and takes the file's place when all else is done; without that it goes.
public struct FileReplacement: ~Copyable, Sendable {
    private let path: String
    private let temporary: String
    private var isCommitted = false

    public init(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(SystemError) {
        self.path = path
        temporary = path + ".new"
        do { try writeFile(temporary, bytes, mode: mode) } catch {
            _ = CLinux.unlink(temporary)
            throw error
        }
    }

    deinit { if !isCommitted { _ = CLinux.unlink(temporary) } }

    /// C function: `rename`.
    public mutating func commit() throws(SystemError) {
        try rename(temporary, to: path)
        isCommitted = true
    }
}

/// Waits until everything written to the file system of an open file is on its disk.
///
/// C function: `syncfs`.
public func syncFileSystem(of descriptor: Int32) throws(SystemError) {
    try check("syncfs", "\(descriptor)") { syncfs(descriptor) }
}

/// Takes room on the disk for so many bytes of an open file, whose size stays as it is.
///
/// C function: `fallocate(FALLOC_FL_KEEP_SIZE)`.
public func reserveSpace(_ descriptor: Int32, bytes: Int64) throws(SystemError) {
    try check("fallocate", "\(descriptor)") { fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, off_t(bytes)) }
}

/// Waits until an open file's content is on its disk.
///
/// C function: `fsync`.
public func syncFile(_ descriptor: Int32) throws(SystemError) {
    try check("fsync", "\(descriptor)") { fsync(descriptor) }
}

/// C function: `mkdirat`.
public func makeDirectory(_ path: String, mode: mode_t = 0o755, at directory: Int32 = Directory.working)
    throws(SystemError)
{
    try check("mkdir", path) { mkdirat(directory, path, mode) }
}

/// Makes a directory of ours and those above it; fine when it is there already.
public func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(SystemError) {
    // Most are there already: not an error to be made and caught.
    if mkdirat(Directory.working, path, mode) == 0 || skiff_errno() == EEXIST { return }
    do { try makeDirectory(path, mode: mode) } catch {
        if error.errno == EEXIST { return }
        guard error.errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else { throw error }
        try makeDirectories(String(path[..<slash]), mode: mode)
        do { try makeDirectory(path, mode: mode) } catch  where error.errno == EEXIST {}
    }
}

/// C function: `renameat`.
public func rename(
    _ old: String, at oldDirectory: Int32 = Directory.working, to new: String,
    at newDirectory: Int32 = Directory.working
) throws(SystemError) {
    try check("rename", "\(old) to \(new)") { renameat(oldDirectory, old, newDirectory, new) }
}

/// C function: `unlinkat`; with `directory` it removes an empty directory.
public func unlink(_ path: String, directory: Bool = false, at parent: Int32 = Directory.working) throws(SystemError) {
    try check(directory ? "rmdir" : "unlink", path) { unlinkat(parent, path, directory ? AT_REMOVEDIR : 0) }
}

/// The same for those who count on its failing: 0, or the error's number.
///
/// C function: `unlinkat`.
public func tryUnlink(_ path: String, directory: Bool = false) -> Int32 {
    unlinkat(Directory.working, path, directory ? AT_REMOVEDIR : 0) == 0 ? 0 : skiff_errno()
}

/// Whether something is at the path, links not followed.
public func exists(_ path: String, at directory: Int32 = Directory.working) -> Bool {
    var status = stat()
    return fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0
}

/// What is at a path; links are followed only when asked.
///
/// C function: `fstatat`.
public func status(_ path: String, at directory: Int32 = Directory.working, follow: Bool = false) throws(SystemError)
    -> stat
{
    var status = stat()
    try check("stat", path) { fstatat(directory, path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) }
    return status
}

/// What an open file is.
///
/// C function: `fstat`.
public func status(of descriptor: Int32) throws(SystemError) -> stat {
    var status = stat()
    try check("fstat", "\(descriptor)") { fstat(descriptor, &status) }
    return status
}

extension stat {
    /// The kind of file, as `S_IFDIR` and its like.
    public var kind: mode_t { st_mode & mode_t(S_IFMT) }
    public var isDirectory: Bool { kind == mode_t(S_IFDIR) }
    public var isRegular: Bool { kind == mode_t(S_IFREG) }
    public var isSymlink: Bool { kind == mode_t(S_IFLNK) }
    public var isCharacterDevice: Bool { kind == mode_t(S_IFCHR) }
    /// The permission bits with set-id and sticky.
    public var permissions: mode_t { st_mode & 0o7777 }
}

/// Where a symbolic link points.
///
/// C function: `readlinkat`.
public func readLink(_ path: String, at directory: Int32 = Directory.working) throws(SystemError) -> String {
    // Not a list of characters, whose type would be made for this.
    try withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { (buffer) throws(SystemError) in
        guard let start = buffer.baseAddress else { return "" }
        let count = try check("readlink", path) {
            readlinkat(directory, path, start.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
}

/// C function: `symlinkat`.
public func makeSymlink(_ path: String, to target: String, at directory: Int32 = Directory.working) throws(SystemError)
{
    try check("symlink", path) { symlinkat(target, directory, path) }
}
