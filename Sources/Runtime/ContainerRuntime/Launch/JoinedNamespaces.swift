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

    /// - Parameters:
    ///   - joined: those with a path.
    ///   - override: a network namespace that is open already.
    init(
        _ joined: [RuntimeSpec.Namespace], override: Int32?
    ) throws(RuntimeFailure) {
        for namespace in joined {
            let kind = namespace.kind
            guard let path = namespace.path else { continue }
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
        guard entries.contains(where: { $0.kind == kind }) else { return false }
        return try step(.namespaces) { () throws(SystemError) in
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
    ///
    /// - Parameter unprivileged: whether the child will be in another user namespace than this process, which gives it no
    ///   rights over namespaces of the host's: those that can be are entered here.
    func enterForChildren(unprivileged: Bool) throws(RuntimeFailure) -> Home {
        var home = Home()
        if unprivileged {
            for entry in entries where Self.ahead.contains(entry.kind) {
                guard let own = try? open("/proc/self/ns/\(entry.kind.procName)", O_RDONLY) else { continue }
                // It may be one that only the user namespace gives rights over: the child tries again.
                if (try? Linux.enter(entry.kind.flag, of: entry.descriptor.raw)) == nil { continue }
                home.left.append((entry.kind, SharedDescriptor(own)))
            }
        }
        guard let target = entries.first(where: { $0.kind == .pid }) else { return home }
        home.isRefused = true
        if isInUserNamespace() { return home }
        let own = try step(.namespaces) { () throws(SystemError) in try open("/proc/self/ns/pid", O_RDONLY) }
        do throws(SystemError) { try Linux.enter(.pid, of: target.descriptor.raw) } catch {
            if error.errno == EPERM, user != nil { return home }
            try? home.leave()
            throw RuntimeFailure(.namespaces, Self.explain(error, target))
        }
        home.left.append((.pid, SharedDescriptor(own)))
        home.isRefused = false
        return home
    }

    private static let ahead: Set<RuntimeSpec.Namespace.Kind> = [.network, .ipc, .uts]

    /// On the way, behind ``enterUser()``, or confined all but its rights: the same for the next child of this process.
    func enterProcesses() throws(RuntimeFailure) {
        for entry in entries where entry.kind == .pid { try Self.enter(entry) }
    }

    /// The user namespace to join, nil where none is.
    var user: Int32? { descriptor(.user)?.raw }

    /// The namespace of a kind that is joined, nil where none is.
    func descriptor(_ kind: RuntimeSpec.Namespace.Kind) -> SharedDescriptor? {
        entries.first { $0.kind == kind }?.descriptor
    }

    /// In a process on the way to the container's: joins the user namespace, so that what is made next belongs to it.
    func enterUser() throws(RuntimeFailure) {
        for entry in entries where entry.kind == .user { try Self.enter(entry) }
    }

    /// In the child: joins all but the user namespace, in which it is, and those in which it was born.
    func enterAll(besides home: Home) throws(RuntimeFailure) {
        for entry in entries where entry.kind != .pid && entry.kind != .user {
            if !home.left.contains(where: { $0.kind == entry.kind }) { try Self.enter(entry) }
        }
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

    /// The caller's own namespaces, to be taken up again after the clone.
    struct Home: Sendable {
        fileprivate var left: [(kind: RuntimeSpec.Namespace.Kind, own: SharedDescriptor)] = []
        /// Whether the pid namespace is left to a process on the way.
        fileprivate(set) var isRefused = false

        func leave() throws(RuntimeFailure) {
            try step(.namespaces) { () throws(SystemError) in
                for (kind, own) in left.reversed() { try Linux.enter(kind.flag, of: own.raw) }
            }
        }
    }
}
