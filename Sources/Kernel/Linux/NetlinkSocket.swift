internal import CLinux

/// A netlink conversation with the kernel, in the network namespace of the thread that opened it.
///
/// The socket stays in that namespace whatever its thread does later, so one thread can speak to many namespaces. Not to be
/// used by two threads at a time: replies are told apart by sequence number, and strangers' are dropped.
public struct NetlinkSocket: ~Copyable, Sendable {
    public let descriptor: OwnedDescriptor
    private var sequence: UInt32 = 0

    /// - Parameter family: `NETLINK_ROUTE`, `NETLINK_NETFILTER`.
    public init(family: Int32 = Self.route) throws(SystemError) {
        let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = OwnedDescriptor(owning: try check("socket", "AF_NETLINK") { socket(AF_NETLINK, kind, family) })
        // Words for what was wrong, and attributes the kernel does not know refused instead of ignored.
        setOption(NETLINK_EXT_ACK)
        setOption(NETLINK_CAP_ACK)
        setOption(NETLINK_GET_STRICT_CHK)
    }

    public static let route: Int32 = NETLINK_ROUTE
    public static let netfilter: Int32 = NETLINK_NETFILTER

    private func setOption(_ option: Int32) {
        var on: Int32 = 1
        _ = setsockopt(descriptor.raw, SOL_NETLINK, option, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sends all messages in one datagram and waits until each is acknowledged.
    ///
    /// The kernel works through them in order and goes on after a refusal.
    /// - Throws: the first refusal, with the kernel's words where it has some; the caller undoes the others.
    public mutating func transact(_ messages: [NetlinkMessage]) throws(SystemError) {
        guard !messages.isEmpty else { return }
        let first = sequence &+ 1
        var datagram: [UInt8] = []
        for message in messages {
            sequence &+= 1
            datagram += message.finished(sequence: sequence, acknowledge: true)
        }
        try send(datagram)
        var open = messages.count
        var failure: SystemError?
        while open > 0 {
            for reply in NetlinkReply.parse(try receive()) where reply.type == UInt16(NLMSG_ERROR) {
                let index = Int(reply.sequence &- first)
                guard index < messages.count else { continue }
                open -= 1
                if let error = Self.error(in: reply), failure == nil {
                    failure = Self.refusal(error, type: messages[index].type)
                }
            }
        }
        if let failure { throw failure }
    }

    /// Sends one question and collects its answers: one, or all up to the end with `NLM_F_DUMP`.
    public mutating func query(_ message: NetlinkMessage) throws(SystemError) -> [NetlinkReply] {
        let isDump = message.flags & UInt16(NLM_F_DUMP) == UInt16(NLM_F_DUMP)
        sequence &+= 1
        try send(message.finished(sequence: sequence, acknowledge: !isDump))
        var replies: [NetlinkReply] = []
        while true {
            for reply in NetlinkReply.parse(try receive()) where reply.sequence == sequence {
                switch Int32(reply.type) {
                case NLMSG_DONE: return replies
                case NLMSG_ERROR:
                    if let error = Self.error(in: reply) { throw Self.refusal(error, type: message.type) }
                    return replies
                default: replies.append(reply)
                }
            }
        }
    }

    private func send(_ datagram: [UInt8]) throws(SystemError) {
        let count = try check("send", "netlink") { CLinux.send(descriptor.raw, datagram, datagram.count, 0) }
        if count != datagram.count { throw SystemError("send", errno: EMSGSIZE, subject: "netlink") }
    }

    private func receive() throws(SystemError) -> ArraySlice<UInt8> {
        // Dumps come in datagrams of at most 32 KiB (`netlink_dump`).
        let capacity = 32768
        var buffer = [UInt8](repeating: 0, count: capacity)
        let count = try check("recv", "netlink") { recv(descriptor.raw, &buffer, capacity, Int32(MSG_TRUNC)) }
        if count > capacity { throw SystemError("recv", errno: EMSGSIZE, subject: "netlink") }
        return buffer[..<count]
    }

    /// The number and the words of a refusal; nil for an acknowledgement.
    static func error(in reply: NetlinkReply) -> (errno: Int32, words: String?)? {
        guard reply.payload.count >= 4 else { return (EBADMSG, nil) }
        let number = -reply.payload.number(at: 0, Int32.self)
        guard number != 0 else { return nil }
        // With NETLINK_CAP_ACK only the header of the request follows, then the extended acknowledgement.
        let hasWords = reply.flags & UInt16(NLM_F_ACK_TLVS) != 0
        let words =
            hasWords
            ? reply.attributes(from: 4 + NetlinkMessage.headerLength).text(UInt16(NLMSGERR_ATTR_MSG.rawValue)) : nil
        return (number, words)
    }

    private static func refusal(_ error: (errno: Int32, words: String?), type: UInt16) -> SystemError {
        let name = RouteMessage.name(of: type)
        return SystemError("netlink", errno: error.errno, subject: error.words.map { "\(name) (\($0))" } ?? name)
    }
}

extension SystemError {
    /// No interface has that name.
    ///
    /// C constant: `ENODEV`.
    public var isNoSuchDevice: Bool { errno == ENODEV }
    /// There is no such file.
    ///
    /// C constant: `ENOENT`.
    public var isNoSuchFile: Bool { errno == ENOENT }
    /// Somebody has the port.
    ///
    /// C constant: `EADDRINUSE`.
    public var isAddressInUse: Bool { errno == EADDRINUSE }

    /// What ``NetlinkSocket`` reports of a link that should be there.
    public static func noSuchDevice(_ name: String) -> SystemError {
        SystemError("netlink", errno: ENODEV, subject: name)
    }
}
