internal import CLinux
internal import Linux
internal import OCI

/// The socket pair between the process that makes a container and the one that becomes it; see ``ContainerLaunch``.
struct LaunchChannel: ~Copyable {
    private let ours: OwnedDescriptor
    private let theirs: OwnedDescriptor

    private static let go: [UInt8] = [0xf0]
    static let ready: [UInt8] = [0xf1]
    /// What the child does not make by itself is made.
    ///
    /// With how many network namespaces there are, none or one, and attached
    /// that one and the files by which the child joins its groups.
    private static let made: UInt8 = 0xf5
    /// Everything is mounted; the child waits for "go".
    private static let mounted: [UInt8] = [0xf2]
    /// The filter is installed; with the descriptor by which its calls are told.
    static let listener: [UInt8] = [0xf3]
    /// The sender was on the way only; with the descriptor of the process that goes on, but see ``SharedHandover``.
    static let successor: [UInt8] = [0xf4]
    /// The owners of a mount are to be mapped; with the mount's place in the list behind it and the mount attached.
    private static let map: UInt8 = 0xf6

    init() throws(SystemError) {
        let ends = try SocketPair(.messages).release()
        ours = OwnedDescriptor(owning: ends.first)
        theirs = OwnedDescriptor(owning: ends.second)
    }

    /// The child's end.
    var childEnd: Int32 { theirs.raw }
    /// The parent's end, which the child must not keep.
    var parentEnd: Int32 { ours.raw }

    /// The parent's side of the exchange: does its duties, until the child is at the gate or has become the program.
    ///
    /// - Parameters:
    ///   - network: the child's network namespace, where it was begun elsewhere.
    ///   - finishGroup: makes what else the child waits for, and calls `hand` with the files by which it joins its groups; not
    ///     where the child waits for nothing.
    consuming func follow(
        pid: pid_t, pidfd: consuming PidFD, duties: LaunchDuties, network: NetworkUnderway = NetworkUnderway(),
        finishGroup: (_ hand: ([Int32]) throws(RuntimeFailure) -> Void) throws(RuntimeFailure) -> Void = {
            (_) throws(RuntimeFailure) in
        },
        meanwhile: (pid_t) throws(RuntimeFailure) -> Void = { (_) throws(RuntimeFailure) in }
    ) throws(RuntimeFailure) -> RunningProcess {
        // Without this the end of file would never come.
        let ours = consumeOurs()
        var child = RunningProcess(pid: pid, pidfd: pidfd, master: nil)
        do throws(RuntimeFailure) {
            if let mappings = duties.mappings, !duties.passesOn {
                try duties.adopter?.adopt(pid)
                try mappings.write(for: pid)
                try Self.letGo(ours.raw)
            }
            if duties.entry == .confined, let adopter = duties.adopter {
                try adopter.adopt(pid)
                try Self.letGo(ours.raw)
            }
            if duties.isApart { ProcessorSet.keepApart(pid) }
            try finishGroup { (files) throws(RuntimeFailure) in try Self.hand(files, network, to: ours.raw) }
            try meanwhile(pid)
            var isLast = false
            var listener: SharedDescriptor?
            while true {
                switch try isLast ? Self.lastReply(ours.raw, gated: duties.gated) : Self.nextReply(ours.raw) {
                case .ended:
                    // The end of file means exec, but also death on the way there, of which nothing was said.
                    if duties.gated { throw RuntimeFailure(.exec, "the container's process ended before its start") }
                    return child
                case .ready(let descriptor):
                    if let descriptor { child.take(master: descriptor) }
                    if duties.gated, isLast || duties.entry != .confined { return child }
                case .mounted:
                    try duties.perform(for: child.pid)
                    try Self.letGo(ours.raw)
                case .listener(let descriptor):
                    let owned = SharedDescriptor(OwnedDescriptor(owning: descriptor))
                    if duties.listenerWaits {
                        listener = owned
                    } else {
                        try duties.listener?.send(owned.raw, for: child.pid)
                    }
                case .successor(nil):
                    guard let handover = duties.handover else {
                        throw RuntimeFailure(.exec, "unexpected message from the container's process")
                    }
                    isLast = true
                    // Where it was not made, the reason comes next.
                    if handover.successor.pointee != 0 { try child.goOn(as: handover.successor.pointee) }
                case .successor(let descriptor?):
                    isLast = duties.entry == .confined
                    if isLast, listener == nil {
                        // It waits only until it is known that nothing more is to be believed.
                        try Self.letGo(ours.raw)
                        try child.goOn(through: descriptor)
                        continue
                    }
                    try child.goOn(through: descriptor)
                    if let listener { try duties.listener?.send(listener.raw, for: child.pid) }
                    listener = nil
                    if !isLast { try duties.adopter?.adopt(child.pid) }
                    try duties.mappings?.write(for: child.pid)
                    try Self.letGo(ours.raw)
                case .map(let number, let tree):
                    defer { _ = close(tree) }
                    guard let owners = duties.ownerNamespaces.first(where: { $0.number == number }) else {
                        throw RuntimeFailure(.mounts, "an id mapping that nobody asked for")
                    }
                    try owners.map(tree)
                    try Self.letGo(ours.raw)
                case .failed(let failure): throw failure
                }
            }
        } catch {
            child.end()
            throw error
        }
    }

    private enum Reply {
        case ended
        case ready(master: Int32?)
        case mounted
        case listener(Int32)
        case successor(Int32?)
        case map(number: Int, tree: Int32)
        case failed(RuntimeFailure)
    }

    private static func nextReply(_ socket: Int32) throws(RuntimeFailure) -> Reply {
        let message = try step(.namespaces) { () throws(SystemError) in
            do throws(SystemError) { return try receiveMessage(socket, limit: 8192) } catch {
                // The child has ended with something of ours unread: that is told once, and before its own last words.
                guard error.errno == ECONNRESET else { throw error }
                return try receiveMessage(socket, limit: 8192)
            }
        }
        switch consume message {
        case .none: return .ended
        case .some(let message): return interpret(message)
        }
    }

    /// What is left to a process that others may speak for, since they can trace it: its end, that it has failed, or that it
    /// is at the gate.
    private static func lastReply(_ socket: Int32, gated: Bool) throws(RuntimeFailure) -> Reply {
        let reply = try nextReply(socket)
        switch reply {
        case .ended, .failed: return reply
        case .ready(master: nil) where gated: return reply
        case .ready(master: let raw?), .listener(let raw), .successor(let raw?), .map(number: _, tree: let raw):
            _ = close(raw)
        case .ready(master: nil), .mounted, .successor(nil): break
        }
        return .failed(RuntimeFailure(.exec, "unexpected message from a process in the container"))
    }

    private static func interpret(_ message: consuming ReceivedMessage) -> Reply {
        var message = message
        let descriptor = message.descriptors.take()?.release()
        switch (message.bytes, descriptor) {
        case (ready, _): return .ready(master: descriptor)
        case (mounted, nil): return .mounted
        case (listener, let descriptor?): return .listener(descriptor)
        case (successor, let descriptor): return .successor(descriptor)
        case (let bytes, let descriptor?) where bytes.count == 3 && bytes[0] == map:
            return .map(number: Int(bytes[1]) << 8 | Int(bytes[2]), tree: descriptor)
        default:
            if let descriptor { _ = close(descriptor) }
            return .failed(
                RuntimeFailure(record: message.bytes)
                    ?? RuntimeFailure(.exec, "unexpected message from the container's process"))
        }
    }

    private consuming func consumeOurs() -> OwnedDescriptor { ours }

    private static func letGo(_ socket: Int32) throws(RuntimeFailure) {
        try step(.namespaces) { () throws(SystemError) in try sendMessage(socket, go) }
    }

    /// Hands over what the child waits for, its network namespace as soon as that is there.
    private static func hand(
        _ files: [Int32], _ network: NetworkUnderway, to child: Int32
    ) throws(RuntimeFailure) {
        guard network.isBegun else { return try hand(files, networks: 0, to: child) }
        do throws(RuntimeFailure) {
            let made = try step(.namespaces) { () throws(SystemError) in try network.finish() }
            let namespace = try step(.namespaces) { () throws(SystemError) in try made.namespace() }
            try hand([namespace.raw] + files, networks: 1, to: child)
            // The child goes on meanwhile.
            try step(.namespaces) { () throws(SystemError) in try made.bringUpLoopback() }
            network.settle()
        } catch { throw ContainerLaunch.explain(error, inUserNamespace: false) }
    }

    private static func hand(_ files: [Int32], networks: UInt8, to child: Int32) throws(RuntimeFailure) {
        try step(.cgroup) { () throws(SystemError) in
            do throws(SystemError) { try sendMessage(child, [made, networks], descriptors: files) } catch {
                // It has ended, and has said why.
                if error.errno != EPIPE { throw error }
            }
        }
    }

    /// In the child: waits for what it does not make by itself, enters its network namespace and joins its groups.
    static func awaitMade(_ peer: Int32) throws(RuntimeFailure) {
        let message = try step(.cgroup) { () throws(SystemError) in try receiveMessage(peer, limit: 64) }
        guard var message, message.bytes.count == 2, message.bytes[0] == made else {
            throw RuntimeFailure(.cgroup, "the parent ended while the container was being made")
        }
        if message.bytes[1] > 0, let network = message.descriptors.take() {
            try step(.namespaces) { () throws(SystemError) in try enter(.network, of: network.raw) }
        }
        try step(.cgroup) { () throws(SystemError) in
            while let file = message.descriptors.take() { try writeAll(file.raw, "0") }
        }
    }

    /// In the child: waits until the parent has done what is due.
    static func awaitGo(_ peer: Int32) throws(RuntimeFailure) {
        let bytes = try step(.namespaces) { () throws(SystemError) -> [UInt8] in
            guard let message = try receiveMessage(peer, limit: 64) else { return [] }
            return message.bytes
        }
        if bytes != go { throw RuntimeFailure(.namespaces, "the parent ended while the container was being made") }
    }

    /// In the child: has the parent map the owners of a mount, which this process may have no right to.
    static func askForOwners(_ peer: Int32, of tree: Int32, _ number: Int) throws(SystemError) {
        try sendMessage(peer, [map, UInt8(number >> 8 & 0xff), UInt8(number & 0xff)], descriptors: [tree])
        guard let answer = try receiveMessage(peer, limit: 64), answer.bytes == go else {
            throw SystemError("mount_setattr", errno: EPIPE, subject: "id mapping")
        }
    }

    /// In the child: everything is mounted; returns when the parent has done what is due.
    static func stopWhenMounted(_ peer: Int32) throws(RuntimeFailure) {
        try step(.namespaces) { () throws(SystemError) in try sendMessage(peer, mounted) }
        try awaitGo(peer)
    }
}

/// The child's frame: does the work, and on a failure reports it and ends.
///
/// It does not return, though it does not say so: the compiler would find the caller's clean-up unreachable.
func runChild(_ channel: borrowing LaunchChannel, _ body: (Int32) throws(RuntimeFailure) -> Never) {
    runChild(channel.childEnd, closing: channel.parentEnd, leaving: nil, body)
}

/// - Parameters:
///   - peer: the channel's end of the child.
///   - parentEnd: the other one.
///   - handover: of a child in its maker's memory.
func runChild(
    _ peer: Int32, closing parentEnd: Int32, leaving handover: SharedHandover?,
    _ body: (Int32) throws(RuntimeFailure) -> Never
) -> Never {
    _ = close(parentEnd)
    do { try body(peer) } catch {
        let failure = error
        do { try sendMessage(peer, error.record) } catch {
            // Behind the start gate nobody listens any more: whoever sees the program's messages sees why it is none.
            try? writeAll(2, failure.description + "\n")
        }
        handover?.leave(1)
        exitNow(1)
    }
}
