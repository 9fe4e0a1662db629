internal import CLinux
internal import Linux

/// When a process gets into a pid namespace that others are in already, who can see it from then on: that of the container
/// it enters, or the one that a container which is made shares.
///
/// One of these with `CAP_SYS_PTRACE` may trace whatever it can name by a number, undumpable or not, unless that comes from a
/// user namespace above its own (`__ptrace_may_access` in the kernel's `kernel/ptrace.c`). So where there is no user
/// namespace between the two, a process enters last: what is born in the pid namespace has the program's rights and no more,
/// under the program's filter, and nothing left to do but to become it.
enum PidEntry: Sendable, Equatable {
    /// The caller enters for the moment of the clone; or there is nothing to be entered.
    case atBirth
    /// A process on the way enters together with the user namespace, without which it has no right to.
    case onTheWay
    /// Confined, by ``splitConfined(_:procfs:hasTerminal:handover:)``.
    case confined

    /// - Parameter namespaces: those in which the container is not the caller's.
    static func isConfined(_ process: PlannedProcess, _ namespaces: Namespaces, terminal: Bool) -> Bool {
        guard namespaces.contains(.pid), !namespaces.contains(.user), process.attributes.areInherited else {
            return false
        }
        guard let filter = process.filter else { return true }
        // What is done once the filter holds; a program that may do none of it is let in at birth.
        let flags = [CLONE_PARENT | CLONE_PIDFD, CLONE_PARENT | CLONE_PARENT_SETTID]
        let calls = [SYS_sendmsg, SYS_recvmsg, SYS_setsid, SYS_exit_group]
        return flags.allSatisfy { FilterAnswer.lets(SYS_clone, UInt64(UInt32(bitPattern: $0)), in: filter) }
            && calls.allSatisfy { FilterAnswer.lets($0, in: filter) }
            && (!terminal || FilterAnswer.lets(SYS_ioctl, 0, UInt64(TIOCSCTTY), in: filter))
    }
}

extension PlannedProcess {
    /// Whether its filter is the last there is before the process in the pid namespace is made, which no call it tells of
    /// stands in the way of.
    var filtersLast: Bool {
        guard let filter, noNewPrivileges else { return false }
        let calls = [SYS_close, SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise]
        return calls.allSatisfy { FilterAnswer.lets($0, in: filter) }
    }
}

extension PlannedAttributes {
    /// Whether a child has them as well: with a deadline a process cannot have children, and some are asked to have none.
    fileprivate var areInherited: Bool {
        guard let scheduling else { return true }
        // SCHED_DEADLINE, SCHED_FLAG_RESET_ON_FORK; sched(7).
        return scheduling.policy != 6 && scheduling.flags & 1 == 0
    }
}

extension PidEntry {
    /// In the confined process: makes the one that becomes the program, in the container's pid namespace.
    ///
    /// Returns in that one, which has nothing of the host's but the channel, on which little is listened to.
    ///
    /// - Parameters:
    ///   - procfs: the host's.
    ///   - handover: where the memory is the maker's own, which waits: what is left there for it.
    static func splitConfined(
        _ peer: Int32, procfs: Int32?, hasTerminal: Bool, handover: SharedHandover? = nil
    ) throws(RuntimeFailure) {
        if let procfs { closeDescriptor(procfs) }
        forgetProgramArguments()
        if let handover {
            // What comes behind it is another's. Where the maker has ended, nobody is to start the program any more.
            try step(.namespaces) { () throws(SystemError) in try sendMessage(peer, LaunchChannel.successor) }
            let isChild = try step(.namespaces) { () throws(SystemError) in
                do throws(SystemError) { return try splitSibling(telling: handover.successor) } catch {
                    throw explain(error)
                }
            }
            guard isChild else { handover.leave(0) }
        } else {
            let cloned = try step(.namespaces) { () throws(SystemError) in
                do throws(SystemError) { return try splitSibling() } catch { throw explain(error) }
            }
            guard cloned.isChild else {
                try step(.namespaces) { () throws(SystemError) in
                    try sendMessage(peer, LaunchChannel.successor, descriptors: [cloned.pidfd])
                }
                exitNow(0)
            }
            try LaunchChannel.awaitGo(peer)
        }
        try step(.namespaces) { () throws(SystemError) in try startSession() }
        if hasTerminal { try step(.console) { () throws(SystemError) in try takeTerminal(0) } }
    }

    private static func explain(_ error: SystemError) -> SystemError {
        guard error.errno == EAGAIN else { return error }
        return error.about("who enters is two processes for a moment, and a limit of the container's has no room")
    }
}

/// What a confined process that is in its maker's memory leaves there, which the maker finds once that has ended.
///
/// Not in the properties themselves: to read one is an access that the runtime keeps count of, in memory both have.
final class SharedHandover {
    /// The number of the process that becomes the program, as the maker knows it; 0 where none was made.
    let successor: UnsafeMutablePointer<pid_t>
    /// Whether it has ended by itself, with nothing half done.
    private let hasLeft: UnsafeMutablePointer<Bool>
    /// The maker's, which the process that becomes the program is not to show.
    private let words: KeptProgramArguments

    init() throws(SystemError) {
        words = try KeptProgramArguments()
        successor = .allocate(capacity: 1)
        successor.initialize(to: 0)
        hasLeft = .allocate(capacity: 1)
        hasLeft.initialize(to: false)
    }

    deinit {
        successor.deallocate()
        hasLeft.deallocate()
    }

    /// In the confined process.
    func leave(_ code: Int32) -> Never {
        hasLeft.pointee = true
        exitNow(code)
    }

    /// In its maker, once it has ended: goes on only where memory is as somebody left it who knew.
    func takeOver(from child: pid_t) {
        if !hasLeft.pointee {
            endLike(child, successor: successor.pointee, saying: "exec: killed on the way into the container\n")
        }
        words.restore()
    }
}
