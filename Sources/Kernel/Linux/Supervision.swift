public import CLinux

/// Splits a process that has one thread: 0 in the child, the child's number in the parent.
///
/// Unlike `clone3` it passes a container's system call filter. C function: `clone(SIGCHLD)`.
public func splitProcess() throws(SystemError) -> pid_t { try check("clone") { skiff_fork() } }

/// Splits a process that has one thread; the new one is a child of the caller's own parent, and born in the pid namespace
/// that the caller has entered for its children.
///
/// Unlike `clone3` it passes a container's system call filter. C function: `clone(CLONE_PARENT | CLONE_PIDFD)`.
public func splitSibling() throws(SystemError) -> Cloned {
    var pidfd: Int32 = -1
    let pid = try check("clone") { skiff_fork_sibling(&pidfd) }
    return Cloned(pid: pid, pidfd: pidfd)
}

/// The same, with its number written where `number` says before it runs; a copy of this process does not see it there.
///
/// C function: `clone(CLONE_PARENT | CLONE_PARENT_SETTID)`.
///
/// - Returns: whether this is the new process.
public func splitSibling(telling number: UnsafeMutablePointer<pid_t>) throws(SystemError) -> Bool {
    try check("clone") { skiff_fork_sibling_telling(number) } == 0
}

/// Closes every descriptor from `first` on, whoever opened it.
///
/// C function: `close_range`.
public func closeDescriptors(from first: Int32) throws(SystemError) {
    try check("close_range") { close_range(UInt32(first), UInt32.max, 0) }
}

/// Closes every descriptor but one, whoever opened them.
///
/// C function: `close_range`.
public func closeDescriptors(except raw: Int32) throws(SystemError) {
    if raw > 0 { try check("close_range") { close_range(0, UInt32(raw) - 1, 0) } }
    try closeDescriptors(from: raw + 1)
}

/// Orphans below this process become its children, to be reaped by it.
///
/// C function: `prctl(PR_SET_CHILD_SUBREAPER)`.
public func becomeSubreaper() throws(SystemError) {
    try check("prctl(PR_SET_CHILD_SUBREAPER)") { skiff_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }
}

/// No process of the same user may trace this one or read its descriptors and memory.
///
/// C function: `prctl(PR_SET_DUMPABLE)`.
public func becomeUndumpable() throws(SystemError) {
    try check("prctl(PR_SET_DUMPABLE)") { skiff_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) }
}

/// Sends what fits; a vanished peer is `EPIPE` and no signal.
///
/// C function: `send(MSG_NOSIGNAL)`.
public func sendSome(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
    try check("send") { send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
}

/// Sends what fits of the bytes from an offset on.
///
/// C function: `send(MSG_NOSIGNAL)`.
public func sendSome(_ socket: Int32, _ bytes: [UInt8], from offset: Int) throws(SystemError) -> Int {
    try check("send") {
        bytes.withUnsafeBytes { buffer in
            let rest = UnsafeRawBufferPointer(rebasing: buffer[offset...])
            return send(socket, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
        }
    }
}

/// Writes what fits of the bytes from an offset on.
///
/// C function: `write`.
public func writeSome(_ raw: Int32, _ bytes: [UInt8], from offset: Int) throws(SystemError) -> Int {
    try check("write", "\(raw)") {
        bytes.withUnsafeBytes { buffer in
            let rest = UnsafeRawBufferPointer(rebasing: buffer[offset...])
            return CLinux.write(raw, rest.baseAddress, rest.count)
        }
    }
}

/// Writes a part of the bytes, however many calls that takes.
///
/// C function: `write`.
public func writeAll(_ raw: Int32, _ bytes: [UInt8], in range: Range<Int>) throws(SystemError) {
    var at = range.lowerBound
    while at < range.upperBound {
        at += try check("write", "\(raw)") {
            bytes.withUnsafeBytes { buffer in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[at..<range.upperBound])
                return CLinux.write(raw, rest.baseAddress, rest.count)
            }
        }
    }
}

/// Cuts a file of ours to a length.
///
/// C function: `ftruncate`.
public func truncate(_ raw: Int32, to length: Int64) throws(SystemError) {
    try check("ftruncate", "\(raw)") { ftruncate(raw, off_t(length)) }
}

/// The caller's user on the kernel's books.
///
/// C function: `geteuid`.
public func effectiveUser() -> uid_t { geteuid() }

/// Ends the process at once: no handlers run, nothing is flushed.
///
/// C function: `_exit`.
public func exitNow(_ code: Int32) -> Never { _exit(code) }

/// Takes a mount out of this namespace, at once, however busy it is.
///
/// C function: `umount2(MNT_DETACH)`.
public func detachMount(_ path: String) throws(SystemError) {
    try check("umount", path) { umount2(path, Int32(MNT_DETACH)) }
}

/// This process's number.
///
/// C function: `getpid`.
public func processNumber() -> pid_t { getpid() }

/// The number of this process's parent: another one's once that has ended.
///
/// C function: `getppid`.
public func parentProcessNumber() -> pid_t { getppid() }

/// Closes a descriptor that was handed over as a number.
///
/// C function: `close`.
public func closeDescriptor(_ raw: Int32) { _ = CLinux.close(raw) }
