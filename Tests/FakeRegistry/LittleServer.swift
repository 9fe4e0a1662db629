internal import NIOCore
public import NIOHTTP1
internal import NIOPosix
internal import OCI
internal import Synchronization

/// An HTTP server of a few lines that answers as a test tells it: with lies, breaks and redirects, when they are wanted.
public final class LittleServer: Sendable {
    public struct Request: Sendable {
        public var method: HTTPMethod
        public var path: String
        public var headers: HTTPHeaders
        public var body: [UInt8]
    }

    public struct Answer: Sendable {
        public var status: HTTPResponseStatus
        public var headers: HTTPHeaders
        public var body: [UInt8]
        /// The body is sent so often, one behind the other.
        public var repeats: Int
        /// Close the connection after so many bytes of the body, though more were promised.
        public var breaksAfter: Int?
        /// Send the body again and again, in chunks, for as long as somebody listens.
        public var isEndless = false
        /// Send the body in pieces of so many bytes, a hundredth of a second after one another.
        public var piece: Int?

        public init(
            status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:], body: [UInt8] = [], repeats: Int = 1,
            breaksAfter: Int? = nil
        ) {
            self.status = status
            self.headers = headers
            self.body = body
            self.repeats = repeats
            self.breaksAfter = breaksAfter
        }
    }

    public typealias Handler = @Sendable (Request) -> Answer

    private let channel: any Channel
    private let log = Mutex<[Request]>([])
    public let port: Int
    /// What was asked so far.
    public var requests: [Request] { log.withLock { $0 } }
    /// The address, `127.0.0.1:port`.
    public var address: String { "127.0.0.1:\(port)" }

    /// Answers until the test's body ends.
    public static func with(_ handler: @escaping Handler, _ body: (LittleServer) async throws -> Void) async throws {
        let slot = Mutex<LittleServer?>(nil)
        let box = Box(handler: handler)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(Responder(box: box))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = LittleServer(channel: channel)
        box.server.withLock { $0 = server }
        slot.withLock { $0 = server }
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body(server)) } catch { outcome = .failure(error) }
        try await channel.close()
        try outcome.get()
    }

    /// A port of the loopback that was free a moment ago, for a server that must be told one.
    public static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }

    private init(channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    private final class Box: Sendable {
        let handler: Handler
        let server = Mutex<LittleServer?>(nil)
        init(handler: @escaping Handler) { self.handler = handler }
    }

    private final class Responder: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        let box: Box
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(box: Box) { self.box = box }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, [])
            case .body(let buffer): body.append(contentsOf: buffer.readableBytesView)
            case .end: answer(context)
            }
        }

        private func answer(_ context: ChannelHandlerContext) {
            guard let head else { return }
            let request = Request(method: head.method, path: head.uri, headers: head.headers, body: body)
            box.server.withLock { server in server?.log.withLock { $0.append(request) } }
            let answer = box.handler(request)
            var headers = answer.headers
            if answer.isEndless {
                headers.add(name: "Transfer-Encoding", value: "chunked")
            } else if !headers.contains(name: "Content-Length") {
                headers.add(name: "Content-Length", value: "\(answer.body.count * answer.repeats)")
            }
            context.write(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers))),
                promise: nil)
            if head.method != .HEAD, answer.isEndless {
                context.flush()
                return pour(answer.body, NIOLoopBound(context, eventLoop: context.eventLoop))
            }
            if head.method != .HEAD, let piece = answer.piece {
                context.flush()
                return drip(answer.body[...], piece, NIOLoopBound(context, eventLoop: context.eventLoop))
            }
            if head.method != .HEAD {
                let sent = answer.breaksAfter.map { Array(answer.body.prefix($0)) } ?? answer.body
                // The same memory each time, however long the answer is.
                let piece = ByteBuffer(bytes: sent)
                for _ in 0..<answer.repeats {
                    context.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: nil)
                }
            }
            if answer.breaksAfter != nil {
                context.flush()
                context.close(promise: nil)
                return
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        private func pour(_ bytes: [UInt8], _ context: NIOLoopBound<ChannelHandlerContext>) {
            let responder = NIOLoopBound(self, eventLoop: context.value.eventLoop)
            let body = wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
            context.value.writeAndFlush(body).assumeIsolated().whenSuccess {
                // Not from within: a write that succeeds at once would never return.
                context.value.eventLoop.assumeIsolated().execute { responder.value.pour(bytes, context) }
            }
        }

        private func drip(_ rest: ArraySlice<UInt8>, _ piece: Int, _ context: NIOLoopBound<ChannelHandlerContext>) {
            guard !rest.isEmpty else {
                context.value.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                return
            }
            let body = wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: rest.prefix(piece)))))
            context.value.writeAndFlush(body, promise: nil)
            let responder = NIOLoopBound(self, eventLoop: context.value.eventLoop)
            context.value.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(10)) {
                guard context.value.channel.isActive else { return }
                responder.value.drip(rest.dropFirst(piece), piece, context)
            }
        }
    }
}

/// A registry made of blobs and manifests in memory, for tests that need one that lies.
public struct ServedImage: Sendable {
    public var blobs: [String: [UInt8]] = [:]
    public var manifests: [String: (bytes: [UInt8], type: String)] = [:]

    public init(_ image: TestImage, tag: String = "latest") {
        for (digest, bytes) in image.blobs { blobs[digest.description] = bytes }
        let manifest = (bytes: image.manifest, type: "application/vnd.oci.image.manifest.v1+json")
        manifests[tag] = manifest
        manifests[image.digestOfManifest.description] = manifest
    }

    public func answer(_ request: LittleServer.Request) -> LittleServer.Answer {
        if request.path == "/v2/" { return LittleServer.Answer() }
        let last = String(request.path.split(separator: "/").last ?? "")
        if request.path.contains("/manifests/"), let manifest = manifests[last] {
            return LittleServer.Answer(headers: ["Content-Type": manifest.type], body: manifest.bytes)
        }
        if request.path.contains("/blobs/"), let blob = blobs[last] {
            if let range = request.headers.first(name: "Range"), let start = Int(range.dropFirst(6).dropLast()),
                start < blob.count
            {
                return LittleServer.Answer(
                    status: .partialContent,
                    headers: ["Content-Range": "bytes \(start)-\(blob.count - 1)/\(blob.count)"],
                    body: Array(blob[start...]))
            }
            return LittleServer.Answer(body: blob)
        }
        return LittleServer.Answer(
            status: .notFound,
            body: Array(#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.utf8))
    }
}
