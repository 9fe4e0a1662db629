internal import OCI

/// One line of the device controller's list, in the kernel's own order of evaluation.
typealias DeviceAccess = RuntimeSpec.Resources.DeviceRule

extension DeviceAccess {
    /// The text of v1's `devices.allow` and `devices.deny`.
    var text: String {
        if type == "a" { return "a" }
        return "\(type) \(major.map { "\($0)" } ?? "*"):\(minor.map { "\($0)" } ?? "*") \(access)"
    }

    /// The document's rules with what every container must have.
    ///
    /// The list always starts with "deny all": a document without rules is not an invitation (GHSA-g54h-m393-cpwq). Only a
    /// document that allows everything, a privileged container's, gets everything.
    static func list(for rules: [DeviceAccess]) -> [DeviceAccess] {
        var list = [DeviceAccess(allow: false)]
        func append(_ rule: DeviceAccess) {
            if rule.type == "a", rule.major == nil, rule.minor == nil {
                // It makes what came before pointless, but a partial "all" does not.
                if rule.access.count == 3 {
                    list = [rule]
                    return
                }
                for type in ["b", "c"] {
                    var part = rule
                    part.type = type
                    list.append(part)
                }
                return
            }
            if !list.contains(rule) { list.append(rule) }
        }
        for rule in rules { append(rule) }
        if list == [DeviceAccess(allow: true)] { return list }
        for rule in required where !list.contains(rule) { list.append(rule) }
        return list
    }

    /// Nodes may be made, though not opened; the standard devices and terminals may be used.
    ///
    /// See runc's and crun's default lists, which agree.
    private static let required: [DeviceAccess] =
        ["c", "b"].map { DeviceAccess(allow: true, type: $0, access: "m") }
        + [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)].map {
            DeviceAccess(allow: true, type: "c", major: $0.0, minor: $0.1, access: "rwm")
        } + [DeviceAccess(allow: true, type: "c", major: 136, access: "rwm")]
}
