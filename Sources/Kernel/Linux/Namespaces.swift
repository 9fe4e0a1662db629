public import CLinux

/// Kinds of namespaces, with the kernel's `CLONE_NEW…` numbers.
public struct Namespaces: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    private init(_ flag: Int32) { rawValue = UInt64(UInt32(bitPattern: flag)) }

    public static let mount = Namespaces(CLONE_NEWNS)
    public static let cgroup = Namespaces(CLONE_NEWCGROUP)
    public static let uts = Namespaces(CLONE_NEWUTS)
    public static let ipc = Namespaces(CLONE_NEWIPC)
    public static let user = Namespaces(CLONE_NEWUSER)
    public static let pid = Namespaces(CLONE_NEWPID)
    public static let network = Namespaces(CLONE_NEWNET)
    public static let time = Namespaces(CLONE_NEWTIME)

    /// As `/proc/<pid>/ns` has them, for messages.
    fileprivate var names: String {
        var names = ""
        func add(_ kind: Namespaces, _ name: String) {
            if contains(kind) { names += names.isEmpty ? name : ", \(name)" }
        }
        add(.network, "net")
        add(.mount, "mnt")
        add(.ipc, "ipc")
        add(.uts, "uts")
        add(.cgroup, "cgroup")
        add(.time, "time")
        add(.user, "user")
        add(.pid, "pid")
        return names
    }
}

/// Enters a namespace by its descriptor, or several of a process by its pidfd.
///
/// C function: `setns`.
///
/// A pid or time namespace is entered by the children only; a user namespace needs a process of one thread.
public func enter(_ namespaces: Namespaces, of descriptor: Int32) throws(SystemError) {
    try check("setns", "\(descriptor)") { setns(descriptor, Int32(truncatingIfNeeded: namespaces.rawValue)) }
}

/// Leaves namespaces for new ones.
///
/// C function: `unshare`.
public func leave(_ namespaces: Namespaces) throws(SystemError) {
    try check("unshare", "\(namespaces.names) namespace") { unshare(Int32(truncatingIfNeeded: namespaces.rawValue)) }
}

/// A process that was made, seen from both sides.
public struct Cloned: Sendable {
    /// The child's number; 0 in the child itself.
    public let pid: pid_t
    /// The child's descriptor, the parent's to own: see ``PidFD/init(owning:)``.
    public let pidfd: Int32

    public var isChild: Bool { pid == 0 }

    init(pid: pid_t, pidfd: Int32) {
        self.pid = pid
        self.pidfd = pidfd
    }
}

/// Makes a child in new namespaces, on v2 born in a cgroup, with a pidfd.
///
/// C function: `clone3`.
///
/// The child goes on in a copy of this process as after `fork`, but glibc does not know of it: only in a process of one
/// thread, and in the child no `abort`, `raise` or pthread call. Flush standard output first.
///
/// - Parameters:
///   - cgroup: a cgroup v2 directory (`CLONE_INTO_CGROUP`).
///   - asSibling: the new process becomes a child of the caller's own parent (`CLONE_PARENT`).
public func clone(_ namespaces: Namespaces, cgroup: Int32? = nil, asSibling: Bool = false) throws(SystemError) -> Cloned
{
    var pidfd: Int32 = -1
    var arguments = clone_args()
    arguments.flags = namespaces.rawValue | UInt64(CLONE_PIDFD)
    if asSibling {
        // How it ends is told as the caller's own end would be, which the kernel asks to be left open here.
        arguments.flags |= UInt64(CLONE_PARENT)
    } else {
        arguments.exit_signal = UInt64(SIGCHLD)
    }
    arguments.enter(cgroup)
    let pid = try withUnsafeMutablePointer(to: &pidfd) { (pointer) throws(SystemError) -> Int in
        arguments.pidfd = UInt64(UInt(bitPattern: pointer))
        return try check("clone3") { skiff_clone3(&arguments, MemoryLayout<clone_args>.size) }
    }
    return Cloned(pid: pid_t(pid), pidfd: pidfd)
}

extension clone_args {
    fileprivate mutating func enter(_ cgroup: Int32?) {
        guard let cgroup else { return }
        flags |= UInt64(CLONE_INTO_CGROUP)
        self.cgroup = UInt64(cgroup)
    }
}

/// Whether ``cloneSharingMemory(cgroup:_:)`` is there for this processor.
public var canShareMemory: Bool { skiff_can_clone_shared() != 0 }

/// Ends this process as a child in its memory has ended that was killed there, in the middle of what nobody knows.
///
/// Nothing in memory is made use of. The child's own child, 0 where it has made none, is ended with it.
///
/// C functions: `waitid`, `kill`, `write`, `_exit`.
public func endLike(_ child: pid_t, successor: pid_t, saying text: StaticString) -> Never {
    skiff_end_like(
        child, successor, UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), text.utf8CodeUnitCount)
}

/// Makes a child in this process's memory, which runs `body` while this process waits until it has ended.
///
/// That spares the kernel the copy, and the child the faults, of memory that it only reads. What it changes there is changed,
/// and what it had and did not give back stays; descriptors, directory, signal handlers, rights and namespaces are its own.
/// Only in a process of one thread without signal handlers, which could run in the child. Made undumpable the child makes this
/// process so, too; it cannot enter a time namespace. It is still to be waited for: ``PidFD/init(owning:)``.
///
/// C function: `clone3(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)`.
///
/// - Parameter cgroup: a cgroup v2 directory (`CLONE_INTO_CGROUP`).
/// - Throws: `ENOSYS` where ``canShareMemory`` is false.
public func cloneSharingMemory(
    cgroup: Int32? = nil, _ body: @escaping () -> Never
) throws(SystemError) -> Cloned {
    var pidfd: Int32 = -1
    var arguments = clone_args()
    arguments.flags = UInt64(CLONE_PIDFD)
    arguments.exit_signal = UInt64(SIGCHLD)
    arguments.enter(cgroup)
    var body = body
    let pid = try withUnsafeMutablePointer(to: &pidfd) { (pointer) throws(SystemError) -> Int in
        arguments.pidfd = UInt64(UInt(bitPattern: pointer))
        return try withUnsafeMutablePointer(to: &body) { (body) throws(SystemError) -> Int in
            try check("clone3") {
                skiff_clone_shared(
                    &arguments, { $0?.assumingMemoryBound(to: (() -> Never).self).pointee() }, body)
            }
        }
    }
    return Cloned(pid: pid_t(pid), pidfd: pidfd)
}

/// C function: `sethostname`.
public func setHostname(_ name: String) throws(SystemError) {
    try check("sethostname", name) { sethostname(name, name.utf8.count) }
}

/// C function: `setdomainname`.
public func setDomainname(_ name: String) throws(SystemError) {
    try check("setdomainname", name) { setdomainname(name, name.utf8.count) }
}

/// Moves this process, which has one thread, into a new time namespace whose clocks are ahead by some offsets.
///
/// C functions: `unshare(CLONE_NEWTIME)`, `setns`; file: `/proc/self/timens_offsets`, which takes them only while the
/// namespace is empty. See time_namespaces(7).
///
/// - Parameter file: that file, opened for writing; nil where there are no offsets.
public func enterNewTimeNamespace(offsets: String, through file: Int32?) throws(SystemError) {
    try leave(.time)
    if let file, !offsets.isEmpty {
        do throws(SystemError) { try writeAll(file, offsets) } catch {
            throw error.about("time offsets \(offsets.split(separator: "\n").joined(separator: ", "))")
        }
    }
    let namespace = try open("/proc/self/ns/time_for_children", O_RDONLY)
    try enter(.time, of: namespace.raw)
}
