internal import CLinux

/// Descriptors that came with a message, owned until taken, in the order the sender named them.
public struct ReceivedDescriptors: ~Copyable, Sendable {
    private var numbers: [Int32]
    private var taken = 0

    init(_ numbers: [Int32]) { self.numbers = numbers }

    deinit { for raw in numbers[taken...] { _ = CLinux.close(raw) } }

    /// How many have not been taken.
    public var count: Int { numbers.count - taken }

    /// The next one, nil when none is left.
    public mutating func take() -> OwnedDescriptor? {
        guard taken < numbers.count else { return nil }
        taken += 1
        return OwnedDescriptor(owning: numbers[taken - 1])
    }
}

/// One datagram, with what came along.
public struct ReceivedMessage: ~Copyable, Sendable {
    public let bytes: [UInt8]
    public var descriptors: ReceivedDescriptors

    init(bytes: [UInt8], descriptors: consuming ReceivedDescriptors) {
        self.bytes = bytes
        self.descriptors = descriptors
    }
}

/// The most descriptors one message carries (`SCM_MAX_FD` of the kernel is 253).
public let maximumDescriptorsPerMessage = 64

/// A connected pair of local sockets, close-on-exec.
public struct SocketPair: ~Copyable, Sendable {
    public let first: OwnedDescriptor
    public let second: OwnedDescriptor

    /// What the bytes look like on the other side.
    public enum Kind: Sendable {
        /// A stream without boundaries. C: `SOCK_STREAM`.
        case stream
        /// Datagrams in order, each whole. C: `SOCK_SEQPACKET`.
        case messages
    }

    /// C function: `socketpair`.
    public init(_ kind: Kind) throws(SystemError) {
        var ends: (Int32, Int32) = (-1, -1)
        try check("socketpair") {
            withUnsafeMutablePointer(to: &ends) {
                $0.withMemoryRebound(to: Int32.self, capacity: 2) {
                    socketpair(AF_UNIX, kind.type | Int32(SOCK_CLOEXEC.rawValue), 0, $0)
                }
            }
        }
        first = OwnedDescriptor(owning: ends.0)
        second = OwnedDescriptor(owning: ends.1)
    }

    /// Gives both ends away: the caller owns the numbers.
    public consuming func release() -> (first: Int32, second: Int32) { (first.release(), second.release()) }
}

extension SocketPair.Kind {
    fileprivate var type: Int32 {
        switch self {
        case .stream: Int32(SOCK_STREAM.rawValue)
        case .messages: Int32(SOCK_SEQPACKET.rawValue)
        }
    }
}

/// Sends one message whole, with descriptors; the caller keeps its own.
///
/// C function: `sendmsg(MSG_NOSIGNAL)`.
///
/// - Throws: `EAGAIN` on a non-blocking socket whose peer does not read, `EPIPE` when it is gone, `EMSGSIZE`.
public func sendMessage(_ socket: Int32, _ bytes: [UInt8], descriptors: [Int32] = []) throws(SystemError) {
    precondition(descriptors.count <= maximumDescriptorsPerMessage)
    let space = descriptors.isEmpty ? 0 : skiff_cmsg_space(descriptors.count * MemoryLayout<Int32>.size)
    var control = [UInt8](repeating: 0, count: space)
    try check("sendmsg") {
        bytes.withUnsafeBytes { body in
            control.withUnsafeMutableBytes { control in
                var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: body.baseAddress), iov_len: body.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    if !descriptors.isEmpty {
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                        if let header = skiff_cmsg_first(&message) {
                            header.pointee.cmsg_level = SOL_SOCKET
                            header.pointee.cmsg_type = Int32(SCM_RIGHTS)
                            header.pointee.cmsg_len = skiff_cmsg_len(descriptors.count * MemoryLayout<Int32>.size)
                            descriptors.withUnsafeBytes {
                                skiff_cmsg_data(header).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
                            }
                        }
                    }
                    return sendmsg(socket, &message, Int32(MSG_NOSIGNAL))
                }
            }
        }
    }
}

/// Receives one message, nil at the end of the connection.
///
/// C function: `recvmsg(MSG_CMSG_CLOEXEC)`.
///
/// - Parameter limit: the most bytes; a longer datagram is refused whole (`EMSGSIZE`), its descriptors closed.
/// - Throws: `EAGAIN` on a non-blocking socket with nothing to read.
public func receiveMessage(_ socket: Int32, limit: Int) throws(SystemError) -> ReceivedMessage? {
    let space = skiff_cmsg_space(maximumDescriptorsPerMessage * MemoryLayout<Int32>.size)
    var control = [UInt8](repeating: 0, count: space)
    var numbers: [Int32] = []
    var flags: Int32 = 0
    var count = 0
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: limit) { body, initialized in
        do throws(SystemError) {
            count = try check("recvmsg") {
                control.withUnsafeMutableBytes { control in
                    var vector = iovec(iov_base: body.baseAddress, iov_len: limit)
                    return withUnsafeMutablePointer(to: &vector) { vector in
                        var message = msghdr()
                        message.msg_iov = vector
                        message.msg_iovlen = 1
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                        let count = recvmsg(socket, &message, Int32(MSG_CMSG_CLOEXEC))
                        if count >= 0 {
                            flags = message.msg_flags
                            collect(&message, into: &numbers)
                        }
                        return count
                    }
                }
            }
            initialized = count
        } catch {
            failure = error
        }
    }
    let descriptors = ReceivedDescriptors(numbers)
    if let failure { throw failure }
    if flags & Int32(MSG_TRUNC | MSG_CTRUNC) != 0 { throw SystemError("recvmsg", errno: EMSGSIZE) }
    if count == 0 && numbers.isEmpty { return nil }
    return ReceivedMessage(bytes: bytes, descriptors: descriptors)
}

private func collect(_ message: inout msghdr, into numbers: inout [Int32]) {
    var header = skiff_cmsg_first(&message)
    while let current = header {
        if current.pointee.cmsg_level == SOL_SOCKET, current.pointee.cmsg_type == Int32(SCM_RIGHTS) {
            let data = UnsafeRawBufferPointer(
                start: skiff_cmsg_data(current), count: current.pointee.cmsg_len - skiff_cmsg_len(0))
            for offset in stride(from: 0, to: data.count, by: MemoryLayout<Int32>.size) {
                numbers.append(data.loadUnaligned(fromByteOffset: offset, as: Int32.self))
            }
        }
        header = skiff_cmsg_next(&message, current)
    }
}
