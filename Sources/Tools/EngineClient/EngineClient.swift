public import Failures
public import JSON
internal import Linux

/// Speaks the Docker Engine API to one engine.
///
/// Calls block. Each runs on a connection of its own, except that one idle connection is kept, so that a command of
/// several calls connects once. No version is negotiated beforehand: the client asks for its own, and an engine that
/// is older says so, whereupon the call is made again as the engine wants it.
public final class EngineClient {
    public let endpoint: Endpoint
    /// The API version that is asked for: "1.50".
    public private(set) var version: String
    private let userAgent: String
    private var idle: Connection?

    /// What this client was written against.
    public static let newestVersion = "1.50"

    public init(endpoint: Endpoint, version: String = newestVersion, userAgent: String) {
        self.endpoint = endpoint
        self.version = version
        self.userAgent = userAgent
    }

    /// An answer with its body still to come; any status is an answer.
    public func open(_ request: Request) throws(Failure) -> Response {
        let response = try exchange(request)
        guard response.head.status == 400, let older = try olderVersion(response) else { return response }
        version = older
        return try exchange(request)
    }

    /// An answer whose status says that it went well.
    ///
    /// - Throws: an ``EngineError`` as the cause of a failure with the engine's own message.
    public func call(_ request: Request) throws(Failure) -> Response {
        let response = try open(request)
        if response.head.status / 100 == 2 || response.head.status == 304 { return response }
        throw try Self.failure(response)
    }

    /// The JSON of an answer that went well; null when it has no body.
    @discardableResult
    public func json(_ request: Request) throws(Failure) -> JSON { try call(request).json() }

    /// Turns the connection of a request into a raw stream, as attach and exec do it.
    public func hijack(_ request: Request) throws(Failure) -> RawStream {
        var request = request
        request.headers += [(name: "Connection", value: "Upgrade"), (name: "Upgrade", value: "tcp")]
        let (connection, head, _) = try send(request)
        if head.status == 101 || head.status == 200 { return RawStream(connection, head: head) }
        let response = try Response(head: head, to: request.method, over: connection, upload: nil, release: { _ in })
        if response.head.status == 400, let older = try olderVersion(response) {
            version = older
            request.headers.removeLast(2)
            return try hijack(request)
        }
        throw try Self.failure(response)
    }

    // MARK: Errors

    /// The failure that an answer is, with the engine's own message.
    public static func failure(_ response: Response) throws(Failure) -> Failure {
        let status = response.head.status
        let bytes = try response.readAll(limit: 1 << 20)
        let message = (try? JSON.parse(bytes))?["message"]?.stringValue ?? String(decoding: bytes, as: UTF8.self)
        let error = EngineError(status: status, message: message.isEmpty ? "status \(status)" : message)
        return Failure(error.kind, error.message, cause: error)
    }

    /// The version to fall back to when the answer is that ours is too new.
    private func olderVersion(_ response: Response) throws(Failure) -> String? {
        guard response.head["api-version"] != nil || response.head["content-type"] != nil else { return nil }
        let body = try response.readAll(limit: 1 << 20)
        let message = (try? JSON.parse(body))?["message"]?.stringValue ?? ""
        let marker = "Maximum supported API version is "
        guard message.contains("is too new"), let found = message.range(of: marker) else {
            throw Failure(.invalid, message, cause: EngineError(status: 400, message: message))
        }
        let older = String(message[found.upper...].prefix { $0.isNumber || $0 == "." })
        return older == version || older.isEmpty ? nil : older
    }

    // MARK: Exchange

    private func exchange(_ request: Request) throws(Failure) -> Response {
        let (connection, head, upload) = try send(request)
        return try Response(head: head, to: request.method, over: connection, upload: upload) { [weak self] in
            self?.idle = $0
        }
    }

    /// Sends a request and reads the head of its answer, on the idle connection first if there is one.
    private func send(_ request: Request) throws(Failure) -> (Connection, ResponseHead, Upload?) {
        if let connection = idle {
            idle = nil
            // The engine may have closed it meanwhile; nothing of a stream may have been spent on finding that out.
            if case .stream = request.body {
            } else if let (head, _) = try? transmit(request, over: connection) {
                return (connection, head, nil)
            }
        }
        let connection = try Connection(to: endpoint)
        let (head, upload) = try transmit(request, over: connection)
        return (connection, head, upload)
    }

    private func transmit(_ request: Request, over connection: Connection) throws(Failure) -> (ResponseHead, Upload?) {
        var headers = request.headers
        headers.insert((name: "Host", value: endpoint.hostHeader), at: 0)
        headers.append((name: "User-Agent", value: userAgent))
        var content: [UInt8] = []
        var streamed: Upload.Body?
        switch request.body {
        case .none:
            if request.method != .get, request.method != .head { headers.append((name: "Content-Length", value: "0")) }
        case .json(let json):
            content = json.serialized()
            headers.append((name: "Content-Type", value: "application/json"))
            headers.append((name: "Content-Length", value: String(content.count)))
        case .bytes(let bytes, let type):
            content = bytes
            headers.append((name: "Content-Type", value: type))
            headers.append((name: "Content-Length", value: String(content.count)))
        case .stream(let type, let body):
            streamed = body
            headers.append((name: "Content-Type", value: type))
            headers.append((name: "Transfer-Encoding", value: "chunked"))
        }
        var text = "\(request.method.rawValue) \(request.target(version: version)) HTTP/1.1\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        try connection.write(Array("\(text)\r\n".utf8) + content)
        guard let streamed else { return (try readHead(connection), nil) }
        let upload = Upload()
        try upload.start(streamed, over: connection.socket)
        do { return (try readHead(connection), upload) } catch { throw upload.failure ?? error }
    }

    private func readHead(_ connection: Connection) throws(Failure) -> ResponseHead {
        while true {
            guard let line = try connection.readLine() else { throw connection.cutShort }
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
                throw Failure(.internal, "\(endpoint) does not speak HTTP: check the address given by -H or SKIFF_HOST")
            }
            var headers: [(name: String, value: String)] = []
            while let line = try connection.readLine(), !line.isEmpty {
                guard headers.count < 200, let colon = line.firstIndex(of: ":") else {
                    throw Failure(.internal, "the engine at \(endpoint) sent a header that is none")
                }
                let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
                headers.append((name: String(line[..<colon]), value: String(value)))
            }
            if status == 100 { continue }
            return ResponseHead(status: status, headers: headers)
        }
    }
}

/// What an engine answered instead of doing what it was asked.
public struct EngineError: Error, Sendable, Hashable {
    public let status: Int
    /// The engine's own words.
    public let message: String

    public init(status: Int, message: String) {
        self.status = status
        self.message = message
    }

    var kind: Failure.Kind {
        switch status {
        case 400: .invalid
        case 401: .unauthorized
        case 403: .forbidden
        case 404: .notFound
        case 409: .conflict
        case 501: .notImplemented
        case 503: .unavailable
        default: .internal
        }
    }
}
