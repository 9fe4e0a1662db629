internal import CLinux
internal import Linux
internal import OCI

/// The socket pair between the process that makes a container and the one that becomes it; see ``ContainerLaunch``.
struct LaunchChannel: ~Copyable {
    private let ours: OwnedDescriptor
    private let theirs: OwnedDescriptor

    private static let go: [UInt8] = [0xf0]
    static let ready: [UInt8] = [0xf1]

    init() throws(SystemError) {
        let ends = try SocketPair(.messages).release()
        ours = OwnedDescriptor(owning: ends.first)
        theirs = OwnedDescriptor(owning: ends.second)
    }

    /// The child's end.
    var childEnd: Int32 { theirs.raw }
    /// The parent's end, which the child must not keep.
    var parentEnd: Int32 { ours.raw }

    /// The parent's side of the exchange: maps, then waits until the child is at the gate or has become the program.
    consuming func follow(
        pid: pid_t, pidfd: consuming PidFD, mappings: IDMappings?, gated: Bool
    ) throws(RuntimeFailure) -> RunningProcess {
        // Without this the end of file would never come.
        let ours = consumeOurs()
        var master: Int32?
        do throws(RuntimeFailure) {
            if let mappings {
                try mappings.write(for: pid)
                try step(.namespaces) { () throws(SystemError) in try sendMessage(ours.raw, Self.go) }
            }
            while true {
                switch try Self.nextReply(ours.raw) {
                case .ended:
                    // The end of file means exec, but also death on the way there, of which nothing was said.
                    if gated { throw RuntimeFailure(.exec, "the container's process ended before its start") }
                    return RunningProcess(pid: pid, pidfd: pidfd, master: master)
                case .ready(let descriptor):
                    master = descriptor
                    if gated { return RunningProcess(pid: pid, pidfd: pidfd, master: master) }
                case .failed(let failure): throw failure
                }
            }
        } catch {
            if let master { _ = close(master) }
            try? pidfd.send(SIGKILL)
            _ = try? pidfd.wait()
            throw error
        }
    }

    private enum Reply {
        case ended
        case ready(master: Int32?)
        case failed(RuntimeFailure)
    }

    private static func nextReply(_ socket: Int32) throws(RuntimeFailure) -> Reply {
        let message = try step(.namespaces) { () throws(SystemError) in try receiveMessage(socket, limit: 8192) }
        switch consume message {
        case .none: return .ended
        case .some(let message): return interpret(message)
        }
    }

    private static func interpret(_ message: consuming ReceivedMessage) -> Reply {
        var message = message
        if message.bytes == ready { return .ready(master: message.descriptors.take()?.release()) }
        if let failure = RuntimeFailure(record: message.bytes) { return .failed(failure) }
        return .failed(RuntimeFailure(.exec, "unexpected message from the container's process"))
    }

    private consuming func consumeOurs() -> OwnedDescriptor { ours }

    /// In the child: waits until the parent has written the id maps.
    static func awaitGo(_ peer: Int32) throws(RuntimeFailure) {
        let bytes = try step(.namespaces) { () throws(SystemError) -> [UInt8] in
            guard let message = try receiveMessage(peer, limit: 64) else { return [] }
            return message.bytes
        }
        if bytes != go { throw RuntimeFailure(.namespaces, "the parent ended before the id maps were written") }
    }
}

/// The child's frame: does the work, and on a failure reports it and ends.
///
/// It does not return, though it does not say so: the compiler would find the caller's clean-up unreachable.
func runChild(_ channel: borrowing LaunchChannel, _ body: (Int32) throws(RuntimeFailure) -> Never) {
    let peer = channel.childEnd
    _ = close(channel.parentEnd)
    do { try body(peer) } catch {
        let failure = error
        do { try sendMessage(peer, error.record) } catch {
            // Behind the start gate nobody listens any more: whoever sees the program's messages sees why it is none.
            try? writeAll(2, failure.description + "\n")
        }
        exitNow(1)
    }
}
