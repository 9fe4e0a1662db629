internal import CLinux
internal import Linux

/// A context that was received: its names and hashes in memory, its bytes in one file without a name.
///
/// Nothing is unpacked. When every step's result is known, the context is never touched again; when a step copies, bytes
/// go from the spool straight into the layer, inside the kernel. The spool is gone with its descriptor, also when the
/// daemon is killed.
struct BuildContext: Sendable {
    var tree: FileTree
    let spool: SharedDescriptor

    /// The content of a file of the context.
    func read(_ entry: TreeEntry, limit: Int) throws(SystemError) -> [UInt8] {
        guard case .spool(let offset) = entry.content else { return [] }
        guard entry.size <= Int64(limit) else { throw SystemError("read", errno: EFBIG, subject: entry.path.text) }
        return try readRange(spool.raw, at: offset, count: Int(entry.size))
    }
}

/// A range of a file, less where it ends before.
func readRange(_ descriptor: Int32, at offset: Int64, count: Int) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
        let outcome: Result<Int, SystemError> = bytes.withUnsafeMutableBytes { buffer in
            do throws(SystemError) {
                return .success(
                    try read(
                        descriptor, at: offset + Int64(done),
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...])))
            } catch { return .failure(error) }
        }
        let got = try outcome.get()
        if got == 0 { break }
        done += got
    }
    bytes.removeLast(count - done)
    return bytes
}
