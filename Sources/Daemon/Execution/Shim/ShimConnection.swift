internal import CLinux
internal import Failures
internal import Linux
internal import ShimProtocol
internal import Synchronization

/// One conversation with one shim: requests with answers, and events in between.
final class ShimConnection: Sendable {
    private let id: String
    private let socket: SharedDescriptor
    private let reactor: ShimReactor
    private let onEvent: @Sendable (ShimEvent) -> Void
    private let onClose: @Sendable () -> Void
    private let state = Mutex(State())

    private struct State {
        var token: UInt64?
        var isOpen = true
        /// What the shim understands, once it told; until then it is of this daemon's own making.
        var dialect = ShimDialect.current
        var lastTag: UInt32 = 0
        var waiting: [UInt32: CheckedContinuation<Result<ShimEvent, Failure>, Never>] = [:]
        /// What the socket did not take at once, in order.
        var outbox: [Outgoing] = []
    }

    private struct Outgoing: Sendable {
        var bytes: [UInt8]
        var descriptors: [SharedDescriptor]
    }

    /// - Parameters:
    ///   - onEvent: told of everything that answers no request, on the reactor's thread.
    ///   - onClose: told once that the shim is gone.
    init(
        id: String, socket: consuming OwnedDescriptor, reactor: ShimReactor,
        onEvent: @escaping @Sendable (ShimEvent) -> Void, onClose: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        try setNonBlocking(socket.raw)
        self.id = id
        self.socket = SharedDescriptor(socket)
        self.reactor = reactor
        self.onEvent = onEvent
        self.onClose = onClose
        let token = try reactor.watch(self.socket.raw, [.readable]) { [weak self] in self?.ready($0) }
        state.withLock { $0.token = token }
    }

    deinit {
        if let token = state.withLock({ $0.token }) { reactor.forget(socket.raw, token: token) }
    }

    /// Sends a request and returns its answer.
    ///
    /// - Throws: what the shim said (the cause is a `StartFailure`), `unavailable` when it is gone, or `notImplemented`
    ///   when it is older than the request.
    func ask(_ request: ShimRequest, descriptors: [SharedDescriptor] = []) async throws(Failure) -> ShimEvent {
        guard state.withLock({ $0.dialect.understands(request) }) else {
            throw Failure(
                .notImplemented,
                "the supervisor of container \(id) is of an earlier release and knows no \(request.name): restart the container"
            )
        }
        let answer = await withCheckedContinuation { continuation in
            let sent = state.withLock { state -> Bool in
                guard state.isOpen else { return false }
                state.lastTag &+= 1
                if state.lastTag == 0 { state.lastTag = 1 }
                let tag = state.lastTag
                state.waiting[tag] = continuation
                if send(ShimWire.Tagged(tag: tag, request), descriptors, &state) { return true }
                state.waiting[tag] = nil
                return false
            }
            if !sent { continuation.resume(returning: .failure(gone)) }
        }
        let event = try answer.get()
        if case .failed(let report) = event { throw Self.failure(report) }
        if case .state(let told) = event { state.withLock { $0.dialect = told.dialect } }
        return event
    }

    /// Ends the conversation; the shim goes on.
    func close() {
        let (token, waiting) = state.withLock { state in
            defer {
                state.isOpen = false
                state.token = nil
                state.waiting = [:]
                state.outbox = []
            }
            return (state.token, state.isOpen ? Array(state.waiting.values) : [])
        }
        guard let token else { return }
        reactor.forget(socket.raw, token: token)
        shutDown(socket.raw, reading: true, writing: true)
        for continuation in waiting { continuation.resume(returning: .failure(gone)) }
        onClose()
    }

    private var gone: Failure { Failure(.unavailable, "the shim of container \(id) is gone") }

    private static func failure(_ report: FailureReport) -> Failure {
        if report.stage == "request" { return Failure(.conflict, report.message) }
        return Failure(
            .invalid, report.message,
            cause: StartFailure(
                stage: report.stage, errno: report.errno, path: report.path, message: report.message))
    }

    // MARK: Sending, under the lock

    private func send(
        _ request: ShimWire.Tagged<ShimRequest>, _ descriptors: [SharedDescriptor], _ state: inout State
    ) -> Bool {
        let datagram = ShimWire.encode(request)
        var outgoing = Outgoing(bytes: datagram.bytes, descriptors: descriptors)
        if let payload = datagram.payload {
            guard let file = try? sealedMemoryFile("request", payload) else { return false }
            outgoing.descriptors.insert(SharedDescriptor(file), at: 0)
        }
        if !state.outbox.isEmpty {
            state.outbox.append(outgoing)
            return true
        }
        switch transmit(outgoing) {
        case .sent: return true
        case .later:
            state.outbox.append(outgoing)
            if let token = state.token { reactor.change(socket.raw, [.readable, .writable], token: token) }
            return true
        case .failed: return false
        }
    }

    private enum Transmission { case sent, later, failed }

    private func transmit(_ outgoing: Outgoing) -> Transmission {
        do {
            try sendMessage(socket.raw, outgoing.bytes, descriptors: outgoing.descriptors.map(\.raw))
            return .sent
        } catch {
            return error.errno == EAGAIN ? .later : .failed
        }
    }

    // MARK: On the reactor's thread

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        if readiness.canRead { receive() }
    }

    private func flush() {
        let failed = state.withLock { state -> Bool in
            while let first = state.outbox.first {
                switch transmit(first) {
                case .sent: state.outbox.removeFirst()
                case .later: return false
                case .failed: return true
                }
            }
            if let token = state.token { reactor.change(socket.raw, [.readable], token: token) }
            return false
        }
        if failed { close() }
    }

    private func receive() {
        do {
            guard var message = try receiveMessage(socket.raw, limit: ShimWire.datagramLimit) else { return close() }
            var payload: [UInt8]?
            if try ShimWire.payloadIsApart(message.bytes), let file = message.descriptors.take() {
                payload = try readWhole(file.raw, limit: ShimWire.payloadLimit)
            }
            let event = try ShimWire.decodeEvent(message.bytes, payload: payload)
            if let continuation = state.withLock({ $0.waiting.removeValue(forKey: event.tag) }) {
                continuation.resume(returning: .success(event.message))
            } else if event.tag == 0 {
                onEvent(event.message)
            }
        } catch let error as ShimWire.Malformed {
            // An event of a newer shim is skipped, as the protocol asks; an answer has somebody who waits for it.
            if let continuation = state.withLock({ $0.waiting.removeValue(forKey: error.tag) }) {
                continuation.resume(
                    returning: .failure(Failure(.internal, "the shim of container \(id) gave no answer: \(error)")))
            }
        } catch let error as SystemError where error.errno == EAGAIN {
        } catch {
            close()
        }
    }
}
