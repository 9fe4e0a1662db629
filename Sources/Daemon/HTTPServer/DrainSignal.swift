internal import NIOCore
internal import Synchronization

/// Tells every connection that the server is closing: idle ones go at once, others behind the answer they are making.
final class DrainSignal: Sendable {
    private struct State {
        var draining = false
        var idle: [ObjectIdentifier: any Channel] = [:]
        var actions: [Int: @Sendable () -> Void] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    var isDraining: Bool { state.withLock { $0.draining } }

    /// Notes that a connection waits for a request; false when it should not.
    func enterIdle(_ channel: any Channel) -> Bool {
        state.withLock { state in
            if !state.draining { state.idle[ObjectIdentifier(channel)] = channel }
            return !state.draining
        }
    }

    func leaveIdle(_ channel: any Channel) {
        state.withLock { _ = $0.idle.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    /// Runs `action` when draining begins, at once if it has begun.
    func onDrain(_ action: @escaping @Sendable () -> Void) -> Int {
        let ticket: Int? = state.withLock { state in
            guard !state.draining else { return nil }
            state.next += 1
            state.actions[state.next] = action
            return state.next
        }
        if ticket == nil { action() }
        return ticket ?? 0
    }

    func forget(_ ticket: Int) { state.withLock { _ = $0.actions.removeValue(forKey: ticket) } }

    func begin() {
        let (channels, actions) = state.withLock { state in
            state.draining = true
            defer {
                state.idle = [:]
                state.actions = [:]
            }
            return (state.idle.values, state.actions.values)
        }
        for channel in channels { channel.close(promise: nil) }
        for action in actions { action() }
    }
}
