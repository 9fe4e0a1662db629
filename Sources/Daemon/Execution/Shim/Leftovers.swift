internal import CLinux
internal import Linux

/// Clears away what a killed shim could not: its container's processes, cgroups, and its directory.
///
/// Blocking.
enum Leftovers {
    /// Where the host mounts its hierarchies.
    private static let cgroupRoot = "/sys/fs/cgroup"

    /// Ends every process in the cgroup of that path, in whatever hierarchy, and removes it there.
    static func clear(cgroup path: String) {
        for group in groups(path) where exists(group) { remove(group, depth: 0) }
    }

    /// Where a cgroup of that path would be, in every hierarchy there is.
    static func groups(_ path: String) -> [String] {
        guard path.hasPrefix("/"), path.count > 1, !path.split(separator: "/").contains("..") else { return [] }
        return ([cgroupRoot] + entries(cgroupRoot).map { "\(cgroupRoot)/\($0)" }).map { $0 + path }
    }

    /// Removes a shim's directory; it holds files only.
    static func clear(directory: String) {
        for name in entries(directory) { try? unlink("\(directory)/\(name)") }
        try? unlink(directory, directory: true)
    }

    private static func remove(_ group: String, depth: Int) {
        // What was frozen cannot die.
        try? writeControl("\(group)/freezer.state", "THAWED")
        try? writeControl("\(group)/cgroup.freeze", "0")
        if depth < 8 {
            for name in entries(group, directoriesOnly: true) { remove("\(group)/\(name)", depth: depth + 1) }
        }
        for _ in 0..<500 {
            let members =
                (try? readText("\(group)/cgroup.procs"))?.split(separator: "\n").compactMap { pid_t($0) } ?? []
            for pid in members where pid > 0 { try? sendSignal(SIGKILL, to: pid) }
            do {
                try unlink(group, directory: true)
                return
            } catch {
                if error.errno != EBUSY { return }
            }
            var pause = timespec(tv_sec: 0, tv_nsec: 2_000_000)
            nanosleep(&pause, nil)
        }
    }

    private static func entries(_ path: String, directoriesOnly: Bool = false) -> [String] {
        guard let directory = try? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
            let entries = try? readDirectory(directory.raw)
        else { return [] }
        return entries.filter { !directoriesOnly || $0.type == UInt8(DT_DIR) }.map(\.name.text)
    }
}
