internal import Synchronization

/// Which records running builds rest on, and which are being removed.
///
/// A build asks before it looks a record up, and keeps what it found until it ends: between the look and the image
/// nothing else holds the record's layer. Whoever removes asks too, so that a record is either used or removed.
final class CacheUses: Sendable {
    private struct State {
        var users: [String: Int] = [:]
        var leaving: Set<String> = []
    }

    private let state = Mutex(State())

    /// What one build rests on.
    final class Hold: Sendable {
        private let uses: CacheUses
        private let keys = Mutex<Set<String>>([])

        fileprivate init(_ uses: CacheUses) { self.uses = uses }

        /// Takes the record into use; false while it is being removed, when it must not be believed.
        func take(_ key: String) -> Bool {
            keys.withLock { keys in
                if keys.contains(key) { return true }
                guard uses.add(key) else { return false }
                keys.insert(key)
                return true
            }
        }

        func release() {
            let taken = keys.withLock { keys in
                defer { keys = [] }
                return keys
            }
            uses.subtract(taken)
        }
    }

    func hold() -> Hold { Hold(self) }

    private func add(_ key: String) -> Bool {
        state.withLock { state in
            guard !state.leaving.contains(key) else { return false }
            state.users[key, default: 0] += 1
            return true
        }
    }

    private func subtract(_ keys: Set<String>) {
        state.withLock { state in
            for key in keys {
                guard let count = state.users[key] else { continue }
                state.users[key] = count > 1 ? count - 1 : nil
            }
        }
    }

    /// The records in use now.
    var all: Set<String> { state.withLock { Set($0.users.keys) } }

    /// Takes the records that nobody uses, to be removed; ``removed(_:)`` must follow.
    func claim(_ keys: [String]) -> [String] {
        state.withLock { state in
            let free = keys.filter { state.users[$0] == nil && !state.leaving.contains($0) }
            state.leaving.formUnion(free)
            return free
        }
    }

    func removed(_ keys: [String]) { state.withLock { $0.leaving.subtract(keys) } }
}
