internal import CLinux
internal import Linux
internal import Synchronization

/// Tells followers that something was written in a container's folder: one inotify and one thread for all of them.
///
/// The thread starts with the first follower and waits in the kernel; nothing polls.
final class LogWatcher: Sendable {
    private struct State {
        var isStarted = false
        /// Who wants to hear of each watch.
        var followers: [Int32: [ObjectIdentifier: Signal]] = [:]
    }

    /// Shared with the thread, which may outlive the watcher by one event.
    private final class Source: Sendable {
        let inotify: Inotify
        init() throws(SystemError) { inotify = try Inotify(nonBlocking: false) }
    }

    private let source: Source?
    private let state = Mutex(State())

    init() { source = try? Source() }

    /// Wakes `signal` whenever a file of `directory` changes, until `stop`.
    ///
    /// - Returns: what to give to `stop`.
    func follow(_ directory: String, _ signal: Signal) throws(SystemError) -> Int32 {
        guard let source else { throw SystemError("inotify_init1", errno: EMFILE) }
        return try state.withLock { (state) throws(SystemError) -> Int32 in
            if !state.isStarted {
                try startThread { [weak self] in Self.run(source) { self?.woken($0) } }
                state.isStarted = true
            }
            // The kernel gives one number per directory, however often it is asked.
            let watch = try source.inotify.add(directory, [.modified, .created, .movedTo])
            state.followers[watch, default: [:]][ObjectIdentifier(signal)] = signal
            return watch
        }
    }

    func stop(_ watch: Int32, _ signal: Signal) {
        state.withLock { state in
            state.followers[watch]?[ObjectIdentifier(signal)] = nil
            if state.followers[watch]?.isEmpty ?? false {
                state.followers[watch] = nil
                try? source?.inotify.remove(watch)
            }
        }
    }

    private func woken(_ event: Inotify.Event) {
        let signals = state.withLock { state -> [Signal] in
            if event.changes.contains(.overflow) { return state.followers.values.flatMap(\.values) }
            let signals = Array((state.followers[event.watch] ?? [:]).values)
            // The directory is gone; its number may come again for another.
            if event.changes.contains(.ended) { state.followers[event.watch] = nil }
            return signals
        }
        for signal in signals { signal.wake() }
    }

    private static func run(_ source: Source, _ told: (Inotify.Event) -> Void) {
        while let events = try? source.inotify.events() {
            for event in events { told(event) }
        }
    }

    /// Remembers that it was woken, and wakes the one task that waits.
    final class Signal: Sendable {
        private struct State {
            var isSet = false
            var waiting: CheckedContinuation<Void, Never>?
        }

        private let state = Mutex(State())

        func wake() {
            let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard let waiting = state.waiting else {
                    state.isSet = true
                    return nil
                }
                state.waiting = nil
                return waiting
            }
            waiting?.resume()
        }

        /// Returns when it was woken since the last wait, or the task is cancelled.
        func wait() async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state -> Bool in
                        if state.isSet || Task.isCancelled {
                            state.isSet = false
                            return true
                        }
                        state.waiting = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                wake()
            }
        }
    }
}
