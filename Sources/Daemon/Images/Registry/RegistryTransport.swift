internal import AsyncHTTPClient
internal import Failures
internal import Linux
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// Sends one request and gives the answer as it is: no redirects, no retries, nothing unpacked on the way.
///
/// HTTP/1.1 only: layers come over several connections, each with the kernel's own flow control.
struct RegistryTransport: Sendable {
    /// How long the head of an answer, and any pause inside a body, may take.
    static let patience = TimeAmount.seconds(60)

    let client: HTTPClient
    private let unverified: TLSConfiguration

    init(group: any EventLoopGroup) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        configuration.httpVersion = .http1Only
        configuration.timeout = .init(connect: .seconds(15), read: Self.patience, write: Self.patience)
        // A registry that is down is said to be down at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
        var unverified = TLSConfiguration.makeClientConfiguration()
        unverified.certificateVerification = .none
        self.unverified = unverified
    }

    /// - Parameter upload: whether the request carries a body that may take long to send.
    func send(
        _ method: HTTPMethod, _ url: RegistryURL, headers: HTTPHeaders, body: HTTPClientRequest.Body? = nil,
        verifies: Bool, upload: Bool = false
    ) async throws(Failure) -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url.description)
        request.method = method
        request.headers = headers
        request.headers.replaceOrAdd(name: "User-Agent", value: "skiff")
        request.body = body
        if !verifies, url.origin.scheme == .https { request.tlsConfiguration = unverified }
        do {
            return try await client.execute(request, deadline: upload ? .distantFuture : .now() + Self.patience)
        } catch {
            throw RegistryTransport.failure(error, url.origin)
        }
    }

    /// What a connection's trouble means, with the host's name in it.
    ///
    /// - Parameter hasAnswered: the trouble came in the middle of an answer.
    static func failure(_ error: any Error, _ origin: RegistryURL.Origin, hasAnswered: Bool = false) -> Failure {
        if let failure = error as? Failure { return failure }
        if error is CancellationError || (error as? HTTPClientError) == .cancelled { return .cancelled }
        let trouble = hasAnswered ? "broke off its answer" : "cannot be reached"
        return Failure(.unavailable, "registry \(origin.authority) \(trouble): \(reason(error))", cause: error)
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if error.dnsAError != nil || error.dnsAAAAError != nil, error.connectionErrors.isEmpty {
                return "no address is known for \(error.host)"
            }
            guard let first = error.connectionErrors.first?.error else { return "connection failed" }
            return reason(first)
        case let error as IOError: return SystemError("connect", errno: error.errnoCode).reason
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout: return "no answer to connecting in time"
            case .tlsHandshakeTimeout: return "TLS handshake timed out"
            case .readTimeout, .deadlineExceeded: return "no answer in time"
            case .remoteConnectionClosed: return "it closed the connection"
            default: return error.shortDescription
            }
        case HTTPParserError.invalidEOFState: return "it closed the connection"
        case let error as HTTPParserError: return "what it sent is not HTTP: \(error)"
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: return "TLS handshake failed: \(error)"
        default: return "\(error)"
        }
    }
}

extension HTTPClientResponse {
    /// A short body, whole.
    ///
    /// More than `limit` bytes are refused.
    func bytes(limit: Int, of what: String, _ origin: RegistryURL.Origin) async throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await buffer in body {
                if bytes.count + buffer.readableBytes > limit {
                    throw Failure(.invalid, "registry \(origin.authority) sent \(what) of more than \(limit) bytes")
                }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch {
            throw RegistryTransport.failure(error, origin, hasAnswered: true)
        }
        return bytes
    }
}
