public import CLinux

/// How a process ended.
public enum ProcessEnd: Sendable, Hashable {
    /// It called `exit` with this code, 0…255.
    case exited(Int32)
    /// This signal killed it.
    case killed(signal: Int32)

    /// The number a shell, and Docker, gives it: the code, or 128 + the signal.
    public var code: Int32 {
        switch self {
        case .exited(let code): code
        case .killed(let signal): 128 + signal
        }
    }

    /// The signal that killed it, if one did.
    public var signal: Int32? { if case .killed(let signal) = self { signal } else { nil } }
}

/// A process of ours by descriptor: readable when it has ended, and never somebody else's after the number was reused.
public struct PidFD: ~Copyable, Sendable {
    public let descriptor: OwnedDescriptor

    /// Takes over a descriptor that `clone3` gave.
    public init(owning descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// Opens a process by number; safe only for a child that has not been reaped.
    ///
    /// C function: `pidfd_open`.
    public init(_ pid: pid_t) throws(SystemError) {
        descriptor = OwnedDescriptor(owning: try check("pidfd_open", "\(pid)") { skiff_pidfd_open(pid, 0) })
    }

    public var raw: Int32 { descriptor.raw }

    /// Sends a signal; a process that has ended already is `ESRCH`.
    ///
    /// C function: `pidfd_send_signal`.
    public func send(_ signal: Int32) throws(SystemError) {
        try check("pidfd_send_signal") { skiff_pidfd_send_signal(raw, signal, nil, 0) }
    }

    /// Reaps the child if it has ended, nil while it runs.
    ///
    /// C function: `waitid(P_PIDFD, WNOHANG)`.
    public func reap() throws(SystemError) -> ProcessEnd? { try Linux.reap(P_PIDFD, id_t(raw), WEXITED | WNOHANG)?.end }

    /// Waits until the child has ended and reaps it.
    ///
    /// C function: `waitid(P_PIDFD)`.
    public func wait() throws(SystemError) -> ProcessEnd? { try Linux.reap(P_PIDFD, id_t(raw), WEXITED)?.end }
}

/// Reaps any one child that has ended: for a subreaper, which inherits processes nobody named.
///
/// C function: `waitid(P_ALL)`.
///
/// - Returns: nil when children run but none has ended, or when there are none.
public func reapAnyChild() throws(SystemError) -> (pid: pid_t, end: ProcessEnd)? {
    do { return try reap(P_ALL, 0, WEXITED | WNOHANG) } catch {
        if error.errno == ECHILD { return nil }
        throw error
    }
}

/// Waits until a child that nobody else reaps has ended, and reaps it.
///
/// C function: `waitid(P_PID)`.
@discardableResult
public func waitForChild(_ pid: pid_t) throws(SystemError) -> ProcessEnd? { try reap(P_PID, id_t(pid), WEXITED)?.end }

private func reap(_ kind: idtype_t, _ id: id_t, _ options: Int32) throws(SystemError) -> (pid: pid_t, end: ProcessEnd)?
{
    var information = siginfo_t()
    try check("waitid") { waitid(kind, id, &information, options) }
    let pid = skiff_siginfo_pid(&information)
    if pid == 0 { return nil }
    let status = skiff_siginfo_status(&information)
    return (pid, information.si_code == CLD_EXITED ? .exited(status) : .killed(signal: status))
}

/// Sends a signal to a process by number: only where the number is known to be alive.
///
/// C function: `kill`.
public func sendSignal(_ signal: Int32, to pid: pid_t) throws(SystemError) {
    try check("kill", "\(pid)") { kill(pid, signal) }
}
