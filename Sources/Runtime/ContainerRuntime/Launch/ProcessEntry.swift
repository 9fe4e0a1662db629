internal import CLinux
internal import Linux

/// The caller's children are born in a container's pid namespace until it steps out again.
struct ProcessEntry {
    private let home: SharedDescriptor?
    /// Whether it is left to a process on the way: only the container's user namespace gives the right to, or there would
    /// be no way back.
    let isRefused: Bool

    init(_ namespaces: Namespaces, of target: Int32) throws(RuntimeFailure) {
        guard namespaces.contains(.pid), !isInUserNamespace() else {
            (home, isRefused) = (nil, namespaces.contains(.pid))
            return
        }
        let own = try step(.namespaces) { () throws(SystemError) in
            SharedDescriptor(try open("/proc/self/ns/pid", O_RDONLY))
        }
        do throws(SystemError) { try enter(.pid, of: target) } catch {
            guard error.errno == EPERM, namespaces.contains(.user) else { throw RuntimeFailure(.namespaces, error) }
            (home, isRefused) = (nil, true)
            return
        }
        (home, isRefused) = (own, false)
    }

    func leave() throws(RuntimeFailure) {
        guard let home else { return }
        try step(.namespaces) { () throws(SystemError) in try enter(.pid, of: home.raw) }
    }
}
