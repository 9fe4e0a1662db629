internal import Failures
internal import Linux
internal import Synchronization

/// A request body that is sent in chunks from a thread of its own, so that an engine that answers while it still listens
/// (build, load) never waits for us while we wait for it.
final class Upload: Sendable {
    typealias Body = @Sendable (_ send: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) -> Void

    private let reason = Mutex<Failure?>(nil)

    /// Why the body could not be read to its end; the connection is cut then.
    ///
    /// An engine that stops listening is no
    /// such reason: its answer says what is wrong.
    var failure: Failure? { reason.withLock { $0 } }

    func start(_ body: @escaping Body, over socket: SharedDescriptor) throws(Failure) {
        do { try startThread { self.run(body, over: socket) } } catch {
            throw Failure(.internal, "cannot start sending: \(error)", cause: error)
        }
    }

    private func run(_ body: Body, over socket: SharedDescriptor) {
        do throws(Failure) {
            try body { (part) throws(Failure) in
                if part.isEmpty { return }
                try send(socket, Array("\(String(part.count, radix: 16))\r\n".utf8))
                do throws(SystemError) { try writeAll(socket.raw, part) } catch { throw refused(error) }
                try send(socket, [0x0D, 0x0A])
            }
            try send(socket, Array("0\r\n\r\n".utf8))
        } catch {
            if error.cause is Refusal { return }
            reason.withLock { $0 = error }
            shutDown(socket.raw, reading: true, writing: true)
        }
    }

    private struct Refusal: Error {}

    private func send(_ socket: SharedDescriptor, _ bytes: [UInt8]) throws(Failure) {
        do throws(SystemError) { try writeAll(socket.raw, bytes) } catch { throw refused(error) }
    }

    private func refused(_ error: SystemError) -> Failure {
        Failure(.unavailable, "the engine stopped listening: \(error.reason)", cause: Refusal())
    }
}
