internal import CLinux

/// A network namespace of its own, with loopback up and a netlink socket inside.
///
/// A thread cannot go back from a new namespace without the right to its old one, and a pool's thread that stayed in the
/// wrong one would poison whoever uses it next. So everything here runs on a thread made for it, which ends with it.
/// The namespace lives as long as a descriptor, a process or a socket in it does.
public struct NetworkNamespace: ~Copyable, Sendable {
    public let descriptor: OwnedDescriptor
    public var netlink: NetlinkSocket

    private init(descriptor: consuming OwnedDescriptor, netlink: consuming NetlinkSocket) {
        self.descriptor = descriptor
        self.netlink = netlink
    }

    /// A new one: loopback is up; interfaces added later have no IPv6, and hear no router advertisements (a neighbour's
    /// would take over the container's routes: CVE-2020-13401).
    ///
    /// C function: `unshare(CLONE_NEWNET)`.
    public static func make() throws(SystemError) -> NetworkNamespace {
        try onOwnThread { () throws(SystemError) -> NetworkNamespace in
            try check("unshare", "CLONE_NEWNET") { unshare(CLONE_NEWNET) }
            let descriptor = try open("/proc/thread-self/ns/net", O_RDONLY)
            var netlink = try NetlinkSocket()
            try netlink.transact([RouteMessage.setUp(1)])
            // No such file when the kernel has no IPv6, which serves as well.
            for (name, value) in [("disable_ipv6", "1"), ("accept_ra", "0")] {
                do throws(SystemError) { try writeControl("/proc/sys/net/ipv6/conf/default/\(name)", value) } catch {
                    if error.errno != ENOENT { throw error }
                }
            }
            return NetworkNamespace(descriptor: descriptor, netlink: netlink)
        }
    }

    /// The one a process lives in.
    ///
    /// C function: `setns(CLONE_NEWNET)`.
    public static func of(pid: Int32) throws(SystemError) -> NetworkNamespace {
        let descriptor = try open("/proc/\(pid)/ns/net", O_RDONLY)
        let netlink = try run(in: descriptor.raw) { () throws(SystemError) -> NetlinkSocket in try NetlinkSocket() }
        return NetworkNamespace(descriptor: descriptor, netlink: netlink)
    }

    /// Runs `body` in a namespace, on a thread that lives only for it: for sockets, which stay in the namespace they were made in.
    public static func run<Value: ~Copyable>(
        in namespace: Int32, _ body: () throws(SystemError) -> Value
    ) throws(SystemError) -> Value {
        try onOwnThread { () throws(SystemError) -> Value in
            try check("setns", "CLONE_NEWNET") { setns(namespace, CLONE_NEWNET) }
            return try body()
        }
    }

    /// Moves the calling thread for good: only for a thread that belongs to the caller.
    ///
    /// C function: `setns(CLONE_NEWNET)`.
    public static func moveThread(to namespace: Int32) throws(SystemError) {
        try check("setns", "CLONE_NEWNET") { setns(namespace, CLONE_NEWNET) }
    }
}

/// What a thread is given and gives back.
///
/// The maker waits for the thread's end before it looks, so they never touch it at once.
private final class ThreadWork {
    var run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

/// Runs `body` on a new thread and waits for it.
///
/// C functions: `pthread_create`, `pthread_join`.
private func onOwnThread<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value {
    var outcome: Result<Value, SystemError>?
    let failed = withoutActuallyEscaping(body) { body -> Int32 in
        withUnsafeMutablePointer(to: &outcome) { slot in
            let work = Unmanaged.passRetained(
                ThreadWork {
                    do throws(SystemError) { slot.pointee = .success(try body()) } catch {
                        slot.pointee = .failure(error)
                    }
                })
            var thread = pthread_t()
            let failed = pthread_create(
                &thread, nil,
                { raw in
                    if let raw { Unmanaged<ThreadWork>.fromOpaque(raw).takeUnretainedValue().run() }
                    return nil
                }, work.toOpaque())
            if failed == 0 { pthread_join(thread, nil) }
            work.release()
            return failed
        }
    }
    if failed != 0 { throw SystemError("pthread_create", errno: failed) }
    guard let outcome = consume outcome else { throw SystemError("pthread_create", errno: ESRCH) }
    return try outcome.get()
}
