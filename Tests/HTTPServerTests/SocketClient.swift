import Glibc

/// A plain blocking client over a unix socket, so that a test says exactly which bytes go when.
final class SocketClient {
    private let descriptor: Int32
    private(set) var received: [UInt8] = []

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        var limit = timeval(tv_sec: 180, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw ClientError.connect(errno) }
    }

    deinit { close(descriptor) }

    enum ClientError: Error { case connect(Int32), write(Int32), timedOut(String) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ClientError.write(errno) }
            sent += count
        }
    }

    /// Closes our sending side.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    var text: String { String(decoding: received, as: UTF8.self) }

    /// Reads until what came since the last call contains `end`; returns it and forgets it.
    func read(until end: String) throws -> String {
        while !text.contains(end) {
            guard try readSome() else { break }
        }
        guard let range = text.firstRange(of: end) else { return take() }
        let head = String(text[..<range.upperBound])
        received.removeFirst(head.utf8.count)
        return head
    }

    /// Reads exactly so many bytes.
    func read(count: Int) throws -> [UInt8] {
        while received.count < count, try readSome() {}
        defer { received.removeFirst(min(count, received.count)) }
        return Array(received.prefix(count))
    }

    /// Reads until the server closes its side.
    func readToEnd() throws -> String {
        while try readSome() {}
        return take()
    }

    private func take() -> String {
        defer { received = [] }
        return text
    }

    private func readSome() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0 { throw ClientError.timedOut(text) }
        received += buffer[..<count]
        return count > 0
    }
}
