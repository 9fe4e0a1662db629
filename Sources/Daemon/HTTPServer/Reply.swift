public import NIOCore
public import NIOHTTP1

/// The answer to one request.
public struct Reply: Sendable {
    /// What follows the head.
    public enum Body: Sendable {
        case none
        case bytes(ByteBuffer)
        /// Written while it is made. The head goes out with the first byte or flush, so that an error before it is still
        /// answered with its own status.
        case stream(@Sendable (BodyWriter) async throws -> Void)
        /// The connection stops being HTTP behind this head, which is sent exactly as given, by itself.
        case takeOver(@Sendable (RawConnection) async throws -> Void)
    }

    public var status: HTTPResponseStatus
    public var headers: HTTPHeaders
    public var body: Body
    /// Whether a stream is pointless once the client is gone: its task is then cancelled.
    public var endsWithClient: Bool

    public init(
        _ status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: Body = .none, endsWithClient: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.endsWithClient = endsWithClient
    }
}

/// Makes answers, one for all connections of a server.
public protocol Responder: Sendable {
    /// The answer to a request; errors of routes are answers too.
    func respond(to request: Request) async -> Reply

    /// The answer to an error where there is no other: a request that cannot be parsed, or a stream that failed before
    /// its first byte.
    func reply(to error: any Error) -> Reply

    /// The last bytes of a stream that failed after its first byte; nil cuts the stream off so that the client notices.
    func trailer(for error: any Error) -> ByteBuffer?
}

/// Something in a request that is not HTTP as we accept it.
public struct ProtocolError: Error, Sendable {
    public let status: HTTPResponseStatus
    public let reason: String
}
