internal import CLinux
internal import JSON
internal import Linux
public import OCI

/// Where an ordinary user may make groups.
///
/// Who moves a process from one group to another needs the right to write `cgroup.procs` of the nearest group above both.
/// So a group of the user's has to lie beside the one the user is in, below the same delegated one; or in it, where it gets
/// no controllers, because a group with processes hands none on.
/// Kernel documentation: admin-guide/cgroup-v2.rst, "Delegation Containment", "No Internal Process Constraint".
public enum DelegatedGroup {
    /// The group to make the container's in, as a path below the hierarchy's root, which is empty; nil where there is none.
    public static func parent(_ layout: CgroupLayout) -> String? {
        let own = ownPath((try? readText("/proc/self/cgroup")) ?? "", hierarchy: "0::")
        // On v1 each hierarchy has a path of its own: only a container's root is the same in all.
        if layout.isV1 { return own == "" && mayWrite(layout.hierarchies[0].mountPoint) ? "" : nil }
        return parent(of: own) { path in
            mayWrite(layout.unified + path) && mayWrite(layout.unified + path + "/cgroup.procs")
        }
    }

    /// - Parameters:
    ///   - own: the caller's group, empty at the root.
    ///   - isDelegated: whether the caller may make groups in one, and move processes within.
    static func parent(of own: String, isDelegated: (String) -> Bool) -> String? {
        let above = own.lastIndex(of: "/").map { String(own[..<$0]) }
        if let above, isDelegated(above) { return above }
        return isDelegated(own) ? own : nil
    }

    /// Whether the caller may put a process of its own into a group of the unified hierarchy.
    public static func mayEnter(_ path: String, _ layout: CgroupLayout) -> Bool {
        let own = ownPath((try? readText("/proc/self/cgroup")) ?? "", hierarchy: "0::")
        return mayWrite(layout.unified + commonGroup(own, path) + "/cgroup.procs")
    }

    /// The nearest group above both, or one of them; empty for the root.
    static func commonGroup(_ left: String, _ right: String) -> String {
        zip(left.split(separator: "/"), right.split(separator: "/")).prefix { $0 == $1 }.map { "/" + $0.0 }.joined()
    }

    /// The path of a line of `/proc/<pid>/cgroup`, empty at the hierarchy's root; cgroups(7).
    ///
    /// - Parameter hierarchy: what stands before the path: `0::` for the unified one, the controllers between their colons
    ///   for the others.
    static func ownPath(_ text: String, hierarchy: String) -> String {
        for line in text.split(separator: "\n") {
            // A v1 hierarchy's number tells nothing.
            let path = hierarchy.hasPrefix(":") ? line.drop { $0 != ":" } : line
            guard path.hasPrefix(hierarchy) else { continue }
            let own = String(path.dropFirst(hierarchy.count))
            return own == "/" ? "" : own
        }
        return ""
    }

    private static func mayWrite(_ path: String) -> Bool { access(path, W_OK) == 0 }
}

extension RuntimeSpec.Resources {
    /// The members that ask for something to be counted or limited, as the document names them.
    public var limitNames: [String] { json.objectValue?.keys.filter { $0 != "devices" }.sorted() ?? [] }
}
