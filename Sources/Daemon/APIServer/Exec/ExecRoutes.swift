internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import JSON
internal import Linux
internal import NIOHTTP1

/// `/exec` and `/containers/{id}/exec`: processes beside a container's own.
struct ExecRoutes: Sendable {
    let execs: ExecService
    let containers: ContainerService
    let events: EventBus

    var routes: [Route] {
        [
            Route(.POST, "/containers/{id}/exec", create),
            Route(.POST, "/exec/{id}/start", start),
            Route(.POST, "/exec/{id}/resize", resize),
            Route(.GET, "/exec/{id}/json", inspect),
        ]
    }

    private func create(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.body(ExecCreateRequest.self)
        var request = ExecRequest(command: body.cmd ?? [])
        request.env = body.env ?? []
        request.workingDirectory = body.workingDir ?? ""
        request.user = body.user ?? ""
        request.tty = body.tty ?? false
        request.attachStdin = body.attachStdin ?? false
        request.attachStdout = body.attachStdout ?? false
        request.attachStderr = body.attachStderr ?? false
        request.privileged = body.privileged ?? false
        request.detachKeys = body.detachKeys ?? ""
        _ = try DetachSequence.parse(body.detachKeys)
        if exchange.version >= APIVersion(1, 42) { request.consoleSize = try Self.size(body.consoleSize) }
        var answer = ExecCreateResponse()
        answer.id = try execs.create(in: exchange.name, request)
        return try .json(answer, .created)
    }

    private func start(_ exchange: Exchange) async throws -> Reply {
        let body = try await exchange.body(ExecStartRequest.self)
        let size = exchange.version >= APIVersion(1, 42) ? try Self.size(body.consoleSize) : nil
        guard body.consoleSize == nil || body.tty || size == nil else {
            throw Failure(.invalid, "console size is only supported when TTY is enabled")
        }
        let snapshot = try execs.inspect(exchange.name)
        let start = try execs.prepare(exchange.name, detach: body.detach, consoleSize: size)
        if body.detach {
            try await start.begin()
            return Reply(.ok)
        }
        let keys = try DetachSequence.parse(snapshot.request.detachKeys)
        let tty = start.tty
        let descriptor = start.takeSocket()?.release()
        var reply = RawStream.head(exchange, tty: tty, bare: false)
        reply.body = .takeOver { connection in
            // The head is out: only now does the process begin, so that no byte of it shares a segment with the head.
            guard let descriptor else {
                try await start.begin()
                return await connection.finish()
            }
            let relay = Relay(
                connection: connection, forwardsInput: snapshot.request.attachStdin, endsWithInput: tty,
                detachKeys: tty ? keys : nil, ended: { await start.ended() })
            async let began: Void = start.begin()
            let end = try await relay.run(descriptor)
            try await began
            if case .detached = end { detached(snapshot) }
        }
        return reply
    }

    private func detached(_ exec: ExecSnapshot) {
        guard let container = try? containers.inspect(exec.containerID) else { return }
        let attributes = ["execID": exec.id, "image": container.config.image, "name": container.name]
        events.publish(
            Event(
                .container, "exec_detach", actor: container.id,
                attributes: container.config.labels.merging(attributes) { $1 }))
    }

    private func resize(_ exchange: Exchange) async throws -> Reply {
        try await execs.resize(exchange.name, to: try exchange.terminalSize())
        return Reply(.ok)
    }

    private func inspect(_ exchange: Exchange) async throws -> Reply {
        let exec = try execs.inspect(exchange.name)
        var answer = ExecInspect()
        answer.id = exec.id
        answer.running = exec.running
        answer.exitCode = exec.exitCode.map { .integer(Int64($0)) } ?? .null
        answer.processConfig.tty = exec.request.tty
        answer.processConfig.entrypoint = exec.request.command.first ?? ""
        answer.processConfig.arguments = Array(exec.request.command.dropFirst())
        answer.processConfig.privileged = exec.request.privileged
        answer.processConfig.user = exec.request.user.isEmpty ? nil : exec.request.user
        answer.openStdin = exec.request.attachStdin
        answer.openStdout = exec.request.attachStdout
        answer.openStderr = exec.request.attachStderr
        answer.canRemove = exec.canRemove
        answer.containerID = exec.containerID
        answer.detachKeys = exec.request.detachKeys
        answer.pid = Int(exec.pid)
        return try .json(answer)
    }

    /// `[height, width]`.
    private static func size(_ numbers: [Int]?) throws(Failure) -> TerminalSize? {
        guard let numbers else { return nil }
        guard numbers.count == 2, let rows = UInt16(exactly: numbers[0]), let columns = UInt16(exactly: numbers[1])
        else {
            throw Failure(.invalid, "ConsoleSize must be two numbers: height and width")
        }
        return TerminalSize(rows: rows, columns: columns)
    }
}
