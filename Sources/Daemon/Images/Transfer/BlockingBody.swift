public import Archive
public import Failures
public import NIOCore
internal import NIOPosix
internal import Synchronization

/// The bridge from a body that arrives asynchronously to code that reads and blocks.
///
/// One side feeds, one thread reads. The reader takes all there is at once and is woken for a batch, not for each piece:
/// waking a thread costs more than a piece of a body. At most twice `capacity` bytes are held, so a slow reader slows the
/// sender. The reader leaves with `cancel()` when it needs no more, or what is fed afterwards waits for ever.
public final class BlockingBody: ByteSource, Sendable {
    private struct State {
        var buffers: [ByteBuffer] = []
        var bytes = 0
        var end: Result<Void, Failure>?
        var readerWaits = false
        var readerLeft = false
        /// What to do when there is room.
        var room: [@Sendable () -> Void] = []
    }

    /// What the reader has taken over and not read yet.
    private struct Front {
        var buffers: [ByteBuffer] = []
        var next = 0

        mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
            var filled = 0
            while filled < buffer.count, next < buffers.count {
                let count = min(buffer.count - filled, buffers[next].readableBytes)
                buffers[next].readWithUnsafeReadableBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                    return count
                }
                filled += count
                // Given back at once: the memory may be the one the next bytes come into.
                if buffers[next].readableBytes == 0 {
                    buffers[next] = ByteBuffer()
                    next += 1
                }
            }
            return filled
        }
    }

    /// What became of a piece that was handed over.
    public enum Offer: Sendable, Hashable {
        case taken
        /// Taken, and no more should come until there is room.
        case full
        /// Nobody reads any more.
        case left
    }

    private let capacity: Int
    private let batch: Int
    private let state = Mutex(State())
    private let front = Mutex(Front())
    private let semaphore = ThreadSignal()

    public init(capacity: Int = 2 << 20) {
        self.capacity = capacity
        batch = min(capacity, 256 << 10)
    }

    // MARK: Feeding

    /// Hands over the whole body and marks its end.
    ///
    /// Returns early when the reader has left; a cancelled task makes the reader fail.
    public func feed<Body: AsyncSequence>(_ body: Body) async where Body.Element == ByteBuffer {
        do {
            if let body = body as? any PouringBody {
                try await body.pour(into: self)
            } else {
                for try await buffer in body where buffer.readableBytes > 0 {
                    guard try await push(buffer) else { break }
                }
            }
            finish(.success(()))
        } catch let failure as Failure {
            finish(.failure(failure))
        } catch is CancellationError {
            finish(.failure(.cancelled))
        } catch {
            finish(.failure(Failure(.invalid, "the upload broke off: \(error)", cause: error)))
        }
    }

    /// Hands over a piece; never blocks, and takes it even when there is no room.
    public func offer(_ buffer: ByteBuffer) -> Offer {
        let (offer, wakes) = state.withLock { state -> (Offer, Bool) in
            if state.readerLeft { return (.left, false) }
            state.buffers.append(buffer)
            state.bytes += buffer.readableBytes
            let wakes = state.readerWaits && state.bytes >= batch
            if wakes { state.readerWaits = false }
            return (state.bytes >= capacity ? .full : .taken, wakes)
        }
        if wakes { semaphore.signal() }
        return offer
    }

    /// Runs `action` once, on any thread, when there is room or the reader has left; at once if that is so now.
    public func whenRoom(_ action: @escaping @Sendable () -> Void) {
        let isNow = state.withLock { state -> Bool in
            if state.readerLeft || state.bytes < capacity { return true }
            state.room.append(action)
            return false
        }
        if isNow { action() }
    }

    /// Hands over a piece, waiting for room; false when nobody reads any more.
    private func push(_ buffer: ByteBuffer) async throws(Failure) -> Bool {
        try checkCancellation()
        switch offer(buffer) {
        case .taken: return true
        case .left: return false
        case .full:
            let room = Latch<Void>()
            whenRoom { room.set(.success(())) }
            try await room.value()
            return true
        }
    }

    private func finish(_ result: Result<Void, Failure>) {
        state.withLock { state in
            if state.end == nil { state.end = result }
            state.readerWaits = false
        }
        semaphore.signal()
    }

    // MARK: Reading

    /// The reader needs no more, or must stop.
    public func cancel() {
        let room = state.withLock { state -> [@Sendable () -> Void] in
            state.readerLeft = true
            state.buffers = []
            if state.end == nil { state.end = .failure(.cancelled) }
            defer { state.room = [] }
            return state.room
        }
        for action in room { action() }
        semaphore.signal()
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        while true {
            let count = front.withLock { $0.read(into: buffer) }
            if count > 0 { return count }
            let (taken, end, room) = state.withLock {
                state -> ([ByteBuffer], Result<Void, Failure>?, [@Sendable () -> Void]) in
                let taken = state.buffers
                state.buffers = []
                state.bytes = 0
                state.readerWaits = taken.isEmpty && state.end == nil
                defer { state.room = [] }
                return (taken, state.end, state.room)
            }
            for action in room { action() }
            if !taken.isEmpty {
                front.withLock { $0 = Front(buffers: taken) }
                continue
            }
            switch end {
            case .success: return 0
            case .failure(let failure): throw failure
            case nil: semaphore.wait()
            }
        }
    }
}

/// A body that can hand its pieces over by itself, without a task that is woken for each.
public protocol PouringBody: Sendable {
    /// Hands over all that is left of the body, and returns behind its last piece, or when nobody reads any more.
    func pour(into body: BlockingBody) async throws
}

extension BlockingBody {
    /// Gives a body to code that reads and blocks, on a thread of `threads`.
    ///
    /// A cancelled task makes the reader fail.
    static func reading<Body: AsyncSequence & Sendable, Value: Sendable>(
        _ body: Body, on threads: NIOThreadPool, _ read: @escaping @Sendable (BlockingBody) -> Value,
        onFailure: @Sendable (Failure) -> Value
    ) async -> Value where Body.Element == ByteBuffer {
        let stream = BlockingBody()
        return await withTaskCancellationHandler {
            async let _: Void = stream.feed(body)
            let value: Value
            do {
                value = try await threads.runIfActive { read(stream) }
            } catch {
                value = onFailure(.from(error))
            }
            stream.cancel()
            // A body that is not read to its end is left to whoever owns the connection.
            return value
        } onCancel: {
            stream.cancel()
        }
    }
}
