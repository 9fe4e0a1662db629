internal import CLinux
internal import Failures
internal import Linux

/// One connection to an engine, read through a buffer.
final class Connection {
    /// Shared so that another thread may write while this one reads.
    let socket: SharedDescriptor
    private let endpoint: Endpoint
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)
    private var start = 0
    private var end = 0

    init(to endpoint: Endpoint) throws(Failure) {
        self.endpoint = endpoint
        do {
            socket = SharedDescriptor(try Self.connect(to: endpoint))
        } catch let failure as Failure {
            throw failure
        } catch let error as SystemError {
            throw Self.unreachable(endpoint, error)
        } catch {
            throw Failure.wrapping(error, "connect to \(endpoint)")
        }
    }

    private static func connect(to endpoint: Endpoint) throws -> OwnedDescriptor {
        switch endpoint {
        case .unix(let path):
            return try connectStream(toLocal: path)
        case .tcp(let host, let port):
            switch try HostNames.address(of: host) {
            case .ipv4(let address): return try connectStream(to: address, port: port)
            case .ipv6(let address): return try connectStream(to: address, port: port)
            case nil: throw Failure(.unavailable, "cannot find host \(host): check the name in \(endpoint)")
            }
        }
    }

    /// One line that names the socket and the next step.
    private static func unreachable(_ endpoint: Endpoint, _ error: SystemError) -> Failure {
        let step =
            switch error.errno {
            case EACCES, EPERM: "run as root, or join the group that owns the socket"
            default: "start skiffd, or name another engine with -H or SKIFF_HOST"
            }
        let message = "cannot connect to the Skiff daemon at \(endpoint) (\(error.reason)): \(step)"
        return Failure(.unavailable, message, cause: error)
    }

    // MARK: Writing

    func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        do { try writeAll(socket.raw, bytes) } catch { throw lost(error) }
    }

    func write(_ bytes: [UInt8]) throws(Failure) {
        do { try writeAll(socket.raw, bytes) } catch { throw lost(error) }
    }

    // MARK: Reading

    /// Whether bytes were read ahead, which `poll` on the socket does not know about.
    var hasBuffered: Bool { start < end }

    /// Some bytes, those that were read ahead first; 0 is the end.
    func read(into target: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        guard start == end else {
            let count = min(target.count, end - start)
            buffer.withUnsafeBytes { bytes in
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)]))
            }
            start += count
            return count
        }
        do { return try Linux.read(socket.raw, into: target) } catch { throw lost(error) }
    }

    /// A line without its end; nil when the connection ends before one begins.
    func readLine(limit: Int = 64 << 10) throws(Failure) -> String? {
        var line: [UInt8] = []
        while let byte = try readByte() {
            if byte == UInt8(ascii: "\n") {
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return String(decoding: line, as: UTF8.self)
            }
            line.append(byte)
            guard line.count <= limit else {
                throw Failure(.internal, "the engine at \(endpoint) sent a line that does not end")
            }
        }
        if line.isEmpty { return nil }
        throw cutShort
    }

    private func readByte() throws(Failure) -> UInt8? {
        if start == end {
            start = 0
            end = 0
            let outcome: Result<Int, SystemError> = buffer.withUnsafeMutableBytes { target in
                do throws(SystemError) { return .success(try Linux.read(socket.raw, into: target)) } catch {
                    return .failure(error)
                }
            }
            do { end = try outcome.get() } catch { throw lost(error) }
            if end == 0 { return nil }
        }
        defer { start += 1 }
        return buffer[start]
    }

    /// The other side went away before it had said all.
    var cutShort: Failure {
        Failure(.unavailable, "the engine at \(endpoint) closed the connection in the middle of an answer")
    }

    private func lost(_ error: SystemError) -> Failure {
        Failure(.unavailable, "lost the connection to the engine at \(endpoint): \(error.reason)", cause: error)
    }
}
