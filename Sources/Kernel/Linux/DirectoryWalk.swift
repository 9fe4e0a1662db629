internal import CLinux

/// The name of something in a directory: bytes without a slash, not text, because that is what the kernel keeps.
public struct FileName: Hashable, Sendable, Comparable {
    /// The bytes and a final zero.
    private let terminated: [UInt8]

    public init(_ bytes: some Sequence<UInt8>) { terminated = Array(bytes) + [0] }
    public init(_ text: String) { self.init(text.utf8) }

    fileprivate init(terminated: [UInt8]) { self.terminated = terminated }

    /// The bytes, without the final zero.
    public var bytes: ArraySlice<UInt8> { terminated.dropLast() }

    /// The name as text; bytes that are not UTF-8 are repaired, so this is for people.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Lends the name as a C string.
    @discardableResult
    public func withCString<Result>(_ body: (UnsafePointer<CChar>) throws(SystemError) -> Result) throws(SystemError)
        -> Result
    {
        let outcome: Swift.Result<Result, SystemError> = terminated.withUnsafeBytes { buffer in
            let pointer = buffer.assumingMemoryBound(to: CChar.self).baseAddress
            guard let pointer else { return .failure(SystemError("open", errno: ENOENT)) }
            do throws(SystemError) { return .success(try body(pointer)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    /// By bytes, as every tool that sorts in the C locale.
    public static func < (left: FileName, right: FileName) -> Bool {
        left.terminated.lexicographicallyPrecedes(right.terminated)
    }
}

/// One line of a directory.
public struct DirectoryEntry: Sendable, Hashable {
    public let name: FileName
    /// `DT_DIR` and its like; `DT_UNKNOWN` where the file system does not say.
    public let type: UInt8

    public var mayBeDirectory: Bool { type == UInt8(DT_DIR) || type == UInt8(DT_UNKNOWN) }
}

/// What is in an open directory, without `.` and `..`, in the file system's order.
///
/// C function: `getdents64`.
///
/// - Parameter directory: opened for reading; its position is moved.
public func readDirectory(_ directory: Int32) throws(SystemError) -> [DirectoryEntry] {
    var entries: [DirectoryEntry] = []
    try check("lseek") { lseek(directory, 0, SEEK_SET) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32768, alignment: 8)
    defer { buffer.deallocate() }
    while true {
        let count = try check("getdents64") { skiff_getdents64(directory, buffer.baseAddress, buffer.count) }
        if count == 0 { return entries }
        var at = 0
        // struct linux_dirent64: d_ino 8, d_off 8, d_reclen 2, d_type 1, then the name.
        while at + 19 < count {
            let length = Int(buffer.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
            guard length > 19, at + length <= count else { throw SystemError("getdents64", errno: EIO) }
            let name = UnsafeRawBufferPointer(rebasing: buffer[(at + 19)..<(at + length)])
            let end = name.firstIndex(of: 0) ?? name.count
            let isDot = end == 1 && name[0] == 0x2e
            let isDotDot = end == 2 && name[0] == 0x2e && name[1] == 0x2e
            if !isDot && !isDotDot {
                let terminated = [UInt8](unsafeUninitializedCapacity: end + 1) { bytes, filled in
                    for index in 0..<end { bytes[index] = name[index] }
                    bytes[end] = 0
                    filled = end + 1
                }
                entries.append(
                    DirectoryEntry(
                        name: FileName(terminated: terminated),
                        type: buffer.load(fromByteOffset: at + 18, as: UInt8.self)))
            }
            at += length
        }
    }
}

/// Removes what `name` is in an open directory, and all below it, following no link and crossing no mount.
///
/// Fine when nothing is there. The tree may change meanwhile: nothing outside it is touched.
public func removeTree(_ name: FileName, at parent: Int32) throws(SystemError) {
    let outcome = try name.withCString { pointer throws(SystemError) -> Int32 in
        if unlinkat(parent, pointer, 0) == 0 { return 0 }
        return skiff_errno()
    }
    switch outcome {
    case 0, ENOENT: return
    case EISDIR, EPERM: break
    default: throw SystemError("unlink", errno: outcome, subject: name.text)
    }
    var removal = Removal()
    try removal.removeDirectory(name, at: parent, depth: 0)
}

/// Removes a tree of ours by its path.
public func removeTree(_ path: String) throws(SystemError) {
    try removeTree(FileName(path), at: Directory.working)
}

/// A removal under way.
///
/// A tree may be deeper than there are descriptors: what is deeper than `reach` is moved up first.
private struct Removal {
    private static let reach = 64
    private var top: Int32 = -1
    private var moved = 0

    mutating func removeDirectory(_ name: FileName, at parent: Int32, depth: Int) throws(SystemError) {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        let opened: OwnedDescriptor
        do {
            opened = try openEntry(name, flags, at: parent, resolve: [.beneath, .noSymlinks, .noMountCrossing])
        } catch {
            if error.errno == ENOENT { return }
            if error.errno == ENOTDIR || error.errno == ELOOP {
                try name.withCString { pointer throws(SystemError) in
                    try check("unlink", name.text) { unlinkat(parent, pointer, 0) }
                }
                return
            }
            throw error
        }
        let directory = opened.raw
        if depth == 0 { top = directory }
        while true {
            let entries = try readDirectory(directory)
            if entries.isEmpty { break }
            for entry in entries {
                if entry.mayBeDirectory {
                    try removeOrMove(entry.name, at: directory, depth: depth)
                } else {
                    try removeTree(entry.name, at: directory)
                }
            }
        }
        withExtendedLifetime(opened) {}
        try name.withCString { pointer throws(SystemError) in
            try check("rmdir", name.text) {
                unlinkat(parent, pointer, AT_REMOVEDIR) == 0 || skiff_errno() == ENOENT ? 0 : -1
            }
        }
    }

    private mutating func removeOrMove(_ name: FileName, at directory: Int32, depth: Int) throws(SystemError) {
        guard depth == Removal.reach else { return try removeDirectory(name, at: directory, depth: depth + 1) }
        moved += 1
        let target = top
        let fresh = FileName(".removed-\(moved)")
        try name.withCString { old throws(SystemError) in
            try fresh.withCString { new throws(SystemError) in
                _ = try check("rename", name.text) {
                    renameat2(directory, old, target, new, UInt32(RENAME_NOREPLACE)) == 0 || skiff_errno() == EEXIST
                        ? 0 : -1
                }
            }
        }
    }
}

/// Opens a name in an open directory under the given restrictions.
///
/// C function: `openat2`.
///
/// `noMountCrossing` and `beneath` refuse an absolute path by nature: for a path of ours give the working directory and none.
private func openEntry(_ name: FileName, _ flags: Int32, at parent: Int32, resolve: Resolution) throws(SystemError)
    -> OwnedDescriptor
{
    if parent == Directory.working {
        let raw = try name.withCString { pointer throws(SystemError) in
            try check("open", name.text) { skiff_openat(parent, pointer, flags | O_CLOEXEC, 0) }
        }
        return OwnedDescriptor(owning: raw)
    }
    var how = open_how()
    how.flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC))
    how.resolve = resolve.rawValue
    let raw = try name.withCString { pointer throws(SystemError) in
        try check("openat2", name.text) { skiff_openat2(parent, pointer, &how) }
    }
    return OwnedDescriptor(owning: raw)
}
