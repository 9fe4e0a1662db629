public import HTTPServer
public import Images
internal import NIOCore

/// The body of a request, read by a thread that blocks: pieces go from the connection's event loop straight to it.
extension RequestBody: PouringBody {
    public func pour(into body: BlockingBody) async throws { try await pour(into: BlockingBodySink(body: body)) }
}

private struct BlockingBodySink: BodySink {
    let body: BlockingBody

    func take(_ bytes: ByteBuffer) -> BodyDemand {
        switch body.offer(bytes) {
        case .taken: .more
        case .full: .full
        case .left: .nothing
        }
    }

    func whenRoom(_ action: @escaping @Sendable () -> Void) { body.whenRoom(action) }
}
