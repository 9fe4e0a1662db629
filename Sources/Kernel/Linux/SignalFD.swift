internal import CLinux

/// Signals as readable events, for a single-threaded loop: nothing runs in a handler.
public struct SignalFD: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// Blocks the signals for this thread and makes them readable.
    ///
    /// C functions: `sigprocmask`, `signalfd`.
    public init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        try check("sigprocmask") { sigprocmask(SIG_BLOCK, &set, nil) }
        descriptor = OwnedDescriptor(
            owning: try check("signalfd") {
                signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
            })
    }

    public var raw: Int32 { descriptor.raw }

    /// The next pending signal's number, nil when there is none.
    ///
    /// Equal signals arrive once however often they were sent.
    public func next() throws(SystemError) -> Int32? {
        var information = signalfd_siginfo()
        do {
            try check("read") { CLinux.read(descriptor.raw, &information, MemoryLayout<signalfd_siginfo>.size) }
            return Int32(bitPattern: information.ssi_signo)
        } catch {
            if error.errno == EAGAIN { return nil }
            throw error
        }
    }
}

/// Makes writes to closed pipes fail with `EPIPE` instead of ending the process; inherited over exec, so a child must
/// be given its default back.
///
/// C function: `signal`.
public func ignoreBrokenPipes() { skiff_ignore_signal(SIGPIPE) }
