internal import CLinux
public import Linux

/// A descriptor that becomes readable when the kernel ran out of a group's memory.
///
/// v2 reports every change of its counters, v1 also the removal of the group: whoever is woken looks at
/// ``Cgroup/outOfMemoryKills()``.
public final class MemoryWatcher {
    private enum Source: ~Copyable {
        /// cgroup v1: an eventfd that `cgroup.event_control` ties to `memory.oom_control`.
        case event(EventFD)
        /// cgroup v2: a watch on `memory.events`, which changes with its counters.
        case changes(Inotify)
    }

    private let source: Source

    public init(_ cgroup: Cgroup) throws(SystemError) {
        if cgroup.layout.isV1 {
            guard let root = cgroup.layout.mountPoint(of: "memory"), !cgroup.path.isEmpty else {
                throw SystemError("open", errno: ENOENT, subject: "memory controller")
            }
            let event = try EventFD()
            let control = try open("\(root)\(cgroup.path)/memory.oom_control", O_RDONLY)
            try writeControl("\(root)\(cgroup.path)/cgroup.event_control", "\(event.raw) \(control.raw)")
            source = .event(event)
        } else {
            let changes = try Inotify()
            _ = try changes.add("\(cgroup.layout.unified)\(cgroup.path)/memory.events", [.modified])
            source = .changes(changes)
        }
    }

    public var raw: Int32 {
        switch source {
        case .event(let event): event.raw
        case .changes(let changes): changes.raw
        }
    }

    /// Takes note of what was reported, so that the descriptor waits for the next.
    ///
    /// - Returns: whether counters have changed, and it was not the removal of the group alone; on v1 that is not told.
    @discardableResult
    public func drain() -> Bool {
        switch source {
        case .event(let event):
            event.drain()
            return false
        case .changes(let changes):
            return (try? changes.events())?.contains { $0.changes.contains(.modified) } == true
        }
    }
}
