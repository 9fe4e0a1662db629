internal import DBus
internal import OCI

/// The device rules of a container as a unit has them.
///
/// A unit knows only what is allowed. What the document denies out of the middle of that is denied by the container's own
/// rules, in the group's files or its own program: the kernel opens a device only where both let it.
enum UnitDevices {
    /// - Parameter list: the container's rules in order, of which a first one may speak of everything.
    static func properties(_ list: [DeviceAccess]) -> [UnitProperty] {
        let type = DBusType.structure([.string, .string])
        let reset = UnitProperty("DeviceAllow", .array(of: type, []))
        guard list.first?.type != "a" || list.first?.allow != true else {
            return [UnitProperty("DevicePolicy", .string("auto")), reset]
        }
        let allowed = allowed(list).map { DBusValue.structure([.string(name($0)), .string($0.access)]) }
        // Setting the list adds to it, but an empty one clears it.
        return [
            UnitProperty("DevicePolicy", .string("strict")), reset,
            UnitProperty("DeviceAllow", .array(of: type, allowed)),
        ]
    }

    /// What is left allowed when the rules have been followed in order.
    static func allowed(_ list: [DeviceAccess]) -> [DeviceAccess] {
        var allowed: [DeviceAccess] = []
        for rule in list where rule.type != "a" {
            if rule.allow {
                if let index = allowed.firstIndex(where: { $0.isOf(rule) }) {
                    allowed[index].access += rule.access.filter { !allowed[index].access.contains($0) }
                } else {
                    allowed.append(rule)
                }
                continue
            }
            for index in allowed.indices.reversed() where rule.covers(allowed[index]) {
                allowed[index].access.removeAll { rule.access.contains($0) }
                if allowed[index].access.isEmpty { allowed.remove(at: index) }
            }
        }
        return allowed
    }

    /// systemd.resource-control(5), `DeviceAllow=`; a number is taken for a major since version 241.
    private static func name(_ rule: DeviceAccess) -> String {
        let kind = rule.type == "b" ? "block" : "char"
        guard let major = rule.major else { return kind + "-*" }
        guard let minor = rule.minor else { return "\(kind)-\(major)" }
        return "/dev/\(kind)/\(major):\(minor)"
    }
}

extension DeviceAccess {
    /// Whether both speak of the same nodes.
    fileprivate func isOf(_ other: DeviceAccess) -> Bool {
        type == other.type && major == other.major && minor == other.minor
    }

    /// Whether all nodes of the other are among this one's.
    fileprivate func covers(_ other: DeviceAccess) -> Bool {
        type == other.type && (major == nil || major == other.major) && (minor == nil || minor == other.minor)
    }
}
