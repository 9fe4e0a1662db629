internal import CLinux

/// A network namespace that is being made, loopback up, while the program's one thread does something else.
///
/// It takes the kernel longer than anything else a container needs. Only for a program of one thread, with the right to make
/// one:
/// ```
/// begin() ── the program goes on ── finish() ── clone() ── the child enters it
///    └ task: unshare(CLONE_NEWNET), RTM_NEWLINK, SIOCGSKNS, sends the descriptor, ends
/// ```
/// The task shares the program's memory. A clone write-protects that, and every page the program then writes to has to be
/// told to the task's processor as well: so it is waited for before.
public final class NetworkUnderway: Sendable {
    private let receiving: OwnedDescriptor
    private let sending: OwnedDescriptor

    /// Begins one; nil where that cannot be done beside the program, and whoever needs one makes it alone.
    ///
    /// C functions: `clone(CLONE_THREAD)`, `unshare(CLONE_NEWNET)`.
    public static func begin() -> NetworkUnderway? {
        guard let ends = try? SocketPair(.messages).release() else { return nil }
        let underway = NetworkUnderway(
            receiving: OwnedDescriptor(owning: ends.first), sending: OwnedDescriptor(owning: ends.second))
        return skiff_begin_network(underway.sending.raw) == 0 ? underway : nil
    }

    private init(receiving: consuming OwnedDescriptor, sending: consuming OwnedDescriptor) {
        self.receiving = receiving
        self.sending = sending
    }

    // The task uses descriptors and memory until its end.
    deinit { skiff_await_network() }

    /// Waits for the namespace; once.
    public func finish() throws(SystemError) -> OwnedDescriptor {
        skiff_await_network()
        guard var message = try receiveMessage(receiving.raw, limit: 2), message.bytes.count == 2 else {
            throw SystemError("unshare", errno: EPIPE, subject: "network namespace")
        }
        guard let namespace = message.descriptors.take() else {
            throw SystemError(
                Self.call(message.bytes[0]), errno: Int32(message.bytes[1]), subject: "network namespace")
        }
        return namespace
    }

    private static func call(_ step: UInt8) -> StaticString {
        switch step {
        case 1: "unshare"
        case 2: "socket"
        case 3: "netlink"
        default: "ioctl(SIOCGSKNS)"
        }
    }
}
