internal import CLinux
internal import Linux
internal import OCI

/// Namespaces that are joined, opened before the process leaves the mount namespace in which their paths mean something.
struct JoinedNamespaces: Sendable {
    private struct Entry: Sendable {
        let kind: RuntimeSpec.Namespace.Kind
        let descriptor: SharedDescriptor
    }

    private var entries: [Entry] = []

    /// - Parameter override: a network namespace that is open already.
    init(
        _ joined: [(kind: RuntimeSpec.Namespace.Kind, path: String)], override: Int32?
    ) throws(RuntimeFailure) {
        for (kind, path) in joined {
            let descriptor = try step(.namespaces) { () throws(SystemError) in try open(path, O_RDONLY) }
            // Law 3: what is entered must be a namespace, whatever lies at the path now.
            let type = try step(.namespaces) { () throws(SystemError) in try fileSystemType(of: descriptor.raw) }
            guard type == Int(NSFS_MAGIC) else {
                throw RuntimeFailure(.namespaces, "\(path) is not a \(kind.rawValue) namespace")
            }
            entries.append(Entry(kind: kind, descriptor: SharedDescriptor(descriptor)))
        }
        if let override {
            let descriptor = try step(.namespaces) { () throws(SystemError) in try duplicate(override) }
            entries.append(Entry(kind: .network, descriptor: SharedDescriptor(descriptor)))
        }
    }

    /// In the parent: lets the next child be born in the pid namespace to join.
    func enterForChildren() throws(RuntimeFailure) -> Home {
        guard let target = entries.first(where: { $0.kind == .pid }) else { return Home(pid: nil) }
        return try step(.namespaces) { () throws(SystemError) in
            let own = try open("/proc/self/ns/pid", O_RDONLY)
            try enter(.pid, of: target.descriptor.raw)
            return Home(pid: SharedDescriptor(own))
        }
    }

    /// In the child: joins all but the pid namespace, in which it was born.
    func enterAll() throws(RuntimeFailure) {
        for entry in entries where entry.kind != .pid {
            try step(.namespaces) { () throws(SystemError) in
                do throws(SystemError) { try enter(entry.kind.flag, of: entry.descriptor.raw) } catch {
                    throw error.about("\(entry.kind.rawValue) namespace")
                }
            }
        }
    }

    /// The caller's own pid namespace for children, to be taken up again after the clone.
    struct Home: Sendable {
        fileprivate let pid: SharedDescriptor?

        func leave() throws(RuntimeFailure) {
            guard let pid else { return }
            try step(.namespaces) { () throws(SystemError) in try enter(.pid, of: pid.raw) }
        }
    }
}

/// Which ids inside a new user namespace are which outside.
struct IDMappings: Sendable {
    var uid: [RuntimeSpec.IDMapping]
    var gid: [RuntimeSpec.IDMapping]
    /// What the process cannot write itself once nobody may trace it: to the root of its user namespace its own procfs
    /// files belong to somebody else.
    var oomScoreAdjustment: Int32?

    /// Writes the maps of a child that waits for them.
    ///
    /// Files: `/proc/<pid>/{uid_map,gid_map,oom_score_adj}`, user_namespaces(7).
    func write(for pid: pid_t) throws(RuntimeFailure) {
        try step(.namespaces) { () throws(SystemError) in
            try writeControl("/proc/\(pid)/uid_map", Self.text(uid))
            try writeControl("/proc/\(pid)/gid_map", Self.text(gid))
            if let oomScoreAdjustment { try writeControl("/proc/\(pid)/oom_score_adj", "\(oomScoreAdjustment)") }
        }
    }

    private static func text(_ mappings: [RuntimeSpec.IDMapping]) -> String {
        mappings.map { "\($0.container) \($0.host) \($0.size)\n" }.joined()
    }
}
