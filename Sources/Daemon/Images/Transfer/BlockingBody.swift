public import Archive
public import Failures
public import NIOCore
internal import NIOPosix
internal import Synchronization

/// The bridge from a body that arrives asynchronously to code that reads and blocks.
///
/// One task feeds, one thread reads; at most `capacity` bytes are held, so a slow reader slows the sender. The reader
/// leaves with `cancel()` when it needs no more, or what is fed afterwards waits for ever.
public final class BlockingBody: ByteSource, Sendable {
    private struct State {
        var buffers: [ByteBuffer] = []
        var bytes = 0
        var end: Result<Void, Failure>?
        var readerLeft = false
        var room: Latch<Void>?
    }

    private let capacity: Int
    private let state = Mutex(State())
    private let semaphore = ThreadSignal()

    public init(capacity: Int = 4 << 20) { self.capacity = capacity }

    /// Hands over the whole body and marks its end.
    ///
    /// Returns early when the reader has left; a cancelled task makes the reader fail.
    public func feed<Body: AsyncSequence>(_ body: Body) async where Body.Element == ByteBuffer {
        do {
            for try await buffer in body where buffer.readableBytes > 0 {
                guard try await push(buffer) else { break }
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

    /// Hands over a piece, waiting for room; false when nobody reads any more.
    private func push(_ buffer: ByteBuffer) async throws(Failure) -> Bool {
        while true {
            try checkCancellation()
            let room: Latch<Void>? = state.withLock { state in
                if state.readerLeft || state.bytes < capacity {
                    state.buffers.append(buffer)
                    state.bytes += buffer.readableBytes
                    return nil
                }
                let latch = state.room ?? Latch<Void>()
                state.room = latch
                return latch
            }
            guard let room else {
                semaphore.signal()
                return !state.withLock { $0.readerLeft }
            }
            try await room.value()
        }
    }

    private func finish(_ result: Result<Void, Failure>) {
        state.withLock { if $0.end == nil { $0.end = result } }
        semaphore.signal()
    }

    /// The reader needs no more, or must stop.
    public func cancel() {
        let room = state.withLock { state -> Latch<Void>? in
            state.readerLeft = true
            state.buffers = []
            if state.end == nil { state.end = .failure(.cancelled) }
            defer { state.room = nil }
            return state.room
        }
        room?.set(.success(()))
        semaphore.signal()
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        while true {
            let (count, end, room) = state.withLock { state in take(&state, into: buffer) }
            room?.set(.success(()))
            if count > 0 { return count }
            switch end {
            case .success: return 0
            case .failure(let failure): throw failure
            case nil: semaphore.wait()
            }
        }
    }

    private func take(
        _ state: inout State, into buffer: UnsafeMutableRawBufferPointer
    ) -> (Int, Result<Void, Failure>?, Latch<Void>?) {
        var filled = 0
        while filled < buffer.count, !state.buffers.isEmpty {
            let count = min(buffer.count - filled, state.buffers[0].readableBytes)
            state.buffers[0].readWithUnsafeReadableBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                return count
            }
            filled += count
            if state.buffers[0].readableBytes == 0 { state.buffers.removeFirst() }
        }
        state.bytes -= filled
        var room: Latch<Void>?
        if filled > 0, state.bytes < capacity / 2 { swap(&room, &state.room) }
        return (filled, state.end, room)
    }
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
