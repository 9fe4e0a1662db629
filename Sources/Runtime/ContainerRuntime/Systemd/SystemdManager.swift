internal import CLinux
internal import DBus
internal import Linux

/// systemd, as far as a container's scope needs it.
///
/// See org.freedesktop.systemd1(5).
struct SystemdManager: ~Copyable {
    private var bus: BusConnection
    private static let destination = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let interface = "org.freedesktop.systemd1.Manager"
    /// A start takes milliseconds; a stop that ends processes takes what they take, which here have ended before.
    private static let patience: Int64 = 30_000

    init(_ bus: consuming BusConnection) { self.bus = bus }

    /// Connects to the host's manager, or to a user's own.
    static func connect(ofUser isUser: Bool) throws(RuntimeFailure) -> SystemdManager {
        let addresses = BusAddress.systemd(ofUser: isUser, uid: effectiveUser()) { name in
            getenv(name).map { String(cString: $0) }
        }
        var failures: [String] = []
        for address in addresses {
            do throws(BusFailure) {
                return SystemdManager(
                    try BusConnection.open(address, deadline: Clock.monotonicMilliseconds() + Self.patience))
            } catch {
                failures.append(error.words)
            }
        }
        throw RuntimeFailure(
            .cgroup,
            "no systemd answers, so that its cgroup driver cannot be used here (\(failures.joined(separator: "; "))); "
                + "without --systemd-cgroup the cgroup is made directly", errno: ENOENT)
    }

    /// The number in front of the manager's version: 252 of `252.39-1~deb12u1`.
    mutating func version() throws(BusFailure) -> Int {
        let answer = try bus.call(
            "Get", of: "org.freedesktop.DBus.Properties", at: Self.path, to: Self.destination,
            [.string(Self.interface), .string("Version")])
        guard case .variant(.string(let text)) = answer.values.first else { return 0 }
        return Int(text.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0
    }

    /// Makes a unit that lasts as long as its processes, and waits until it is there.
    mutating func startTransientUnit(_ unit: String, _ properties: [UnitProperty]) throws(BusFailure) {
        let auxiliary = try? DBusType("(sa(sv))")
        try runJob(
            "StartTransientUnit",
            [
                .string(unit), .string("replace"), UnitProperty.list(properties),
                .array(of: auxiliary ?? .variant, []),
            ])
    }

    /// Ends a unit and waits until it has ended.
    mutating func stopUnit(_ unit: String) throws(BusFailure) {
        try runJob("StopUnit", [.string(unit), .string("replace")])
    }

    /// Changes properties of a unit that runs; what is not named stays.
    mutating func setProperties(_ unit: String, _ properties: [UnitProperty]) throws(BusFailure) {
        // "true": until the unit ends, not beyond.
        _ = try call("SetUnitProperties", [.string(unit), .boolean(true), UnitProperty.list(properties)])
        // The answer comes before the group's files are written, which the next call's is behind.
        _ = try version()
    }

    /// Moves a process into a unit's group, where the caller may not do that itself.
    mutating func attach(_ pid: UInt32, to unit: String) throws(BusFailure) {
        _ = try call("AttachProcessesToUnit", [.string(unit), .string(""), .array(of: .uint32, [.uint32(pid)])])
    }

    mutating func resetFailedUnit(_ unit: String) throws(BusFailure) {
        _ = try call("ResetFailedUnit", [.string(unit)])
    }

    private mutating func call(_ member: String, _ body: [DBusValue]) throws(BusFailure) -> BusConnection.Answer {
        try bus.call(member, of: Self.interface, at: Self.path, to: Self.destination, body)
    }

    /// Calls a method that answers with a job, and waits for its end.
    private mutating func runJob(_ member: String, _ body: [DBusValue]) throws(BusFailure) {
        try bus.listen(
            "type='signal',sender='\(Self.destination)',path='\(Self.path)',interface='\(Self.interface)',"
                + "member='JobRemoved'")
        _ = try call("Subscribe", [])
        let answer = try call(member, body)
        guard case .objectPath(let job) = answer.values.first else {
            throw .refused("", "the answer names no job", of: member)
        }
        while true {
            let signal = try bus.signal("JobRemoved")
            // Anybody on the bus may send a signal to us: only the manager's own counts.
            guard signal.sender == answer.sender, signal.interface == Self.interface, signal.body.count == 4,
                signal.body[1] == .objectPath(job), let result = signal.body[3].text
            else { continue }
            if result == "done" { return }
            throw .refused("", "the job ended as \"\(result)\"", of: member)
        }
    }
}
