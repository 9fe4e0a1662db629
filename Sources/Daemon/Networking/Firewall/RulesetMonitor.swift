internal import CLinux
internal import Linux
internal import Logging
internal import Synchronization

/// Tells when another program changes the table that `iptables` keeps: dockerd that starts after us, a firewall that is loaded anew.
///
/// Its thread waits in the kernel; nothing polls.
final class RulesetMonitor: Sendable {
    private let task: Task<Void, Never>
    private let running: Mutex<OwnedDescriptor?>

    /// - Parameters:
    ///   - socket: hears of changes in the host's network.
    ///   - changed: called after each change, and once for all that came while it ran.
    init(
        socket: consuming NetlinkSocket, logger: Logger, changed: @escaping @Sendable () async -> Void
    ) throws(SystemError) {
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let ends = try Pipe().release()
        running = Mutex(OwnedDescriptor(owning: ends.write))
        let source = Source(socket: socket, stopped: OwnedDescriptor(owning: ends.read))
        try startThread {
            do throws(SystemError) {
                while let isTold = try source.next() { if isTold { continuation.yield() } }
            } catch {
                logger.warning("changes of the packet filter are no longer heard of", metadata: ["error": "\(error)"])
            }
            continuation.finish()
        }
        task = Task { for await _ in changes { await changed() } }
    }

    /// Comes back when `changed` will not be called any more.
    func stop() async {
        // The thread sees the other end of its pipe go.
        running.withLock { $0 = nil }
        await task.value
    }

    /// What the thread listens to.
    private final class Source: Sendable {
        private let socket: NetlinkSocket
        private let stopped: OwnedDescriptor

        init(socket: consuming NetlinkSocket, stopped: consuming OwnedDescriptor) {
            self.socket = socket
            self.stopped = stopped
        }

        /// Waits for something to happen: whether it concerns us; nil at the end.
        func next() throws(SystemError) -> Bool? {
            let events = try poll([(socket.descriptor.raw, Int16(POLLIN)), (stopped.raw, Int16(POLLIN))])
            if events[1] != 0 { return nil }
            if events[0] == 0 { return false }
            guard let changes = try socket.rulesetChanges() else { return true }
            return changes.contains { $0.family == RulesetChange.ipv4 && $0.table == ForwardChain.table }
        }
    }
}
