internal import Synchronization

/// Whether the client still listens, and what to do when it does not.
///
/// `logs -f`, `events`, `wait` and `pull` must end with their client, and nobody else notices: while an answer is being
/// made nothing is read. As in Docker's own server, a client that closes its sending side counts as gone, except on
/// connections that were taken over, where that is the end of stdin.
final class ClientPresence: Sendable {
    private struct State {
        var gone = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    func leave() {
        let action = state.withLock { state in
            state.gone = true
            defer { state.action = nil }
            return state.action
        }
        action?()
    }

    /// Runs `action` once when the client leaves, at once if it has left already.
    func whenGone(_ action: @escaping @Sendable () -> Void) {
        let runNow = state.withLock { state in
            if !state.gone { state.action = action }
            return state.gone
        }
        if runNow { action() }
    }

    func forget() { state.withLock { $0.action = nil } }
}
