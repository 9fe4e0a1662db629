public import CLinux
internal import Linux

/// The processes of a container that has no cgroup to list them by, as the host's process table shows them.
///
/// In a pid namespace of its own that is whoever is in it, and in those nested in it. Without one it is the first process
/// and what descends from it: an orphan, whose parent is the host's, is not found.
public enum ProcessTree {
    /// None once the first process has ended.
    ///
    /// Files: `/proc/<pid>/ns/pid`, `/proc/<pid>/stat`.
    public static func processes(of first: pid_t, ownsProcesses: Bool) -> [pid_t] {
        guard processStartTime(first) != nil, let table = try? open("/proc", O_RDONLY | O_DIRECTORY),
            let entries = try? readDirectory(table.raw)
        else { return [] }
        func namespace(_ pid: pid_t) -> ino_t? { (try? status("/proc/\(pid)/ns/pid", follow: true))?.st_ino }
        // That of a process which nobody may trace yet, as one that waits for its start, cannot be told.
        let own = ownsProcesses ? namespace(first) : nil
        var parents: [pid_t: pid_t] = [:]
        var members: Set<pid_t> = [first]
        for pid in entries.compactMap({ pid_t($0.name.text) }) {
            guard let parent = parentProcess(pid) else { continue }
            parents[pid] = parent
            if let own, namespace(pid) == own { members.insert(pid) }
        }
        return closure(of: members, parents: parents)
    }

    /// The members and what descends from them, in ascending order.
    static func closure(of members: Set<pid_t>, parents: [pid_t: pid_t]) -> [pid_t] {
        var found = members
        // Numbers wrap around: a child may have a lower one than its parent.
        var isComplete = false
        while !isComplete {
            isComplete = true
            for (pid, parent) in parents where found.contains(parent) && found.insert(pid).inserted {
                isComplete = false
            }
        }
        return found.sorted()
    }

    private static func parentProcess(_ pid: pid_t) -> pid_t? {
        guard let text = try? readText("/proc/\(pid)/stat", limit: 4096), let end = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: end)...].split(separator: " ")
        // A zombie is nobody any more.
        return fields.count > 1 && fields[0] != "Z" && fields[0] != "X" ? pid_t(fields[1]) : nil
    }
}
