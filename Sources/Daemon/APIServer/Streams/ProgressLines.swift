internal import DockerAPI
internal import Failures
internal import HTTPServer
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Where a pull, push, load, import or build tells what it does; lines go to the client as fast as it takes them.
///
/// Telling never waits, so what is not yet sent is bounded: beyond `droppableLimit` bytes counters are dropped, which the
/// next one makes good; beyond `limit` the stream is given up.
final class ProgressLines: Sendable {
    private struct State {
        var pending = ByteBuffer()
        var overrun = false
    }

    static let droppableLimit = 256 << 10
    static let limit = 64 << 20

    private let state = Mutex(State())
    private let wake: AsyncStream<Void>.Continuation
    private let woken: AsyncStream<Void>

    init() { (woken, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func send(_ message: ProgressMessage, droppable: Bool = false) {
        guard var line = try? ByteBuffer(line: message, end: "\r\n") else { return }
        let taken = state.withLock { state in
            let size = state.pending.readableBytes
            if size > Self.limit { state.overrun = true }
            guard !state.overrun, !(droppable && size > Self.droppableLimit) else { return false }
            state.pending.writeBuffer(&line)
            return true
        }
        if taken { wake.yield() }
    }

    func finish() { wake.finish() }

    /// Sends what was told until ``finish()``.
    func drain(into writer: BodyWriter) async throws {
        for await _ in woken { try await flush(into: writer) }
        try await flush(into: writer)
    }

    private func flush(into writer: BodyWriter) async throws {
        let (bytes, overrun) = state.withLock { state in
            defer { state.pending = ByteBuffer() }
            return (state.pending, state.overrun)
        }
        if bytes.readableBytes > 0 { try await writer.write(bytes) }
        if overrun { throw Failure(.unavailable, "the client reads too slowly: \(Self.limit) bytes of progress wait") }
    }
}

extension Reply {
    /// The answer of something that tells its progress: an error before the first line has its own status, a later one
    /// is the last line.
    static func progress(
        contentType: String = jsonContentType, _ work: @escaping @Sendable (ProgressLines) async throws -> Void
    ) -> Reply {
        Reply(
            .ok, headers: ["Content-Type": contentType],
            body: .stream { writer in
                let sink = ProgressLines()
                async let drained: Void = sink.drain(into: writer)
                do {
                    try await work(sink)
                } catch {
                    sink.finish()
                    try await drained
                    guard writer.hasBegun else { throw error }
                    try await writer.write(ByteBuffer(line: ProgressMessage(failure: error), end: "\r\n"))
                    return
                }
                sink.finish()
                try await drained
            }, endsWithClient: true)
    }
}
