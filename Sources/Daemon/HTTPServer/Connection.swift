internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// One client's connection, from its first request to its end.
struct Connection: Sendable {
    let channel: NIOAsyncChannel<ConnectionInput, ConnectionOutput>
    let presence: ClientPresence
    let responder: any Responder
    let limits: HTTPLimits
    let isRemote: Bool
    let drain: DrainSignal
    let logger: Logger

    /// Answers requests until the client or the server is done.
    func run() async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                let reader = ConnectionReader(inbound.makeAsyncIterator(), outbound)
                do {
                    while let head = try await nextHead(reader) {
                        guard try await answer(head, reader, outbound) else { break }
                    }
                } catch let error as HTTPParserError {
                    try await refuse(error, outbound)
                }
                await leave(reader, end(outbound))
            }
        } catch {
            logger.debug("connection ended", metadata: ["reason": "\(error)"])
        }
    }

    /// Waits for a request; a server that drains closes a connection that waits.
    private func nextHead(_ reader: ConnectionReader) async throws -> HTTPRequestHead? {
        guard drain.enterIdle(channel.channel) else { return nil }
        let head = try await reader.nextHead()
        drain.leaveIdle(channel.channel)
        return head
    }

    /// Answers one request; false when the connection cannot carry another.
    private func answer(
        _ head: HTTPRequestHead, _ reader: ConnectionReader, _ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    ) async throws -> Bool {
        let request = Request(head: head, body: RequestBody(reader), isRemote: isRemote)
        var reply = await responder.respond(to: request)
        if case .takeOver(let body) = reply.body {
            guard try await reader.discardBody(upTo: limits.discardBytes) else { return false }
            try await outbound.write(.takeOver(Self.literalHead(reply)))
            try await body(RawConnection(reader: reader, end: end(outbound)))
            return false
        }
        // The parser stops behind a request that offers an upgrade, so this answer is the connection's last.
        var keeps = head.isKeepAlive && request.upgrade == nil && !drain.isDraining
        if !keeps { reply.headers.replaceOrAdd(name: "Connection", value: "close") }
        switch reply.body {
        case .none: try await send(reply, nil, head, outbound)
        case .bytes(let bytes): try await send(reply, bytes, head, outbound)
        case .stream(let body): if try await !stream(reply, body, head, outbound) { keeps = false }
        case .takeOver: break
        }
        return try await reader.discardBody(upTo: limits.discardBytes) && keeps
    }

    private func send(
        _ reply: Reply, _ bytes: ByteBuffer?, _ request: HTTPRequestHead,
        _ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    ) async throws {
        var head = HTTPResponseHead(version: request.version, status: reply.status, headers: reply.headers)
        if reply.status.mayHaveResponseBody, !head.headers.contains(name: "content-length") {
            head.headers.add(name: "Content-Length", value: "\(bytes?.readableBytes ?? 0)")
        }
        if let bytes, request.method != .HEAD, reply.status.mayHaveResponseBody {
            try await outbound.write(contentsOf: [.head(head), .body(bytes), .end])
        } else {
            try await outbound.write(contentsOf: [.head(head), .end])
        }
    }

    /// Runs a streamed answer; false when it broke off and the connection must show that.
    private func stream(
        _ reply: Reply, _ body: @escaping @Sendable (BodyWriter) async throws -> Void, _ request: HTTPRequestHead,
        _ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    ) async throws -> Bool {
        let head = HTTPResponseHead(version: request.version, status: reply.status, headers: reply.headers)
        let writer = BodyWriter(outbound, head: head, bodyAllowed: request.method != .HEAD)
        do {
            if reply.endsWithClient { try await runWhileClientListens(body, writer) } else { try await body(writer) }
        } catch {
            guard writer.hasBegun else {
                let failed = responder.reply(to: error)
                guard case .bytes(let bytes) = failed.body else { return false }
                try await send(failed, bytes, request, outbound)
                return true
            }
            guard let last = responder.trailer(for: error) else {
                logger.debug("stream broke off", metadata: ["reason": "\(error)"])
                try? await channel.channel.close()
                return false
            }
            try await writer.write(last)
        }
        try await writer.begin()
        try await outbound.write(.end)
        return true
    }

    /// A task of its own, so that it can be called off without losing the connection's task to cancellation.
    private func runWhileClientListens(
        _ body: @escaping @Sendable (BodyWriter) async throws -> Void, _ writer: BodyWriter
    ) async throws {
        let task = Task { try await body(writer) }
        presence.whenGone { task.cancel() }
        let ticket = drain.onDrain { task.cancel() }
        defer {
            presence.forget()
            drain.forget(ticket)
        }
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func refuse(_ error: any Error, _ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>) async throws {
        var status = HTTPResponseStatus.badRequest
        if case .headerOverflow? = error as? HTTPParserError { status = .requestHeaderFieldsTooLarge }
        var reply = responder.reply(to: ProtocolError(status: status, reason: "\(error)"))
        reply.headers.replaceOrAdd(name: "Connection", value: "close")
        guard case .bytes(let bytes) = reply.body else { return }
        let asked = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        try await send(reply, bytes, asked, outbound)
    }

    private func end(_ outbound: NIOAsyncChannelOutboundWriter<ConnectionOutput>) -> OutputEnd {
        OutputEnd(outbound: outbound, channel: channel.channel, linger: limits.linger, drain: drain)
    }

    /// Ends our side, and reads on until a moment behind that, so that closing with unread input does not destroy what
    /// was just sent.
    private func leave(_ reader: ConnectionReader, _ end: OutputEnd) async {
        async let timer = end.finish()
        while (try? await reader.nextBytes()) != nil {}
        await timer.cancel()
    }

    /// The head of a take-over, byte for byte as the route gave it.
    static func literalHead(_ reply: Reply) -> ByteBuffer {
        var head = ByteBuffer()
        head.writeString("HTTP/1.1 \(reply.status.code) \(reply.status.reasonPhrase)\r\n")
        for (name, value) in reply.headers { head.writeString("\(name): \(value)\r\n") }
        head.writeString("\r\n")
        return head
    }
}
