internal import CLinux
internal import Linux
internal import ShimProtocol

/// One daemon that listens: requests in, events out, neither waits for the other.
final class Connection {
    private let socket: OwnedDescriptor
    private var watch: Watch?
    private var queue: [ShimWire.Datagram] = []
    private(set) var isOpen = true

    /// A daemon that lets this many events lie is gone for all we know.
    private static let queueLimit = 1024

    var onRequest: ((ShimWire.Tagged<ShimRequest>, inout ReceivedDescriptors) -> Void)?
    var onMalformed: ((ShimWire.Malformed) -> Void)?
    var onClosed: ((Connection) -> Void)?

    init(_ socket: consuming OwnedDescriptor, _ loop: EventLoop) throws(SystemError) {
        try setNonBlocking(socket.raw)
        self.socket = socket
        watch = try loop.watch(self.socket.raw, [.readable]) { [unowned self] in ready($0) }
    }

    func send(_ event: ShimEvent, tag: UInt32 = 0) {
        guard isOpen else { return }
        let datagram = ShimWire.encode(ShimWire.Tagged(tag: tag, event))
        if queue.isEmpty, transmit(datagram) { return }
        guard isOpen, queue.count < Self.queueLimit else { return close() }
        queue.append(datagram)
        watch?.change([.readable, .writable])
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        watch?.cancel()
        watch = nil
        queue = []
        shutDown(socket.raw, reading: true, writing: true)
        let closed = onClosed
        (onRequest, onMalformed, onClosed) = (nil, nil, nil)
        closed?(self)
    }

    /// False when it has to be tried again later.
    private func transmit(_ datagram: ShimWire.Datagram) -> Bool {
        do {
            if let payload = datagram.payload {
                let file = try sealedMemoryFile("event", payload)
                try sendMessage(socket.raw, datagram.bytes, descriptors: [file.raw])
            } else {
                try sendMessage(socket.raw, datagram.bytes)
            }
            return true
        } catch {
            if error.errno == EAGAIN { return false }
            close()
            return true
        }
    }

    private func ready(_ readiness: Readiness) {
        if readiness.canWrite {
            while let first = queue.first, isOpen, transmit(first) { if !queue.isEmpty { queue.removeFirst() } }
            if isOpen, queue.isEmpty { watch?.change([.readable]) }
        }
        if isOpen, readiness.canRead { receive() }
    }

    private func receive() {
        do throws(SystemError) {
            guard var message = try receiveMessage(socket.raw, limit: ShimWire.datagramLimit) else { return close() }
            do throws(ShimWire.Malformed) {
                var payload: [UInt8]?
                if try ShimWire.payloadIsApart(message.bytes) {
                    guard let file = message.descriptors.take() else {
                        throw ShimWire.Malformed("no payload came along")
                    }
                    payload = try? readWhole(file.raw, limit: ShimWire.payloadLimit)
                }
                let request = try ShimWire.decodeRequest(message.bytes, payload: payload)
                onRequest?(request, &message.descriptors)
            } catch {
                onMalformed?(error)
            }
        } catch {
            if error.errno != EAGAIN { close() }
        }
    }
}
