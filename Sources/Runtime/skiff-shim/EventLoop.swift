internal import Linux

/// The shim's one thread: watched descriptors, and a few deadlines.
///
/// Handlers are kept by a token that is never used twice, so a readiness that was reported for a descriptor closed a
/// moment ago reaches nobody. Cancelling a watch drops its handler, and with it whatever that held.
final class EventLoop {
    /// How much is read at once from anything; also what a slow stream's bound is made of.
    static let readSize = 32 << 10

    private let epoll: Epoll
    private var handlers: [UInt64: (Readiness) -> Void] = [:]
    private var deadlines: [UInt64: (due: Int64, action: () -> Void)] = [:]
    private var lastToken: UInt64 = 0
    private var isRunning = true
    private let pages = ProgramPages()

    /// Milliseconds without any event after which the shim makes itself small.
    private static let quietTime: Int32 = 1_000

    /// Room for one read behind room for a frame's header; one for all, since there is one thread.
    let scratch: UnsafeMutableRawBufferPointer

    init() throws(SystemError) {
        epoll = try Epoll()
        scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.readSize + StreamFrame.headerSize, alignment: 16)
    }

    deinit { scratch.deallocate() }

    /// Watches a descriptor until the watch is cancelled; the descriptor must stay open that long.
    func watch(_ raw: Int32, _ interest: Readiness, _ handler: @escaping (Readiness) -> Void) throws(SystemError)
        -> Watch
    {
        lastToken += 1
        try epoll.add(raw, interest, token: lastToken)
        handlers[lastToken] = handler
        return Watch(loop: self, raw: raw, token: lastToken, interest: interest)
    }

    /// Runs an action once, after so many milliseconds.
    func after(_ milliseconds: Int64, _ action: @escaping () -> Void) -> UInt64 {
        lastToken += 1
        deadlines[lastToken] = (Clock.monotonicMilliseconds() + milliseconds, action)
        return lastToken
    }

    func cancelDeadline(_ token: UInt64) { deadlines[token] = nil }

    func stop() { isRunning = false }

    func run() throws(SystemError) {
        while isRunning {
            let next = timeout()
            let isQuiet = next < 0 || next > Self.quietTime
            let count = try epoll.wait(timeout: isQuiet ? Self.quietTime : next) { token, readiness in
                handlers[token]?(readiness)
            }
            if count == 0, isQuiet, isRunning {
                // Nothing for a second, and maybe for days: all that is kept meanwhile is what was written.
                epoll.waitIdly(timeout: timeout(), releasing: pages)
                continue
            }
            guard !deadlines.isEmpty else { continue }
            let now = Clock.monotonicMilliseconds()
            for token in deadlines.filter({ $0.value.due <= now }).keys.sorted() {
                // One that ran just now may have called this one off, with everything it holds.
                deadlines.removeValue(forKey: token)?.action()
            }
        }
    }

    private func timeout() -> Int32 {
        guard let next = deadlines.values.map(\.due).min() else { return -1 }
        return Int32(clamping: max(0, next - Clock.monotonicMilliseconds()))
    }

    fileprivate func change(_ watch: Watch, _ interest: Readiness) {
        try? epoll.change(watch.raw, interest, token: watch.token)
    }

    fileprivate func suspend(_ watch: Watch) { try? epoll.remove(watch.raw) }
    fileprivate func resume(_ watch: Watch) { try? epoll.add(watch.raw, watch.interest, token: watch.token) }

    fileprivate func cancel(_ watch: Watch, suspended: Bool) {
        handlers[watch.token] = nil
        if !suspended { try? epoll.remove(watch.raw) }
    }
}

/// One watched descriptor.
final class Watch {
    private let loop: EventLoop
    let raw: Int32
    let token: UInt64
    private(set) var interest: Readiness
    private var isSuspended = false
    private var isCancelled = false

    fileprivate init(loop: EventLoop, raw: Int32, token: UInt64, interest: Readiness) {
        self.loop = loop
        self.raw = raw
        self.token = token
        self.interest = interest
    }

    func change(_ interest: Readiness) {
        guard interest != self.interest, !isCancelled else { return }
        self.interest = interest
        if !isSuspended { loop.change(self, interest) }
    }

    /// Takes the descriptor out of the set: a hang-up is reported whatever one waits for, and would keep the loop busy.
    func suspend() {
        guard !isSuspended, !isCancelled else { return }
        isSuspended = true
        loop.suspend(self)
    }

    func resume() {
        guard isSuspended, !isCancelled else { return }
        isSuspended = false
        loop.resume(self)
    }

    func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        loop.cancel(self, suspended: isSuspended)
    }
}
