internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI
internal import ShimProtocol

/// The container's cgroup, and what the kernel says about its memory.
///
/// ```
/// named ── create ─▶ made ── settle ─▶ its process is in it ──▶ removed
///   └──── find: another runtime has made it ────▶┘
/// ```
final class ContainerCgroup {
    private(set) var cgroup: Cgroup
    /// What systemd is asked for, where it makes the group.
    private let request: SystemdScope.Request?
    /// Where the group's path is noted for whoever clears up after this shim: only of a scope, whose place systemd tells.
    private let note: String
    /// Whether there may be something of ours to end and to remove.
    private var isOurs = false
    /// How many processes the kernel has killed in it so far.
    private var kills: UInt64 = 0
    /// And around it, at the last look: what is left to be asked where systemd has removed the group.
    private var killsAround: UInt64?
    /// When the kernel last reported that memory was short in it, in milliseconds.
    private var shortageAt: Int64?
    /// How long before an end a shortage may have been its cause: the kernel reports every ten milliseconds of one.
    private static let shortageTime: Int64 = 5_000
    private var watcher: MemoryWatcher?
    private var watch: Watch?
    private var isRemoved = false

    /// Names the group; there is none yet.
    init(_ order: LaunchOrder, annotations: [String: String]) throws {
        note = "\(order.directory)/\(ShimEndpoint.cgroupName)"
        let layout = try CgroupLayout.detect()
        guard order.usesSystemd else {
            request = nil
            cgroup = try Cgroup(path: order.cgroup, layout: layout)
            return
        }
        let request = try SystemdScope.Request(
            path: order.cgroup, id: order.id, isUser: false, annotations: annotations)
        self.request = request
        cgroup = try Cgroup(path: request.expectedPath, layout: layout, scope: request.scope)
        try writeFile(note, Array(cgroup.path.utf8), mode: 0o600)
    }

    /// Makes the group with its limits; on a failure nothing is left.
    func create(_ resources: RuntimeSpec.Resources) throws {
        if let request {
            cgroup = try Cgroup.start(request, resources, layout: cgroup.layout)
            isOurs = true
            try correctNote(request)
        } else {
            try cgroup.create(resources)
            isOurs = true
        }
    }

    /// The container's process is in it.
    func settle() { cgroup.settle() }

    /// Another runtime is about to make the group.
    func expect() { isOurs = true }

    /// Another runtime has made the group, and put a process into it.
    func find(around pid: pid_t) throws {
        guard let request else { return }
        cgroup = try Cgroup.found(request, around: pid, layout: cgroup.layout)
        try correctNote(request)
    }

    private func correctNote(_ request: SystemdScope.Request) throws(SystemError) {
        if cgroup.path != request.expectedPath { try replaceFile(note, Array(cgroup.path.utf8), mode: 0o600) }
    }

    /// Tells of every time the kernel kills something in it for want of memory.
    func watchMemory(_ loop: EventLoop, _ onKill: @escaping () -> Void) {
        look()
        guard let watcher = try? MemoryWatcher(cgroup) else { return }
        self.watcher = watcher
        watch = try? loop.watch(watcher.raw, [.readable]) { [unowned self] _ in
            noteShortage()
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
    ///
    /// systemd removes a scope as soon as its last process has ended, and the counter with it, which may be before that process
    /// is known here to have ended. Then what counts is that its memory was short just now, and that since the last look, which
    /// was no longer ago, the kernel has killed something around it.
    ///
    /// - Parameter killed: whether the container's process has ended by SIGKILL, which this shim has not sent.
    func noticesKill(killed: Bool = false) -> Bool {
        guard !isRemoved else { return false }
        let before = kills
        if look() { return kills > before }
        // The watch and the end are told in any order.
        noteShortage()
        guard killed, before == 0, let shortageAt, Clock.monotonicMilliseconds() - shortageAt < Self.shortageTime,
            let killsAround, let now = cgroup.outOfMemoryKillsAround(), now > killsAround
        else { return false }
        kills = 1
        return true
    }

    private func noteShortage() { if watcher?.drain() == true { shortageAt = Clock.monotonicMilliseconds() } }

    /// - Returns: whether the group is there to be looked at.
    @discardableResult
    private func look() -> Bool {
        // In this order nothing falls in between.
        let around = request == nil ? nil : cgroup.outOfMemoryKillsAround()
        guard let now = cgroup.outOfMemoryKills() else { return false }
        kills = max(kills, now)
        killsAround = around
        return true
    }

    func processes() throws(SystemError) -> [pid_t] { try cgroup.processes() }
    func apply(_ resources: RuntimeSpec.Resources) throws(RuntimeFailure) { try cgroup.update(resources) }
    func freeze(_ frozen: Bool) throws(RuntimeFailure) { try cgroup.freeze(frozen) }
    func killAll() { if isOurs { try? cgroup.kill() } }

    /// Removes the group; false when something in it has not ended yet.
    func removeNow() -> Bool {
        if isRemoved || !isOurs { return true }
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
