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
                let message = try step(.namespaces) { () throws(SystemError) in
                    try receiveMessage(ours.raw, limit: 8192)
                }
                guard var message else {
                    // The end of file means exec, but also death on the way there, which nothing was said about.
                    if gated { throw RuntimeFailure(.exec, "the container's process ended before its start") }
                    return RunningProcess(pid: pid, pidfd: pidfd, master: master)
                }
                if message.bytes == Self.ready {
                    if let taken = message.descriptors.take() { master = taken.release() }
                    if gated { return RunningProcess(pid: pid, pidfd: pidfd, master: master) }
                } else if let failure = RuntimeFailure(record: message.bytes) {
                    throw failure
                } else {
                    throw RuntimeFailure(
                        .exec, "unexpected message of \(message.bytes.count) bytes from the container's process")
                }
            }
        } catch {
            if let master { _ = close(master) }
            try? pidfd.send(SIGKILL)
            _ = try? pidfd.wait()
            throw error
        }
    }

    private consuming func consumeOurs() -> OwnedDescriptor { ours }

    /// In the child: waits until the parent has written the id maps.
    static func awaitGo(_ peer: Int32) throws(RuntimeFailure) {
        let message = try step(.namespaces) { () throws(SystemError) in try receiveMessage(peer, limit: 64) }
        guard message?.bytes == go else {
            throw RuntimeFailure(.namespaces, "the parent ended before the id maps were written")
        }
    }
}

/// The child's frame: does the work, and on a failure reports it and ends.
func runChild(_ channel: borrowing LaunchChannel, _ body: (Int32) throws(RuntimeFailure) -> Never) -> Never {
    let peer = channel.childEnd
    _ = close(channel.parentEnd)
    do { try body(peer) } catch {
        try? sendMessage(peer, error.record)
        exitNow(1)
    }
}
