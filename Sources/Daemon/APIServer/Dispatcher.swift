internal import DockerAPI
internal import Failures
internal import HTTPServer
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// Finds the route for a request and puts on every answer what Docker's clients read from its headers.
struct Dispatcher: Responder {
    let routes: RouteTable
    /// The server's version, for the `Server` header.
    let serverVersion: String
    let logger: Logger

    func respond(to request: Request) async -> Reply {
        var reply: Reply
        do {
            reply = try await answer(request)
        } catch {
            reply = .failure(error)
            note(error, request, reply.status)
        }
        if case .takeOver = reply.body, reply.headers.contains(name: Self.bareHeader) {
            reply.headers.remove(name: Self.bareHeader)
            return reply
        }
        reply.headers.add(contentsOf: standardHeaders)
        if case .takeOver = reply.body { return reply }
        reply.headers.add(name: "Date", value: HTTPDate.now())
        return reply
    }

    func reply(to error: any Error) -> Reply {
        var reply = Reply.failure(error)
        reply.headers.add(contentsOf: standardHeaders)
        reply.headers.add(name: "Date", value: HTTPDate.now())
        return reply
    }

    func trailer(for error: any Error) -> ByteBuffer? { nil }

    /// Marks an answer that goes out without the standard headers: attach, whose head clients know byte for byte.
    static let bareHeader = "Skiff-Bare"

    private var standardHeaders: HTTPHeaders {
        [
            "Api-Version": APIVersion.newest.description, "Docker-Experimental": "false", "Ostype": "linux",
            "Server": "Docker/\(serverVersion) (linux)",
        ]
    }

    private func answer(_ request: Request) async throws -> Reply {
        if request.isRemote { try BrowserGuard.check(request.headers) }
        if request.method == .OPTIONS { return Reply(.ok) }
        let (version, segments) = try Self.split(request.path)
        guard let (route, name) = routes.route(request.method, segments) else {
            throw Failure(.notFound, "page not found")
        }
        return try await route.handler(Exchange(request: request, version: version, name: name))
    }

    /// Takes the version off a path.
    ///
    /// - Throws: `invalid` in the words that Docker's clients match for a version outside what is spoken here.
    static func split(_ path: String) throws(Failure) -> (version: APIVersion, segments: [String]) {
        var segments = path.split(separator: "/").map { percentDecoded($0) }
        guard let first = segments.first, first.hasPrefix("v"), let version = APIVersion(first) else {
            return (.newest, segments)
        }
        segments.removeFirst()
        guard version >= .oldest else {
            throw Failure(
                .invalid,
                "client version \(version) is too old. Minimum supported API version is \(APIVersion.oldest), please upgrade your client to a newer version"
            )
        }
        guard version <= .newest else {
            throw Failure(
                .invalid, "client version \(version) is too new. Maximum supported API version is \(APIVersion.newest)")
        }
        return (version, segments)
    }

    private func note(_ error: any Error, _ request: Request, _ status: HTTPResponseStatus) {
        logger.debug(
            "request failed",
            metadata: [
                "request": "\(request.method) \(request.path)", "status": "\(status.code)", "reason": "\(error)",
            ])
    }
}
