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

    /// Whether the namespace of a kind that is joined is the caller's own, which to the container is the host's.
    func isCallers(_ kind: RuntimeSpec.Namespace.Kind) throws(RuntimeFailure) -> Bool {
        try step(.namespaces) { () throws(SystemError) in
            let own = try status("/proc/self/ns/\(kind.procName)", follow: true)
            for entry in entries where entry.kind == kind {
                let joined = try status(of: entry.descriptor.raw)
                if joined.st_dev == own.st_dev, joined.st_ino == own.st_ino { return true }
            }
            return false
        }
    }

    /// In the parent: lets the next child be born in the pid namespace to join.
    ///
    /// - Returns: with ``Home/isRefused`` where only the user namespace to join gives the right to, or where there would be no
    ///   way back: it asks for rights over the caller's own pid namespace.
    func enterForChildren() throws(RuntimeFailure) -> Home {
        guard let target = entries.first(where: { $0.kind == .pid }) else { return Home(pid: nil, isRefused: false) }
        if isInUserNamespace() { return Home(pid: nil, isRefused: true) }
        let own = try step(.namespaces) { () throws(SystemError) in try open("/proc/self/ns/pid", O_RDONLY) }
        do throws(SystemError) { try Linux.enter(.pid, of: target.descriptor.raw) } catch {
            if error.errno == EPERM, user != nil { return Home(pid: nil, isRefused: true) }
            throw RuntimeFailure(.namespaces, Self.explain(error, target))
        }
        return Home(pid: SharedDescriptor(own), isRefused: false)
    }

    /// On the way, behind ``enterUser()``: the same for the next child of this process.
    func enterProcesses() throws(RuntimeFailure) {
        for entry in entries where entry.kind == .pid { try Self.enter(entry) }
    }

    /// The user namespace to join, nil where none is.
    var user: Int32? { entries.first { $0.kind == .user }?.descriptor.raw }

    /// In a process on the way to the container's: joins the user namespace, so that what is made next belongs to it.
    func enterUser() throws(RuntimeFailure) {
        for entry in entries where entry.kind == .user { try Self.enter(entry) }
    }

    /// In the child: joins all but the user namespace, in which it is, and the pid namespace, in which it was born.
    func enterAll() throws(RuntimeFailure) {
        for entry in entries where entry.kind != .pid && entry.kind != .user { try Self.enter(entry) }
    }

    private static func enter(_ entry: Entry) throws(RuntimeFailure) {
        try step(.namespaces) { () throws(SystemError) in
            do throws(SystemError) { try Linux.enter(entry.kind.flag, of: entry.descriptor.raw) } catch {
                throw explain(error, entry)
            }
        }
    }

    private static func explain(_ error: SystemError, _ entry: Entry) -> SystemError {
        let owner = error.errno == EPERM && entry.kind != .user ? ", which another user namespace owns" : ""
        return error.about("\(entry.kind.rawValue) namespace\(owner)")
    }

    /// The caller's own pid namespace for children, to be taken up again after the clone.
    struct Home: Sendable {
        fileprivate let pid: SharedDescriptor?
        /// Whether it is left to a process on the way.
        let isRefused: Bool

        func leave() throws(RuntimeFailure) {
            guard let pid else { return }
            try step(.namespaces) { () throws(SystemError) in try Linux.enter(.pid, of: pid.raw) }
        }
    }
}
