public import CLinux
public import Linux
public import OCI

/// A container's control group, the same on cgroup v1, hybrid and v2 hosts.
///
/// ```
/// create(limits) ─▶ membership() given to the launch ─▶ update, freeze, kill, … ─▶ delete()
/// ```
/// On v2 the process is born in its group. On v1 the process itself writes `0` into each `tasks` file: the kernel takes no
/// lock over all thread groups for that, where a parent writing into `cgroup.procs` waits milliseconds for one.
public struct Cgroup: Sendable {
    public let layout: CgroupLayout
    /// Below each hierarchy's root: `/skiff/<id>`, no `..` in it; empty where the container has none.
    public let path: String
    /// The unit that the group belongs to, where systemd made it.
    public let scope: SystemdScope?
    /// The container's share of cache and memory bandwidth, which its processes join and which goes along.
    public var resctrl: ResctrlGroup? {
        get { heldResctrl.group }
        set { heldResctrl = HeldResctrl(newValue) }
    }
    private var heldResctrl = HeldResctrl.none
    private var driver: any CgroupDriver
    private var place = CgroupPlace()
    /// Until the container's own process is there.
    private var placeholder: Placeholder?

    /// - Throws: when the path is not absolute or steps up.
    public init(path: String, layout: CgroupLayout, scope: SystemdScope? = nil) throws(RuntimeFailure) {
        guard path.hasPrefix("/"), path.utf8.count > 1, !Self.steps(path) else {
            throw RuntimeFailure(.cgroup, "cgroup path \"\(path)\" is not an absolute path without \"..\"")
        }
        guard layout.isV1 || !layout.unified.isEmpty else {
            throw RuntimeFailure(.cgroup, "no cgroup hierarchy is mounted on this host")
        }
        self.layout = layout
        self.path = path
        self.scope = scope
        driver = layout.isV1 ? CgroupV1(layout: layout, path: path) : CgroupV2(root: layout.unified, path: path)
    }

    /// Whether a path has a component "." or "..".
    private static func steps(_ path: String) -> Bool {
        let bytes = Array(path.utf8)
        var components = Fields(bytes, separatedBy: UInt8(ascii: "/"))
        while let component = components.next() {
            guard component.count == 1 || component.count == 2 else { continue }
            if component.allSatisfy({ bytes[$0] == UInt8(ascii: ".") }) { return true }
        }
        return false
    }

    private init(none layout: CgroupLayout) {
        self.layout = layout
        path = ""
        scope = nil
        driver = NoCgroup()
    }

    /// No group at all: what a user gets who may not make any, and asks for no limits.
    public static func none(_ layout: CgroupLayout) -> Cgroup { Cgroup(none: layout) }

    /// The same group, for a process that joins somewhere below it.
    public func joining(_ place: CgroupPlace) throws(RuntimeFailure) -> Cgroup {
        var group = self
        group.place = try place.checked(layout)
        return group
    }

    /// The same group, as a process finds it that enters a container whose first process has moved further down.
    ///
    /// On v2 a group whose controllers are handed on to its children takes no processes itself: what enters then goes
    /// where the first process is. Kernel documentation: cgroup-v2.rst, "No Internal Process Constraint".
    public func entering(besides initPid: pid_t) throws(RuntimeFailure) -> Cgroup {
        guard !layout.isV1, !path.isEmpty, place.everywhere == nil,
            let passed = try? readText("\(layout.unified)\(path)/cgroup.subtree_control"),
            !passed.allSatisfy(\.isWhitespace), let text = try? readText("/proc/\(initPid)/cgroup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::") }),
            line.dropFirst(3).hasPrefix(path + "/")
        else { return self }
        return try joining(CgroupPlace(everywhere: String(line.dropFirst(3 + path.utf8.count))))
    }

    /// Has systemd make the group, and sets its limits; on a failure nothing is left.
    ///
    /// The value has to live until the container's process is in the group: until then it keeps one of its own there. Only in
    /// a process of one thread.
    public static func start(
        _ request: SystemdScope.Request, _ resources: RuntimeSpec.Resources, layout: CgroupLayout
    ) throws(RuntimeFailure) -> Cgroup {
        let placeholder = try step(.cgroup) { () throws(SystemError) in try Placeholder() }
        let (scope, path) = try SystemdScope.start(request, around: placeholder.pid, resources, layout)
        var group = try Cgroup(path: path, layout: layout, scope: scope)
        do throws(RuntimeFailure) {
            try group.create(resources, devicesMayBeRefused: request.isUser)
            group.placeholder = placeholder
            return group
        } catch {
            placeholder.end()
            try? group.delete()
            throw error
        }
    }

    /// The container's process is in the group: what has kept it open until now ends.
    public mutating func settle() { placeholder = nil }

    /// The group of a scope that another runtime had systemd make for a process.
    public static func found(
        _ request: SystemdScope.Request, around pid: pid_t, layout: CgroupLayout
    ) throws(RuntimeFailure) -> Cgroup {
        guard let path = request.scope.path(around: pid, layout) else {
            throw RuntimeFailure(
                .cgroup, "the runtime has put process \(pid) somewhere else than into \(request.scope.unit)")
        }
        return try Cgroup(path: path, layout: layout, scope: request.scope)
    }

    /// Makes the group in every hierarchy and sets its limits; on a failure nothing is left.
    ///
    /// - Parameter devicesMayBeRefused: whether it is made without device rules where the kernel leaves them to root. Whoever
    ///   may not make rules may not make device nodes either.
    /// - Returns: whether the device rules hold.
    @discardableResult
    public func create(
        _ resources: RuntimeSpec.Resources, devicesMayBeRefused: Bool = false
    ) throws(RuntimeFailure) -> Bool {
        try step(.cgroup) { () throws(SystemError) in
            // What was there before is not ours to remove.
            try driver.create(taking: scope != nil)
            do throws(SystemError) {
                try driver.apply(resources)
                do throws(SystemError) { try driver.restrictDevices(DeviceAccess.list(for: resources.devices)) } catch {
                    guard devicesMayBeRefused, error.errno == EPERM || error.errno == EACCES else { throw error }
                    return false
                }
                return true
            } catch {
                // One with a process in it is removed by whoever has put that there.
                if scope == nil { try? driver.delete() }
                throw error
            }
        }
    }

    /// Makes what a process is born in, where the rest can be made while it sets itself up: on v1, where it is to join each
    /// hierarchy by itself; ``finish()`` does that.
    ///
    /// On a failure nothing is left. Whether the group is another's is not known yet.
    ///
    /// - Returns: false where there is no such part, and nothing was done.
    public func begin() throws(RuntimeFailure) -> Bool {
        try step(.cgroup) { () throws(SystemError) in try driver.begin() }
    }

    /// Removes what ``begin()`` has made, where nobody is in it.
    public func abandon() { driver.abandon() }

    /// Makes the rest; one that is another's is refused, and whatever fails, what was made here is removed.
    ///
    /// From then on the group is the caller's to remove, once the process has ended.
    public func finish() throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in try driver.finish() }
    }

    /// Sets the limits of a group that was finished.
    public func limit(_ resources: RuntimeSpec.Resources) throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in
            try driver.apply(resources)
            try driver.restrictDevices(DeviceAccess.list(for: resources.devices))
        }
    }

    /// Changes limits while processes run; what the document leaves out stays.
    public func update(_ resources: RuntimeSpec.Resources) throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in try driver.apply(resources) }
        guard let scope else { return }
        // Not before: systemd is not told of what the group does not take. And once more: it has written its own values.
        try scope.update(resources, self)
        try step(.cgroup) { () throws(SystemError) in try driver.apply(resources) }
    }

    /// What a process needs to become a member, opened before it leaves the host's mount namespace.
    public func membership() throws(SystemError) -> Membership {
        var membership = try driver.membership(
            Membership(layout: layout, path: path, birthplace: nil, tasks: resctrl?.tasks() ?? []), place)
        if let scope, scope.isUser, !layout.isV1, !DelegatedGroup.mayEnter(path, layout) { membership.adopter = scope }
        return membership
    }

    /// The same of a group that was only begun.
    func birth() -> Membership {
        var birthplace: SharedDescriptor?
        if !layout.unified.isEmpty {
            birthplace = try? SharedDescriptor(open(layout.unified + path, O_RDONLY | O_DIRECTORY))
        }
        return Membership(layout: layout, path: path, birthplace: birthplace, tasks: [])
    }

    /// Every process in the group and below it.
    public func processes() throws(SystemError) -> [pid_t] { try driver.processes() }

    /// Stops every process where it is, or lets them go on; returns when the kernel says it is so.
    public func freeze(_ frozen: Bool) throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in try driver.freeze(frozen) }
    }

    /// Puts a process that was moved to another group's freezer back into this one's, so that it can be killed; on v2 a
    /// frozen process can.
    public func takeBack(_ pid: pid_t) throws(SystemError) { try driver.takeBack(pid) }

    /// Whether the group is stopped now; false where that cannot be told.
    public func isFrozen() -> Bool { driver.isFrozen() }

    /// Sends SIGKILL to every process in the group.
    public func kill() throws(SystemError) { try driver.kill() }

    /// What the group has used, and its limits.
    public func statistics() -> CgroupStatistics { driver.statistics() }

    /// How often the kernel killed a process of the group for want of memory; nil where that is not told, as of a group that
    /// was removed.
    public func outOfMemoryKills() -> UInt64? { driver.outOfMemoryKills() }

    /// The same of the group it is in and all below that, which outlives it; nil where the kernel does not count so, on v1.
    public func outOfMemoryKillsAround() -> UInt64? { driver.outOfMemoryKillsAround() }

    /// Whether the kernel, where it kills a process of the group for want of memory, kills all of them, and with each whoever
    /// shares its memory.
    var diesTogether: Bool { driver.diesTogether }

    /// Removes the group with those below it; fine when it is gone.
    ///
    /// Processes on their way out are waited for, shortly. Of a unit nothing is left without its group, so that it does not
    /// matter whether systemd answered.
    public func delete() throws(SystemError) {
        try? scope?.stop()
        try driver.delete()
        try resctrl?.delete()
    }

    /// Kills what is in the group, if anything is, and removes it.
    public func end() throws(SystemError) {
        // Most are empty by then. Where the first answer says so, nobody has to be looked for.
        if scope != nil || !driver.removeEmpty() { try? kill() }
        try delete()
    }

    /// What the group has now of limits that go in pairs.
    var presentLimits: PresentLimits { driver.presentLimits() }

    /// Open directories and files by which a process joins.
    public struct Membership: Sendable {
        public let layout: CgroupLayout
        public let path: String
        /// v2: the directory into which the process is cloned.
        let birthplaceHolder: SharedDescriptor?
        /// Who can put a process there where the caller may not, from a login's group for one.
        var adopter: SystemdScope?
        /// v1's files of threads, and resctrl's.
        let tasks: [SharedDescriptor]

        init(layout: CgroupLayout, path: String, birthplace: SharedDescriptor?, tasks: [SharedDescriptor]) {
            self.layout = layout
            self.path = path
            birthplaceHolder = birthplace
            self.tasks = tasks
        }

        var birthplace: Int32? { birthplaceHolder?.raw }

        /// In the new process, which has one thread: joins the v1 hierarchies.
        func join() throws(SystemError) {
            for file in tasks { try writeAll(file.raw, "0") }
        }
    }
}

/// Where below a container's group a process is put.
public struct CgroupPlace: Sendable, Hashable {
    /// In every hierarchy that is not named.
    public var everywhere: String?
    /// v1: by controller.
    public var byController: [String: String]

    public init(everywhere: String? = nil, byController: [String: String] = [:]) {
        self.everywhere = everywhere
        self.byController = byController
    }

    /// runc's `--cgroup`: each `[controller,…:]path`.
    public init(_ texts: [String]) throws(RuntimeFailure) {
        self.init()
        for text in texts {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else {
                everywhere = text
                continue
            }
            for controller in parts[0].split(separator: ",") { byController[String(controller)] = parts[1] }
        }
    }

    /// The place with each path as `/a/b`, or nothing for the group itself; none steps up.
    fileprivate func checked(_ layout: CgroupLayout) throws(RuntimeFailure) -> CgroupPlace {
        func clean(_ path: String) throws(RuntimeFailure) -> String {
            let components = path.split(separator: "/").filter { $0 != "." }
            guard !components.contains("..") else {
                throw RuntimeFailure(.cgroup, "\(path) is not a sub cgroup path")
            }
            return components.map { "/" + $0 }.joined()
        }
        var place = CgroupPlace()
        if let everywhere { place.everywhere = try clean(everywhere) }
        for (controller, path) in byController {
            guard layout.mountPoint(of: controller) != nil else {
                throw RuntimeFailure(.cgroup, "unknown controller \(controller)")
            }
            place.byController[controller] = try clean(path)
        }
        return place
    }

    /// The path for a v1 hierarchy.
    func path(in hierarchy: CgroupLayout.Hierarchy) -> String {
        hierarchy.controllers.lazy.compactMap { byController[$0] }.first ?? everywhere ?? ""
    }
}

/// What v1 and v2 do differently.
protocol CgroupDriver: Sendable {
    /// Makes the group where it is missing; one in use is refused, and then nothing of what was made is left.
    ///
    /// - Parameter given: whether the group is one that systemd has just made for us, with a process in it.
    func create(taking given: Bool) throws(SystemError)
    /// The first part of it; see ``Cgroup/begin()``.
    func begin() throws(SystemError) -> Bool
    func abandon()
    /// The second part; one that is there and in use is refused.
    func finish() throws(SystemError)
    func apply(_ resources: RuntimeSpec.Resources) throws(SystemError)
    func restrictDevices(_ list: [DeviceAccess]) throws(SystemError)
    func membership(_ empty: Cgroup.Membership, _ place: CgroupPlace) throws(SystemError) -> Cgroup.Membership
    func processes() throws(SystemError) -> [pid_t]
    func freeze(_ frozen: Bool) throws(SystemError)
    func takeBack(_ pid: pid_t) throws(SystemError)
    func isFrozen() -> Bool
    func kill() throws(SystemError)
    func statistics() -> CgroupStatistics
    func outOfMemoryKills() -> UInt64?
    func outOfMemoryKillsAround() -> UInt64?
    var diesTogether: Bool { get }
    func presentLimits() -> PresentLimits
    /// Removes the group where nobody can be in it, or as much of it as says so; false where somebody is.
    func removeEmpty() -> Bool
    func delete() throws(SystemError)
}

extension CgroupDriver {
    func begin() throws(SystemError) -> Bool { false }
    func abandon() {}
    func finish() throws(SystemError) {}
    func takeBack(_ pid: pid_t) throws(SystemError) {}
    func outOfMemoryKillsAround() -> UInt64? { nil }
    var diesTogether: Bool { false }
}

/// No group: limits are refused, the rest has nothing to do.
private struct NoCgroup: CgroupDriver {
    func create(taking given: Bool) throws(SystemError) {}
    func apply(_ resources: RuntimeSpec.Resources) throws(SystemError) {
        var limits = resources
        limits.devices = []
        guard limits == RuntimeSpec.Resources() else {
            throw SystemError("cgroup", errno: EPERM, subject: "limits, without the right to make a cgroup")
        }
    }
    func restrictDevices(_ list: [DeviceAccess]) throws(SystemError) {}
    func membership(_ empty: Cgroup.Membership, _ place: CgroupPlace) throws(SystemError) -> Cgroup.Membership { empty }
    func processes() throws(SystemError) -> [pid_t] { [] }
    func freeze(_ frozen: Bool) throws(SystemError) {
        throw SystemError("cgroup", errno: EPERM, subject: "a container without a cgroup cannot be paused")
    }
    func isFrozen() -> Bool { false }
    func kill() throws(SystemError) {}
    func statistics() -> CgroupStatistics { CgroupStatistics() }
    func outOfMemoryKills() -> UInt64? { nil }
    func presentLimits() -> PresentLimits { PresentLimits() }
    func removeEmpty() -> Bool { true }
    func delete() throws(SystemError) {}
}
