internal import Linux
internal import Logging
internal import NIOPosix
internal import Synchronization

/// A container's network namespace, kept open, and the socket that speaks inside it.
final class SandboxSpace: Sendable {
    let descriptor: SharedDescriptor
    let namespace: Mutex<NetworkNamespace>

    init(_ namespace: consuming NetworkNamespace) throws(SystemError) {
        descriptor = SharedDescriptor(try namespace.descriptor.duplicate())
        self.namespace = Mutex(namespace)
    }
}

/// Namespaces made before anybody asks: making one costs the kernel milliseconds that a start need not wait for.
final class SpareNamespaces: Sendable {
    private struct State {
        var ready: [SandboxSpace] = []
        var making = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let target: Int
    private let pool: NIOThreadPool
    private let logger: Logger

    init(target: Int, pool: NIOThreadPool, logger: Logger) {
        self.target = target
        self.pool = pool
        self.logger = logger
    }

    /// One that is ready, or a new one.
    func take() async throws -> SandboxSpace {
        let ready = state.withLock { $0.ready.popLast() }
        refill()
        if let ready { return ready }
        return try await make()
    }

    private func make() async throws -> SandboxSpace {
        try await pool.runIfActive { try SandboxSpace(NetworkNamespace.make()) }
    }

    /// Makes what is missing, in the background.
    func refill() {
        let missing = state.withLock { state -> Int in
            guard !state.isClosed else { return 0 }
            let missing = max(0, target - state.ready.count - state.making)
            state.making += missing
            return missing
        }
        for _ in 0..<missing {
            Task {
                let made: SandboxSpace?
                do { made = try await make() } catch {
                    logger.debug("no spare network namespace", metadata: ["error": "\(error)"])
                    made = nil
                }
                state.withLock { state in
                    state.making -= 1
                    if let made, !state.isClosed { state.ready.append(made) }
                }
            }
        }
    }

    /// Gives the spare ones back to the kernel.
    func close() {
        let ready = state.withLock { state in
            state.isClosed = true
            defer { state.ready = [] }
            return state.ready
        }
        _ = ready
    }
}

/// Removes links in the background: the kernel lets who removes one wait for every processor to have forgotten it,
/// some 20 ms, though the link is out of sight long before.
final class LinkReaper: Sendable {
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let socket: Mutex<NetlinkSocket>

    /// - Parameter socket: one of its own, in the host's network.
    init(socket: consuming NetlinkSocket) {
        self.socket = Mutex(socket)
        thread.start()
    }

    /// Begins to remove the links and comes back at once.
    func remove(_ names: [String], logger: Logger) {
        guard !names.isEmpty else { return }
        thread.submit { [self] _ in
            for name in names {
                do throws(SystemError) {
                    try socket.withLock { (socket) throws(SystemError) in
                        try socket.transact([RouteMessage.deleteLink(name)])
                    }
                } catch {
                    // Gone already, with the namespace its other end was in.
                    if !error.isNoSuchDevice {
                        logger.warning("a link is left", metadata: ["link": "\(name)", "error": "\(error)"])
                    }
                }
            }
        }
    }

    /// Comes back when all that was begun is done.
    func settle() async { try? await thread.runIfActive {} }

    func stop() async {
        await settle()
        try? await thread.shutdownGracefully()
    }
}

/// The host's resolver settings, read anew whenever a container is connected.
final class HostResolver: Sendable {
    private let path: String
    private let settings = Mutex(ResolverSettings())
    private let hosts = Mutex("")

    init(path: String) { self.path = path }

    /// Blocking.
    func refresh() {
        if let text = try? readText("/etc/hosts", limit: 1 << 20) { hosts.withLock { $0 = text } }
        guard let text = try? readText(path, limit: 64 << 10) else { return }
        let fresh = ResolverSettings(parsing: text)
        settings.withLock { $0 = fresh }
    }

    var current: ResolverSettings { settings.withLock { $0 } }
    /// The host's `/etc/hosts`.
    var hostsFile: String { hosts.withLock { $0 } }
}
