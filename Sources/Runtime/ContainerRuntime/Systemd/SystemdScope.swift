internal import CLinux
internal import Linux
internal import OCI

/// A unit systemd has made for a container, which the container's group belongs to.
public struct SystemdScope: Sendable, Hashable {
    /// `skiff-<id>.scope`.
    public let unit: String
    /// Whether a user's own manager has it, and not the host's.
    public let isUser: Bool

    public init(unit: String, isUser: Bool) {
        self.unit = unit
        self.isUser = isUser
    }

    /// A container's scope before it is there.
    public struct Request: Sendable {
        let name: ScopeName
        let id: String
        let isUser: Bool
        let annotated: [UnitProperty]

        /// - Parameters:
        ///   - path: `slice:prefix:name`, or nothing.
        ///   - annotations: of the document; those of properties are taken.
        public init(
            path: String?, id: String, isUser: Bool, annotations: [String: String]
        ) throws(RuntimeFailure) {
            name = try ScopeName(path, id: id, isUser: isUser)
            self.id = id
            self.isUser = isUser
            annotated = try UnitProperties.annotated(annotations)
        }

        public var scope: SystemdScope { SystemdScope(unit: name.unit, isUser: isUser) }

        /// Where the group will be if the manager's own is the root's, as it is but in containers.
        public var expectedPath: String { name.path }
    }

    /// Starts the unit around a process.
    ///
    /// - Returns: the unit, and its group's path from each hierarchy's root.
    static func start(
        _ request: Request, around pid: pid_t, _ resources: RuntimeSpec.Resources, _ layout: CgroupLayout
    ) throws(RuntimeFailure) -> (scope: SystemdScope, path: String) {
        let unit = request.name.unit
        var manager = try SystemdManager.connect(ofUser: request.isUser)
        let version = try asking(unit) { () throws(BusFailure) in try manager.version() }
        let translation = UnitProperties(isV1: layout.isV1, version: version)
        let properties =
            try translation.scope(request.name, id: request.id, pid: UInt32(pid)) + translation.limits(resources)
            + UnitDevices.properties(DeviceAccess.list(for: resources.devices)) + request.annotated
        do throws(BusFailure) { try manager.startTransientUnit(unit, properties) } catch {
            // What is left of a unit that failed still has the name; one that runs keeps it.
            guard error.name == "org.freedesktop.systemd1.UnitExists" else { throw error.failure(unit) }
            try? manager.resetFailedUnit(unit)
            try asking(unit) { () throws(BusFailure) in try manager.startTransientUnit(unit, properties) }
        }
        let scope = request.scope
        let path = Self.path(of: pid, layout)
        // Whatever else the process is in, limits must not be set there.
        guard let path, path.hasSuffix(request.name.path) else {
            try? scope.stop()
            throw RuntimeFailure(
                .cgroup, "systemd started \(unit), but its process is in \(path ?? "no group") and not in it")
        }
        return (scope, path)
    }

    /// Tells the manager of new limits, so that it keeps them.
    func update(_ resources: RuntimeSpec.Resources, _ group: Cgroup) throws(RuntimeFailure) {
        var manager = try SystemdManager.connect(ofUser: isUser)
        let version = try Self.asking(unit) { () throws(BusFailure) in try manager.version() }
        let properties = try UnitProperties(isV1: group.layout.isV1, version: version)
            .limits(resources, present: group.presentLimits)
        if properties.isEmpty { return }
        try Self.asking(unit) { () throws(BusFailure) in try manager.setProperties(unit, properties) }
    }

    /// Has a process moved into the unit's group.
    func adopt(_ pid: pid_t) throws(RuntimeFailure) {
        var manager = try SystemdManager.connect(ofUser: isUser)
        try Self.asking(unit) { () throws(BusFailure) in try manager.attach(UInt32(pid), to: unit) }
    }

    /// Ends the unit; fine when it is gone, as it is soon after its last process.
    func stop() throws(RuntimeFailure) {
        var manager = try SystemdManager.connect(ofUser: isUser)
        do throws(BusFailure) { try manager.stopUnit(unit) } catch {
            guard error.name != "org.freedesktop.systemd1.NoSuchUnit" else { return }
            throw error.failure(unit)
        }
        try? manager.resetFailedUnit(unit)
    }

    private static func asking<Value>(
        _ unit: String, _ body: () throws(BusFailure) -> Value
    ) throws(RuntimeFailure) -> Value {
        do { return try body() } catch { throw error.failure(unit) }
    }

    /// Where the unit's group is, of which a process is in, or below.
    ///
    /// - Returns: nil where the process is somewhere else.
    func path(around pid: pid_t, _ layout: CgroupLayout) -> String? {
        Self.path(of: pid, layout).flatMap { ownPath(in: $0) }
    }

    /// A group's path as far as the unit's own; some runtimes put a container into a group below that.
    func ownPath(in path: String) -> String? {
        let steps = path.split(separator: "/", omittingEmptySubsequences: false)
        return steps.firstIndex { $0 == unit }.map { steps[...$0].joined(separator: "/") }
    }

    /// The group systemd has put a process in.
    private static func path(of pid: pid_t, _ layout: CgroupLayout) -> String? {
        guard let text = try? readText("/proc/\(pid)/cgroup") else { return nil }
        return path(in: text, isV1: layout.isV1)
    }

    /// - Parameter text: of `/proc/<pid>/cgroup`; cgroups(7).
    static func path(in text: String, isV1: Bool) -> String? {
        let mark = isV1 ? "name=systemd:" : "0::"
        for line in text.split(separator: "\n") {
            let entry = isV1 ? line.drop { $0 != ":" }.dropFirst() : line
            if entry.hasPrefix(mark) { return String(entry.dropFirst(mark.count)) }
        }
        return nil
    }
}
