internal import Failures
internal import Linux
internal import Synchronization

/// The one thread that listens to every shim, so that no task ever waits in a system call.
///
/// Handlers run on that thread and must be short: they decode, change state under a lock and resume continuations.
final class ShimReactor: Sendable {
    private let epoll: Epoll
    private let wake: EventFD
    private let state = Mutex(State())

    private struct State {
        var handlers: [UInt64: @Sendable (Readiness) -> Void] = [:]
        var lastToken: UInt64 = 0
        var isStopped = false
    }

    private init() throws(SystemError) {
        epoll = try Epoll()
        wake = try EventFD()
        try epoll.add(wake.raw, [.readable], token: 0)
    }

    /// A reactor whose thread runs until `stop`.
    static func start() throws(Failure) -> ShimReactor {
        do {
            let reactor = try ShimReactor()
            try startThread { reactor.run() }
            return reactor
        } catch {
            throw Failure(.internal, "start listening to shims", cause: error)
        }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        wake.signal()
    }

    /// Watches a descriptor until `forget`; it must stay open that long.
    func watch(_ raw: Int32, _ interest: Readiness, _ handler: @escaping @Sendable (Readiness) -> Void)
        throws(SystemError) -> UInt64
    {
        let token = state.withLock { state in
            state.lastToken += 1
            state.handlers[state.lastToken] = handler
            return state.lastToken
        }
        do { try epoll.add(raw, interest, token: token) } catch {
            state.withLock { $0.handlers[token] = nil }
            throw error
        }
        return token
    }

    func change(_ raw: Int32, _ interest: Readiness, token: UInt64) { try? epoll.change(raw, interest, token: token) }

    func forget(_ raw: Int32, token: UInt64) {
        try? epoll.remove(raw)
        state.withLock { $0.handlers[token] = nil }
    }

    private func run() {
        while !state.withLock({ $0.isStopped }) {
            do throws(SystemError) {
                try epoll.wait { token, readiness in
                    if token == 0 {
                        wake.drain()
                    } else {
                        // Looked up at the last moment: what was forgotten meanwhile is not called.
                        let handler = state.withLock { $0.handlers[token] }
                        handler?(readiness)
                    }
                }
            } catch {
                return
            }
        }
    }
}
