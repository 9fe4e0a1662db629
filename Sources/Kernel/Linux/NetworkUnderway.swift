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
    /// Where the helper answers, and its number; -1 and 0 where there is none.
    private let channel: Int32
    private let helper: pid_t

    /// None at all: an optional's type would be made at run time for it.
    public init() { (channel, helper) = (-1, 0) }

    private init(channel: Int32, helper: pid_t) { (self.channel, self.helper) = (channel, helper) }

    deinit {
        settle()
        if channel >= 0 { _ = close(channel) }
    }

    /// Begins one, or none where no process can be made.
    ///
    /// Only in a process of one thread. C functions: `clone3`, `unshare(CLONE_NEWNET)`.
    public static func begin() -> NetworkUnderway {
        guard let ends = try? SocketPair(.messages).release() else { return NetworkUnderway() }
        guard let cloned = try? clone([]) else {
            _ = close(ends.first)
            _ = close(ends.second)
            return NetworkUnderway()
        }
        if cloned.isChild {
            do throws(SystemError) {
                try leave(.network)
                let socket = try anySocket()
                try sendMessage(ends.second, [0], descriptors: [socket.raw])
            } catch {
                try? sendMessage(ends.second, [UInt8(truncatingIfNeeded: error.errno)])
            }
            exitNow(0)
        }
        _ = close(ends.second)
        _ = close(cloned.pidfd)
        ProcessorSet.keepApart(cloned.pid)
        return NetworkUnderway(channel: ends.first, helper: cloned.pid)
    }

    public var isBegun: Bool { channel >= 0 }

    /// Waits for the namespace; once.
    public func finish() throws(SystemError) -> NewNetwork {
        guard var message = try receiveMessage(channel, limit: 1) else {
            throw SystemError("unshare", errno: EPIPE, subject: "net namespace")
        }
        guard let socket = message.descriptors.take() else {
            throw SystemError("unshare", errno: Int32(message.bytes[0]), subject: "net namespace")
        }
        return NewNetwork(socket: socket)
    }

    /// Lets go of one that nobody wants after all.
    public func abandon() {
        guard isBegun else { return }
        _ = try? finish()
        settle()
    }

    /// Waits until the helper has ended, which it does by itself, and reaps it: for who ends without taking apart what it holds.
    public func settle() { if helper > 0 { _ = try? waitForChild(helper) } }
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
