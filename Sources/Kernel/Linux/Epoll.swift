internal import CLinux

/// What a descriptor is watched for, and what it then is.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    private init(_ events: EPOLL_EVENTS) { rawValue = events.rawValue }

    public static let readable = Readiness(EPOLLIN)
    public static let writable = Readiness(EPOLLOUT)
    /// Out-of-band conditions, such as a change of a cgroup's event file.
    ///
    /// C: `EPOLLPRI`.
    public static let priority = Readiness(EPOLLPRI)
    /// The peer closed its sending half.
    ///
    /// C: `EPOLLRDHUP`.
    public static let peerClosed = Readiness(EPOLLRDHUP)
    /// Both directions are over; reported without being asked for.
    ///
    /// C: `EPOLLHUP`.
    public static let hangUp = Readiness(EPOLLHUP)
    /// Reported without being asked for.
    ///
    /// C: `EPOLLERR`.
    public static let failed = Readiness(EPOLLERR)

    /// There is something to `read`: bytes, the end, or an error.
    public var canRead: Bool { !isDisjoint(with: [.readable, .hangUp, .failed]) }
    /// A `write` will say something other than "later".
    public var canWrite: Bool { !isDisjoint(with: [.writable, .hangUp, .failed]) }
}

/// One set of watched descriptors, level-triggered, each under a token of the caller's.
public struct Epoll: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// C function: `epoll_create1`.
    public init() throws(SystemError) {
        descriptor = OwnedDescriptor(owning: try check("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
    }

    /// The epoll's own number, itself watchable.
    public var raw: Int32 { descriptor.raw }

    /// C function: `epoll_ctl(EPOLL_CTL_ADD)`.
    public func add(_ raw: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, raw, interest, token)
    }

    /// C function: `epoll_ctl(EPOLL_CTL_MOD)`.
    public func change(_ raw: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_MOD, raw, interest, token)
    }

    /// Forgets a descriptor; needed before it is closed while a duplicate lives.
    ///
    /// C function: `epoll_ctl(EPOLL_CTL_DEL)`.
    public func remove(_ raw: Int32) throws(SystemError) { try control(EPOLL_CTL_DEL, raw, [], 0) }

    private func control(_ operation: Int32, _ raw: Int32, _ interest: Readiness, _ token: UInt64) throws(SystemError) {
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
        try check("epoll_ctl", "\(raw)") { epoll_ctl(descriptor.raw, operation, raw, &event) }
    }

    /// Waits until something is ready and hands over up to 32 of them; an interrupted wait hands over none.
    ///
    /// - Parameter timeout: milliseconds, -1 for ever.
    /// - Returns: how many were ready. C function: `epoll_wait`.
    @discardableResult
    public func wait(timeout: Int32 = -1, _ body: (_ token: UInt64, _ readiness: Readiness) -> Void) throws(SystemError)
        -> Int
    {
        let capacity = 32
        var ready: [(UInt64, UInt32)] = []
        var number: Int32 = 0
        let count = withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) { events in
            let count = epoll_wait(descriptor.raw, events.baseAddress, Int32(capacity), timeout)
            if count < 0 { number = skiff_errno() }
            for index in 0..<max(0, Int(count)) { ready.append((events[index].data.u64, events[index].events)) }
            return count
        }
        if count < 0 {
            if number == EINTR { return 0 }
            throw SystemError("epoll_wait", errno: number)
        }
        for (token, events) in ready { body(token, Readiness(rawValue: events)) }
        return Int(count)
    }
}

/// A counter that wakes an epoll from another thread.
///
/// C function: `eventfd`.
public struct EventFD: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    public init() throws(SystemError) {
        descriptor = OwnedDescriptor(
            owning: try check("eventfd") { eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) })
    }

    public var raw: Int32 { descriptor.raw }

    /// Adds one; readable until drained.
    public func signal() { _ = eventfd_write(descriptor.raw, 1) }

    /// Takes what was added, 0 if nothing was.
    @discardableResult
    public func drain() -> UInt64 {
        var value: eventfd_t = 0
        return eventfd_read(descriptor.raw, &value) == 0 ? UInt64(value) : 0
    }
}
