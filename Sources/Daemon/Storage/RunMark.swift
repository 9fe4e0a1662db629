internal import CLinux
public import Failures
internal import Linux

/// Tells a start after a power cut from any other.
///
/// ```
/// <data-root>/skiffd.boot    the kernel's boot id, there while a daemon runs
/// ```
/// A daemon that is killed leaves the mark of the boot that still is: what it wrote is in the kernel's hands, and nothing
/// is lost. The mark of an earlier boot says that the machine went down under it.
public struct RunMark: Sendable {
    private let path: String
    private let boot: String

    /// - Parameters:
    ///   - dataRoot: there already, and locked by this daemon.
    ///   - boot: the kernel's name for the time since it started (`/proc/sys/kernel/random/boot_id`).
    public init(dataRoot: String, boot: String? = nil) {
        path = dataRoot + "/skiffd.boot"
        self.boot = boot ?? (try? readText("/proc/sys/kernel/random/boot_id", limit: 200)) ?? ""
    }

    private var last: String? { try? readText(path, limit: 200) }

    /// Whether the machine went down under the last run.
    public var isOfAnEarlierBoot: Bool { last.map { !$0.isEmpty && $0 != boot } ?? false }

    /// Marks this run: once what an earlier boot spoilt is put right.
    ///
    /// Blocks until the mark is on the disk.
    public func set() throws(Failure) {
        if last == boot { return }
        do {
            try replaceFile(path, Array(boot.utf8), mode: 0o600)
            let file = try open(path, O_RDONLY)
            // The name with it: a mark that is not there after a power cut tells of none.
            try syncFileSystem(of: file.raw)
        } catch { throw .onDisk("cannot write \(path)", error, at: path) }
    }

    /// Takes the mark away once everything is on the disk: the orderly end.
    ///
    /// Blocks.
    public func remove() {
        guard let file = try? open(path, O_RDONLY), (try? syncFileSystem(of: file.raw)) != nil else { return }
        try? unlink(path)
    }
}
