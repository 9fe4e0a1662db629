internal import CLinux
internal import Linux
internal import ShimProtocol

/// Clears away what a killed shim could not: its container's processes, cgroups, and its directory.
///
/// Blocking.
enum Leftovers {
    /// Where the host mounts its hierarchies.
    private static let cgroupRoot = "/sys/fs/cgroup"

    /// Everything of the container whose shim had this directory.
    static func clear(ofShim directory: String) {
        if let path = try? readText("\(directory)/\(ShimEndpoint.cgroupName)", limit: 4096), !path.isEmpty {
            clear(cgroup: path)
        }
        clear(directory: directory)
    }

    /// Ends every process in the cgroup of that path, in whatever hierarchy, and removes it there.
    static func clear(cgroup path: String) {
        let groups = groups(path).filter { exists($0) }
        if path.hasSuffix(".scope") { endScope(path, groups) }
        for group in groups { remove(group, depth: 0) }
    }

    /// Has systemd see a scope empty: it ends the unit then, and removes the group.
    ///
    /// Were the group gone before systemd has looked at it, the unit would stay for ever.
    private static func endScope(_ path: String, _ groups: [String]) {
        // Where systemd looks: on v2 the one hierarchy, on v1 its own.
        let own = [cgroupRoot, cgroupRoot + "/systemd"].map { $0 + path }
        for _ in 0..<2500 where own.contains(where: { exists($0) }) {
            for group in groups { killAll(in: group, depth: 0) }
            nap()
        }
    }

    private static func killAll(in group: String, depth: Int) {
        // What was frozen cannot die.
        try? writeControl("\(group)/freezer.state", "THAWED")
        try? writeControl("\(group)/cgroup.freeze", "0")
        if depth < 8 {
            for name in entries(group, directoriesOnly: true) { killAll(in: "\(group)/\(name)", depth: depth + 1) }
        }
        let members = (try? readText("\(group)/cgroup.procs"))?.split(separator: "\n").compactMap { pid_t($0) } ?? []
        for pid in members where pid > 0 { try? sendSignal(SIGKILL, to: pid) }
    }

    private static func nap() {
        var pause = timespec(tv_sec: 0, tv_nsec: 2_000_000)
        nanosleep(&pause, nil)
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
        if depth < 8 {
            for name in entries(group, directoriesOnly: true) { remove("\(group)/\(name)", depth: depth + 1) }
        }
        for _ in 0..<500 {
            killAll(in: group, depth: 8)
            do {
                try unlink(group, directory: true)
                return
            } catch {
                if error.errno != EBUSY { return }
            }
            nap()
        }
    }

    private static func entries(_ path: String, directoriesOnly: Bool = false) -> [String] {
        guard let directory = try? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
            let entries = try? readDirectory(directory.raw)
        else { return [] }
        return entries.filter { !directoriesOnly || $0.type == UInt8(DT_DIR) }.map(\.name.text)
    }
}
