internal import Builder
internal import DockerAPI
internal import Failures
internal import HTTPServer
internal import JSON
internal import NIOCore
internal import NIOHTTP1

extension Failure.Kind {
    /// The one place where kinds of failure become statuses.
    var status: HTTPResponseStatus {
        switch self {
        case .invalid: .badRequest
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .conflict: .conflict
        case .notModified: .notModified
        case .notImplemented: .notImplemented
        case .unavailable: .serviceUnavailable
        case .cancelled, .internal: .internalServerError
        }
    }
}

extension Reply {
    /// Any error as Docker's clients know them: a status and `{"message": …}`.
    static func failure(_ error: any Error) -> Reply {
        let (status, message) = described(error)
        // 304 has no body, and needs none: it says that there was nothing to do.
        guard status.mayHaveResponseBody else { return Reply(status) }
        var body = ErrorResponse()
        body.message = message
        return (try? .json(body, status)) ?? Reply(.internalServerError)
    }

    static func described(_ error: any Error) -> (HTTPResponseStatus, String) {
        switch error {
        case let failure as Failure: (failure.kind.status, failure.message)
        case let error as ProtocolError: (error.status, error.reason)
        case let error as RequestBody.TooLarge:
            (.payloadTooLarge, "request body is larger than \(error.limit) bytes")
        case let error as JSON.ParseError: (.badRequest, "invalid JSON: \(error)")
        case let error as StepFailure: (.internalServerError, error.description)
        case is CancellationError: (.internalServerError, "context canceled")
        default: (.internalServerError, "\(error)")
        }
    }
}
