internal import CLinux

/// A network namespace that another process makes, while this one goes on.
///
/// It takes the kernel longer than anything else a container needs.
/// ```
/// begin() ─────── goes on ─────── finish() ─▶ NewNetwork
///    └ helper, on another processor: unshare(CLONE_NEWNET), socket, sends the socket, ends
/// ```
/// The helper is a copy of this process and not a thread of it: of memory that two processors use, each page that is written to
/// for the first time has to be told to the other one, 11 µs on a virtual machine where all else about it is one.
public final class NetworkUnderway: Sendable {
    private let channel: OwnedDescriptor
    private let helper: PidFD

    /// Begins one; nil where no process can be made.
    ///
    /// Only in a process of one thread. C functions: `clone3`, `unshare(CLONE_NEWNET)`.
    public static func begin() -> NetworkUnderway? {
        guard let pair = try? SocketPair(.messages) else { return nil }
        let ends = pair.release()
        let ours = OwnedDescriptor(owning: ends.first), theirs = OwnedDescriptor(owning: ends.second)
        guard let cloned = try? clone([]) else { return nil }
        if cloned.isChild {
            do throws(SystemError) {
                try leave(.network)
                let socket = try anySocket()
                try sendMessage(theirs.raw, [0], descriptors: [socket.raw])
            } catch {
                try? sendMessage(theirs.raw, [UInt8(truncatingIfNeeded: error.errno)])
            }
            exitNow(0)
        }
        ProcessorSet.keepApart(cloned.pid)
        return NetworkUnderway(ours, PidFD(owning: OwnedDescriptor(owning: cloned.pidfd)))
    }

    private init(_ channel: consuming OwnedDescriptor, _ helper: consuming PidFD) {
        self.channel = channel
        self.helper = helper
    }

    deinit { settle() }

    /// Waits until the helper has ended, which it does by itself, and reaps it: for who ends without taking apart what it holds.
    public func settle() { _ = try? helper.wait() }

    /// Waits for the namespace; once.
    public func finish() throws(SystemError) -> NewNetwork {
        guard var message = try receiveMessage(channel.raw, limit: 1) else {
            throw SystemError("unshare", errno: EPIPE, subject: "net namespace")
        }
        guard let socket = message.descriptors.take() else {
            throw SystemError("unshare", errno: Int32(message.bytes[0]), subject: "net namespace")
        }
        return NewNetwork(socket: socket)
    }
}

/// A network namespace that only a socket is in yet.
///
/// A socket knows its namespace: no path is asked for it, in whatever procfs there is.
public struct NewNetwork: ~Copyable, Sendable {
    let socket: OwnedDescriptor

    /// The namespace as others join it.
    ///
    /// C function: `ioctl(SIOCGSKNS)`.
    public func namespace() throws(SystemError) -> OwnedDescriptor {
        OwnedDescriptor(owning: Int32(try check("ioctl(SIOCGSKNS)") { skiff_network_of(socket.raw) }))
    }

    /// C function: `ioctl(SIOCSIFFLAGS)`.
    public func bringUpLoopback() throws(SystemError) { try Linux.bringUpLoopback(through: socket.raw) }
}
