import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import HTTPServer

/// The exchange that Docker's clients expect of attach and exec, byte for byte over a real socket.
@Suite struct HijackTests {
    private static let upgraded =
        "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    private static let raw = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"

    @Test func answersUpgradeWith101AndEchoesThroughBothHalfCloses() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send(
                "POST /echo HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n")
            #expect(try client.read(until: "\r\n\r\n") == Self.upgraded)
            try client.send("hello")
            #expect(try client.read(until: "hello") == "hello")
            client.finish()
            // Output goes on behind the end of input.
            #expect(try client.readToEnd() == "<end of 5>")
        }
    }

    @Test func aBodyOnAnUpgradeIsReadBeforeTheConnectionIsTakenOver() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send(
                "POST /exec HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                    + "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}early")
            #expect(try client.read(until: "\r\n\r\n") == Self.upgraded)
            client.finish()
            #expect(try client.readToEnd() == "{\"a\":1}early<end of 5>")
        }
    }

    @Test func aChunkedBodyOnAnUpgradeIsReadToo() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send(
                "POST /exec HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nearly")
            #expect(try client.read(until: "\r\n\r\n") == Self.upgraded)
            client.finish()
            #expect(try client.readToEnd() == "abcearly<end of 5>")
        }
    }

    @Test(arguments: ["", "Connection: Upgrade\r\nUpgrade: tcp\r\n"])
    func stdinInTheSameSegmentAndAnEarlyHalfCloseAreNotLost(upgrade: String) async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send(
                "POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\(upgrade)\r\nGET early\r\n\r\nstdin")
            client.finish()
            let head = try client.read(until: "\r\n\r\n")
            #expect(head == (upgrade.isEmpty ? Self.raw : Self.upgraded))
            #expect(try client.readToEnd() == "GET early\r\n\r\nstdin<end of 18>")
        }
    }

    @Test func withoutUpgradeTheSocketIsRawBehindA200() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /echo HTTP/1.1\r\nHost: d\r\n\r\n")
            #expect(try client.read(until: "\r\n\r\n") == Self.raw)
            try client.send("POST / HTTP/1.1\r\n\r\n")
            #expect(try client.read(until: "\r\n\r\n") == "POST / HTTP/1.1\r\n\r\n")
            client.finish()
            #expect(try client.readToEnd() == "<end of 19>")
        }
    }

    @Test func takesOverOnTheSecondRequestOfAConnection() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("GET /ping HTTP/1.1\r\nHost: d\r\n\r\n")
            #expect(try client.read(until: "\r\n\r\nOK").hasPrefix("HTTP/1.1 200 OK\r\n"))
            try client.send("POST /echo HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            #expect(try client.read(until: "\r\n\r\n") == Self.upgraded)
            try client.send("x")
            client.finish()
            #expect(try client.readToEnd() == "x<end of 1>")
        }
    }

    @Test func ourHalfCloseLetsTheClientGoOnSending() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /half HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            _ = try client.read(until: "\r\n\r\n")
            #expect(try client.readToEnd() == "bye")
            try client.send([UInt8](repeating: 7, count: 100_000))
            client.finish()
        }
    }

    @Test func anUpgradeThatIsNotTakenIsAnsweredAndClosed() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send(
                "GET /ping HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /ping HTTP/1.1\r\n\r\n"
            )
            let answer = try client.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("Connection: close\r\n"))
            #expect(answer.hasSuffix("\r\n\r\nOK"))
        }
    }

    @Test func manyBytesBothWaysAtOnce() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /echo HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            _ = try client.read(until: "\r\n\r\n")
            let piece = [UInt8](repeating: 0x61, count: 50_000)
            for _ in 0..<40 {
                try client.send(piece)
                #expect(try client.read(count: piece.count) == piece)
            }
            client.finish()
            #expect(try client.readToEnd() == "<end of 2000000>")
        }
    }
}

@Suite struct PouredBodyTests {
    /// The same sum as the sink's.
    private func sum(_ bytes: [UInt8]) -> Int { bytes.reduce(0) { ($0 &* 31 &+ Int($1)) % 1_000_003 } }

    @Test(arguments: [Int.max, 100_000, 1]) func everyByteComesInOrderAndTheConnectionGoesOn(window: Int) async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            try client.send("POST /pour?window=\(window) HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: bytes.count, by: 32_768) {
                let piece = Array(bytes[start..<min(start + 32_768, bytes.count)])
                try client.send(Array((String(piece.count, radix: 16) + "\r\n").utf8) + piece + Array("\r\n".utf8))
            }
            try client.send("0\r\n\r\n")
            let way = window == .max ? "flowed" : "stopped"
            #expect(try client.read(until: "ed\n").hasSuffix("\r\n\r\n\(bytes.count) \(sum(bytes)) \(way)\n"))
            try client.send(
                "POST /pour HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabcGET /ping HTTP/1.1\r\nHost: d\r\n\r\n")
            #expect(try client.read(until: "ed\n").hasSuffix("\r\n\r\n3 \(sum(Array("abc".utf8))) flowed\n"))
            #expect(try client.read(until: "OK").hasPrefix("HTTP/1.1 200 OK"))
        }
    }

    @Test func aSinkThatIsLeftEndsTheWait() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /pour?most=1000 HTTP/1.1\r\nHost: d\r\nContent-Length: 200000\r\n\r\n")
            // The answer comes though the body has not: whatever came is thrown away, and then the connection goes on.
            try client.send([UInt8](repeating: 1, count: 150_000))
            #expect(try client.read(until: "ed\n").hasPrefix("HTTP/1.1 200 OK"))
            try client.send([UInt8](repeating: 1, count: 50_000))
            try client.send("GET /ping HTTP/1.1\r\nHost: d\r\n\r\n")
            #expect(try client.read(until: "\r\n\r\nOK").hasPrefix("HTTP/1.1 200 OK"))
        }
    }

    @Test func aClientThatGoesFailsThePouring() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /pour HTTP/1.1\r\nHost: d\r\nContent-Length: 200000\r\n\r\nabc")
            client.finish()
            #expect(try client.readToEnd().hasPrefix("HTTP/1.1 400"))
        }
    }
}

@Suite struct ExchangeTests {
    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send(
                "GET /ping HTTP/1.1\r\nHost: d\r\n\r\nHEAD /ping HTTP/1.1\r\nHost: d\r\n\r\nGET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n"
            )
            let all = try client.readToEnd()
            let statuses = all.split(separator: "\r\n").filter { $0.contains("HTTP/1.1 ") }
            #expect(statuses == ["HTTP/1.1 200 OK", "OKHTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"])
        }
    }

    @Test func theAnswerMayBeginBeforeTheBodyEnds() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /duplex HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            #expect(try client.read(until: "got one").lowercased().contains("transfer-encoding: chunked"))
            try client.send("3\r\ntwo\r\n")
            _ = try client.read(until: "got two")
            try client.send("0\r\n\r\n")
            #expect(try client.read(until: "0\r\n\r\n").hasSuffix("0\r\n\r\n"))
            try client.send("GET /ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
            #expect(try client.readToEnd().hasSuffix("OK"))
        }
    }

    @Test func aClientThatAsksGetsLeaveToSendItsBody() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /exec HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            try client.send("ab")
            client.finish()
            #expect(try client.readToEnd().hasSuffix("ab<end of 0>"))
        }
    }

    @Test func anErrorBeforeTheFirstByteHasItsOwnStatusAndLaterATrailer() async throws {
        try await withServer { path in
            let early = try SocketClient(path: path)
            try early.send("GET /fail-early HTTP/1.1\r\nConnection: close\r\n\r\n")
            #expect(try early.readToEnd().hasPrefix("HTTP/1.1 500 "))
            let late = try SocketClient(path: path)
            try late.send("GET /fail-late HTTP/1.1\r\nConnection: close\r\n\r\n")
            let answer = try late.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 200 OK"))
            #expect(answer.contains("first") && answer.contains("error: late") && answer.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test func aStreamIsCalledOffWhenItsClientLeaves() async throws {
        let ended = ConditionLock(value: false)
        try await withServer(onStreamEnd: {
            ended.lock(); ended.unlock(withValue: true)
        }) { path in
            do {
                let client = try SocketClient(path: path)
                try client.send("GET /forever HTTP/1.1\r\nHost: d\r\n\r\n")
                _ = try client.read(until: "begun")
            }
            #expect(ended.lock(whenValue: true, timeoutSeconds: 180))
            ended.unlock()
        }
    }

    @Test(arguments: [
        ("BROKEN\r\n\r\n", "HTTP/1.1 400 "),
        ("GET / HTTP/1.1\r\nA: \(String(repeating: "x", count: 5000))\r\n\r\n", "HTTP/1.1 431 "),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 "),
        ("POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\n", "HTTP/1.1 400 "),
    ])
    func whatIsNotARequestIsRefused(bytes: String, status: String) async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send(bytes)
            #expect(try client.readToEnd().hasPrefix(status))
        }
    }

    @Test func aBodyNobodyReadsDoesNotBlockTheNextRequest() async throws {
        try await withServer { path in
            let client = try SocketClient(path: path)
            try client.send("POST /ping HTTP/1.1\r\nContent-Length: 50000\r\n\r\n")
            try client.send([UInt8](repeating: 1, count: 50000))
            _ = try client.read(until: "\r\n\r\nOK")
            try client.send("GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n")
            #expect(try client.readToEnd().hasSuffix("OK"))
        }
    }
}

/// More than a socket holds, so that the end of it waits in the server for a client that has not read the beginning.
@Suite struct LargeAnswerTests {
    private static func expectWhole(_ client: SocketClient, _ hasBegun: ConditionLock<Bool>? = nil) throws {
        _ = try client.read(until: "\r\n\r\n")
        if let hasBegun {
            #expect(hasBegun.lock(whenValue: true, timeoutSeconds: 180))
            hasBegun.unlock()
        }
        let size = TestResponder.large.readableBytes
        #expect(try client.read(count: size + 1).count == size)
    }

    @Test(arguments: [true, false])
    func aConnectionThatWasTakenOverEndsBehindItsLastByte(halfClosed: Bool) async throws {
        let finishing = ConditionLock(value: false)
        try await withServer(
            linger: .zero,
            onStreamEnd: {
                finishing.lock(); finishing.unlock(withValue: true)
            }
        ) { path in
            let client = try SocketClient(path: path)
            try client.send("POST /large\(halfClosed ? "?behind-input=1" : "") HTTP/1.1\r\nHost: d\r\n\r\n")
            if halfClosed { client.finish() }
            try Self.expectWhole(client, finishing)
        }
    }

    @Test(arguments: [true, false]) func anAnswerThatIsTheLastLeavesWhole(halfClosed: Bool) async throws {
        try await withServer(linger: .zero) { path in
            let client = try SocketClient(path: path)
            try client.send("GET /large HTTP/1.1\r\nHost: d\r\n\(halfClosed ? "" : "Connection: close\r\n")\r\n")
            if halfClosed { client.finish() }
            try Self.expectWhole(client)
        }
    }
}

private struct Late: Error {}

/// Counts what is poured into it and adds it up, with a window that is emptied by somebody else, as a slow reader does.
private final class CountingSink: BodySink {
    private struct State {
        var count = 0
        var sum = 0
        var held = 0
        var stops = 0
    }
    private let state = NIOLockedValueBox(State())
    private let window: Int
    private let most: Int

    init(window: Int, most: Int) { (self.window, self.most) = (window, most) }

    var text: String { state.withLockedValue { "\($0.count) \($0.sum) \($0.stops > 0 ? "stopped" : "flowed")" } }

    func take(_ bytes: ByteBuffer) -> BodyDemand {
        state.withLockedValue { state in
            guard state.count < most else { return .nothing }
            for byte in bytes.readableBytesView {
                state.count += 1
                state.sum = (state.sum &* 31 &+ Int(byte)) % 1_000_003
            }
            state.held += bytes.readableBytes
            guard state.held >= window else { return .more }
            state.stops += 1
            return .full
        }
    }

    func whenRoom(_ action: @escaping @Sendable () -> Void) {
        NIOThreadPool.singleton.submit { _ in
            self.state.withLockedValue { $0.held = 0 }
            action()
        }
    }
}

private struct TestResponder: Responder {
    let onStreamEnd: @Sendable () -> Void

    static let large = ByteBuffer(repeating: 0x61, count: 8 << 20)

    func respond(to request: Request) async -> Reply {
        switch request.path {
        case "/ping": return Reply(.ok, body: .bytes(ByteBuffer(string: "OK")))
        case "/echo": return takeOver(request, first: ByteBuffer())
        case "/exec":
            guard let body = try? await request.body.collect(upTo: 1000) else { return Reply(.badRequest) }
            return takeOver(request, first: body)
        case "/half":
            return Reply(
                .custom(code: 101, reasonPhrase: "UPGRADED"),
                body: .takeOver { raw in
                    try await raw.write(ByteBuffer(string: "bye"))
                    await raw.closeOutput()
                    while try await raw.read() != nil {}
                })
        case "/large":
            guard request.method == .POST else { return Reply(.ok, body: .bytes(Self.large)) }
            let isBehindInput = request.query["behind-input"] != nil
            return Reply(
                .ok,
                body: .takeOver { [onStreamEnd] raw in
                    if isBehindInput { while try await raw.read() != nil {} }
                    // In one write, which returns before the client has read any of it.
                    try await raw.write(Self.large)
                    async let finished: Void = raw.finish()
                    try await raw.eventLoop.submit {}.get()
                    onStreamEnd()
                    await finished
                })
        case "/pour":
            let sink = CountingSink(
                window: Int(request.query["window"] ?? "") ?? .max, most: Int(request.query["most"] ?? "") ?? .max)
            do { try await request.body.pour(into: sink) } catch { return Reply(.badRequest) }
            return Reply(.ok, body: .bytes(ByteBuffer(string: "\(sink.text)\n")))
        case "/duplex":
            return Reply(
                .ok,
                body: .stream { writer in
                    for try await piece in request.body {
                        try await writer.write(ByteBuffer(string: "got " + String(buffer: piece)))
                    }
                })
        case "/fail-early": return Reply(.ok, body: .stream { _ in throw Late() })
        case "/fail-late":
            return Reply(
                .ok,
                body: .stream { writer in
                    try await writer.write(ByteBuffer(string: "first"))
                    throw Late()
                })
        case "/forever":
            return Reply(
                .ok,
                body: .stream { [onStreamEnd] writer in
                    try await writer.write(ByteBuffer(string: "begun"))
                    let never = AsyncStream.makeStream(of: Void.self)
                    for await _ in never.stream {}
                    onStreamEnd()
                }, endsWithClient: true)
        default: return Reply(.notFound)
        }
    }

    private func takeOver(_ request: Request, first: ByteBuffer) -> Reply {
        var headers: HTTPHeaders = ["Content-Type": "application/vnd.docker.raw-stream"]
        var status = HTTPResponseStatus.ok
        if request.upgrade != nil {
            headers.add(name: "Connection", value: "Upgrade")
            headers.add(name: "Upgrade", value: "tcp")
            status = .custom(code: 101, reasonPhrase: "UPGRADED")
        }
        return Reply(
            status, headers: headers,
            body: .takeOver { raw in
                if first.readableBytes > 0 { try await raw.write(first) }
                var count = 0
                while let bytes = try await raw.read() {
                    count += bytes.readableBytes
                    try await raw.write(bytes)
                }
                try await raw.write(ByteBuffer(string: "<end of \(count)>"))
                await raw.closeOutput()
            })
    }

    func reply(to error: any Error) -> Reply {
        let status = (error as? ProtocolError)?.status ?? .internalServerError
        return Reply(status, body: .bytes(ByteBuffer(string: "\(error)")))
    }

    func trailer(for error: any Error) -> ByteBuffer? { ByteBuffer(string: "error: late") }
}

/// Runs `body` against a server on a socket of its own, then shuts the server down and waits for it.
private func withServer(
    linger: TimeAmount = HTTPLimits().linger, onStreamEnd: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable (String) throws -> Void
) async throws {
    let path = "/tmp/skiff-http-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    try #require(bound == 0 && listen(descriptor, 64) == 0)
    defer { unlink(path) }
    var limits = HTTPLimits()
    limits.fieldBytes = 4096
    limits.linger = linger
    let server = Server(
        responder: TestResponder(onStreamEnd: onStreamEnd), limits: limits,
        group: .singletonMultiThreadedEventLoopGroup,
        logger: Logger(label: "test"))
    async let running: Void = server.run([Listener(descriptor: descriptor, address: "unix://\(path)", isRemote: false)])
    // The client blocks its thread: not one of the pool that answers, which may have no other.
    let client = NIOThreadPool(numberOfThreads: 1)
    client.start()
    let result: Result<Void, any Error> = try await client.runIfActive { Result { try body(path) } }
    try await client.shutdownGracefully()
    server.shutDown()
    try await running
    try result.get()
}
