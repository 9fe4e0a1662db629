internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI

/// The container's cgroup, and what the kernel says about its memory.
final class ContainerCgroup {
    let cgroup: Cgroup
    /// How many processes the kernel has killed in it so far.
    private var kills: UInt64 = 0
    private var watcher: MemoryWatcher?
    private var watch: Watch?
    private var isRemoved = false

    init(_ path: String) throws { cgroup = try Cgroup(path: path, layout: CgroupLayout.detect()) }

    /// Makes the group with its limits.
    func create(_ resources: RuntimeSpec.Resources) throws(RuntimeFailure) { try cgroup.create(resources) }

    /// Tells of every time the kernel kills something in it for want of memory.
    func watchMemory(_ loop: EventLoop, _ onKill: @escaping () -> Void) {
        guard let watcher = try? MemoryWatcher(cgroup) else { return }
        self.watcher = watcher
        watch = try? loop.watch(watcher.raw, [.readable]) { [unowned self] _ in
            watcher.drain()
            // v2 reports every change of its counters, v1 also the removal of the group.
            if noticesKill() { onKill() }
        }
    }

    func stopWatching() {
        watch?.cancel()
        watch = nil
        watcher = nil
    }

    /// Whether memory ran out, as far as was noticed.
    var outOfMemory: Bool { kills > 0 }

    /// Looks at the kernel's counter; true when it went up since the last look.
    func noticesKill() -> Bool {
        guard !isRemoved else { return false }
        let now = cgroup.outOfMemoryKills()
        defer { kills = max(kills, now) }
        return now > kills
    }

    func processes() throws(SystemError) -> [pid_t] { try cgroup.processes() }
    func apply(_ resources: RuntimeSpec.Resources) throws(RuntimeFailure) { try cgroup.update(resources) }
    func freeze(_ frozen: Bool) throws(RuntimeFailure) { try cgroup.freeze(frozen) }
    func killAll() { try? cgroup.kill() }

    /// Removes the group; false when something in it has not ended yet.
    func removeNow() -> Bool {
        if isRemoved { return true }
        do {
            try cgroup.delete()
            isRemoved = true
        } catch {
            // Gone by another's hand is gone.
            isRemoved = error.errno == ENOENT
        }
        return isRemoved
    }
}
