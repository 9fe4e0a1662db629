import CLinux
import Linux

/// A file system of a few megabytes for one test, so that a disk can be full without the machine's being so.
struct SmallDisk: Sendable {
    let path: String

    /// Mounts it, and unmounts it in every case.
    static func with(megabytes: Int, _ body: (SmallDisk) async throws -> Void) async throws {
        let disk = SmallDisk(path: "/tmp/skiff-disk.\(getpid()).\(UInt32.random(in: 0 ... .max))")
        try makeDirectories(disk.path, mode: 0o700)
        let outcome: Result<Void, any Error>
        do {
            try check("mount", disk.path) {
                mount("tmpfs", disk.path, "tmpfs", UInt(MS_NOSUID | MS_NODEV), "size=\(megabytes)m,mode=0700")
            }
            do { outcome = .success(try await body(disk)) } catch { outcome = .failure(error) }
            try check("umount2", disk.path) { umount2(disk.path, Int32(MNT_DETACH)) }
        }
        try unlink(disk.path, directory: true)
        try outcome.get()
    }

    private var ballast: String { path + "/ballast" }

    /// How many bytes can still be written.
    func free() throws -> Int {
        let directory = try open(path, O_RDONLY | O_DIRECTORY)
        return Int(try freeBytes(directory.raw))
    }

    /// Fills it until so many bytes are left.
    func fill(leaving left: Int = 0) throws {
        let file = try open(ballast, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let block = [UInt8](repeating: 0xaa, count: 4096)
        while try free() > left {
            do throws(SystemError) { try writeAll(file.raw, block) } catch {
                guard error.isDiskFull else { throw error }
                return
            }
        }
    }

    func makeRoom() throws { try unlink(ballast) }
}
