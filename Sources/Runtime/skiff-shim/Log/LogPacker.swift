internal import Archive
internal import CLinux
internal import Failures
internal import Linux

/// Packs the file that was rotated last with gzip, in a process of its own: the shim has one thread, and that one copies.
///
/// `<path>` becomes `<path>.gz` by way of `<path>.gz.new`; a reader sees the one, both or the other, never half of one.
/// The packed file has the time of the plain one, and in a field of its header the plain one's inode number, by which a
/// reader who still has that open finds its place. Killed at any moment, it leaves the plain file; it dies with the shim,
/// since the next one may give the names to other files.
final class LogPacker {
    /// What a rotated file's name may end with, in the order in which one looks.
    static let forms = ["", ".gz"]

    private let path: String
    private var child: PidFD?

    init(_ path: String) { self.path = path }

    /// Whether the last file is still being packed.
    var isRunning: Bool {
        do throws(SystemError) {
            guard child != nil else { return false }
            if try child?.reap() == nil { return true }
        } catch {
            // Reaped, as any child of the shim, by whoever was told of its end first.
        }
        child = nil
        return false
    }

    /// Goes on where a shim before this one was interrupted.
    func takeUp() {
        try? unlink("\(path).gz.new")
        guard exists(path) else { return }
        if exists("\(path).gz") { try? unlink(path) } else { start() }
    }

    func start() {
        let parent = processNumber()
        // Failing to pack is no failure: the file can be read as it is.
        guard let pid = try? splitProcess() else { return }
        if pid == 0 {
            do {
                try closeDescriptors(from: 0)
                try setParentDeathSignal(SIGKILL)
                if parentProcessNumber() == parent { try Self.pack(path) }
                exitNow(0)
            } catch {
                exitNow(1)
            }
        }
        child = try? PidFD(pid)
    }

    func wait() {
        _ = try? child?.wait()
        child = nil
    }

    func stop() {
        guard isRunning else { return }
        try? child?.send(SIGKILL)
        wait()
        try? unlink("\(path).gz.new")
    }

    /// In the process that does nothing else.
    private static func pack(_ path: String) throws {
        let source = try open(path, O_RDONLY)
        let state = try status(of: source.raw)
        let fresh = "\(path).gz.new"
        let target = try open(fresh, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o640)
        do {
            let inode = withUnsafeBytes(of: UInt64(state.st_ino).littleEndian) { Array($0) }
            try writeAll(target.raw, GzipExtraField("SK", inode).member)
            let compressor = try Compressor(.gzip, to: DescriptorSink(target.duplicate()))
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
            while true {
                let count = try Linux.read(source.raw, into: block)
                if count == 0 { break }
                try compressor.write(UnsafeRawBufferPointer(rebasing: block[..<count]))
            }
            try compressor.finish()
            try setTimes(target.raw, seconds: Int64(state.st_mtim.tv_sec), nanoseconds: Int32(state.st_mtim.tv_nsec))
            try rename(fresh, to: "\(path).gz")
            try unlink(path)
        } catch {
            try? unlink(fresh)
            throw error
        }
    }
}
