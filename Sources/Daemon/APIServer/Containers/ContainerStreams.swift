internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import Linux
internal import NIOCore
internal import NIOHTTP1

/// `/containers/{id}/attach`, `logs` and `wait`: answers that go on for as long as a container does.
struct ContainerStreams: Sendable {
    let containers: ContainerService
    let events: EventBus

    var routes: [Route] {
        [
            Route(.POST, "/containers/{id}/attach", attach),
            Route(.GET, "/containers/{id}/logs", logs),
            Route(.POST, "/containers/{id}/wait", wait),
        ]
    }

    // MARK: Attach

    private func attach(_ exchange: Exchange) async throws -> Reply {
        let query = exchange.query
        let request = AttachRequest(
            stdin: query.flag("stdin"), stdout: query.flag("stdout"), stderr: query.flag("stderr"),
            logs: query.flag("logs"), stream: query.flag("stream"))
        let keys = try DetachSequence.parse(query["detachKeys"])
        let container = try containers.inspect(exchange.name)
        var stream = try await containers.attach(exchange.name, request)
        let tty = stream.tty
        let replay = stream.replay
        let descriptor = stream.takeSocket()?.release()
        var reply = RawStream.head(exchange, tty: tty, bare: true)
        reply.body = .takeOver { [events] connection in
            if let replay { try await Self.send(replay, tty: tty, to: connection) }
            guard let descriptor else { return await connection.finish() }
            let relay = Relay(
                connection: connection, forwardsInput: request.stdin,
                endsWithInput: tty || !container.config.stdinOnce, detachKeys: tty ? keys : nil)
            guard case .detached = try await relay.run(descriptor) else { return }
            events.publish(
                Event(
                    .container, "detach", actor: container.id,
                    attributes: container.config.labels.merging(
                        ["image": container.config.image, "name": container.name]) { $1 }))
        }
        return reply
    }

    private static func send(_ log: LogStream, tty: Bool, to connection: RawConnection) async throws {
        while let records = try await log.next() {
            var bytes = ByteBuffer()
            for record in records { RawStream.append(record, timestamps: false, details: false, tty: tty, to: &bytes) }
            try await connection.write(bytes)
        }
    }

    // MARK: Logs

    private func logs(_ exchange: Exchange) async throws -> Reply {
        let query = exchange.query
        let (stdout, stderr) = (query.flag("stdout"), query.flag("stderr"))
        guard stdout || stderr else {
            throw Failure(.invalid, "Bad parameters: you must choose at least one stream")
        }
        let request = LogRequest(
            stdout: stdout, stderr: stderr, follow: query.flag("follow"),
            since: try exchange.time("since", zeroIsNone: true),
            until: try exchange.time("until", zeroIsNone: true), tail: Self.tail(query["tail"]))
        let tty = try containers.inspect(exchange.name).config.tty
        let log = try await containers.logs(exchange.name, request)
        let (timestamps, details) = (query.flag("timestamps"), query.flag("details"))
        return Reply(
            .ok, headers: ["Content-Type": RawStream.contentType(tty: tty, version: exchange.version)],
            body: .stream { writer in
                try await writer.begin()
                while let records = try await log.next() {
                    var bytes = ByteBuffer()
                    for record in records {
                        RawStream.append(record, timestamps: timestamps, details: details, tty: tty, to: &bytes)
                    }
                    try await writer.write(bytes)
                }
            }, endsWithClient: true)
    }

    /// `all`, nothing, and whatever is no number mean everything.
    static func tail(_ text: String?) -> Int? {
        guard let text, let count = Int(text), count >= 0 else { return nil }
        return count
    }

    // MARK: Wait

    private func wait(_ exchange: Exchange) async throws -> Reply {
        let handle = try containers.wait(exchange.name, try Self.condition(exchange.query["condition"]))
        return Reply(
            .ok, headers: ["Content-Type": jsonContentType],
            body: .stream { writer in
                // At once: the client starts the container when it has seen that it is being waited for.
                try await writer.begin()
                let result = try await handle.result()
                var answer = ContainerWaitResponse()
                answer.statusCode = result.exitCode
                if let message = result.error {
                    var error = WaitError()
                    error.message = message
                    answer.error = error
                }
                try await writer.write(ByteBuffer(line: answer))
            }, endsWithClient: true)
    }

    static func condition(_ text: String?) throws(Failure) -> WaitCondition {
        guard let text, !text.isEmpty else { return .notRunning }
        guard let condition = WaitCondition(rawValue: text) else {
            throw Failure(.invalid, "invalid condition: \"\(text)\"")
        }
        return condition
    }
}
