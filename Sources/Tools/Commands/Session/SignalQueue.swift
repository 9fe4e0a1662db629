internal import CLinux
internal import Failures
internal import Linux

/// Signals that are taken from a queue instead of ending the program.
///
/// Made before the first thread starts, so that every thread has them blocked.
final class SignalQueue {
    private let descriptor: SignalFD

    /// What may be meant for the process in the container; what moves jobs of the shell stays ours.
    private static let forwarded: [Int32] = [
        SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH, SIGIO, SIGPWR, SIGVTALRM,
        SIGPROF,
    ]

    /// - Parameter proxied: whether signals go to the container; otherwise only window changes are taken.
    init(proxied: Bool) throws(Failure) {
        do { descriptor = try SignalFD(proxied ? Self.forwarded : [SIGWINCH]) } catch {
            throw Failure(.internal, "cannot take signals: \(error)", cause: error)
        }
    }

    /// Waits until bytes can be read from a socket, and tells of the signals that come before that.
    func wait(
        for socket: Int32, unless ready: Bool = false, _ onSignal: (Int32) -> Void
    ) throws(Failure) {
        do {
            while true {
                let events = try poll(
                    [(descriptor.raw, Int16(POLLIN)), (socket, Int16(POLLIN))], timeout: ready ? 0 : -1)
                while events[0] != 0, let signal = try descriptor.next() { onSignal(signal) }
                if ready || events[1] != 0 { return }
            }
        } catch {
            throw Failure(.internal, "cannot wait for the engine: \(error)", cause: error)
        }
    }
}
