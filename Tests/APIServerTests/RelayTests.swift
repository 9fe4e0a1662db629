import CLinux
import HTTPServer
import Linux
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import APIServer

/// A relay behind a server, with a client on one side and the far end of a process's stream on the other.
@Suite struct RelayTests {
    @Test func theOutputEndsForTheClientWhenItIsKnownHowTheProcessEnded() async throws {
        let stored = Mutex(false), over = AsyncStream.makeStream(of: Void.self)
        let ended = { @Sendable in
            for await _ in over.stream {}
            // Whoever does not wait for this is ahead of it by now.
            for _ in 0..<10_000 { await Task.yield() }
            stored.withLock { $0 = true }
        }
        let (seen, end) = try await withRelay(ended: ended) { client, process in
            try writeAll(process, "out")
            shutDown(process, reading: true, writing: true)
            over.continuation.finish()
            let text = String(decoding: try readAll(client), as: UTF8.self)
            return (text: text, isStored: stored.withLock { $0 })
        }
        #expect(seen.text.hasSuffix("\r\n\r\nout"))
        #expect(seen.isStored)
        #expect(end == .outputEnded)
    }

    @Test(.timeLimit(.minutes(3))) func aClientThatLeavesIsNotHeldByAnEndThatNeverComes() async throws {
        let (_, end) = try await withRelay(ended: Self.never) { client, process in
            try writeAll(process, "out")
            shutDown(process, reading: true, writing: true)
            try read(client, until: "out")
            shutDown(client, reading: true, writing: true)
        }
        #expect(end == .outputEnded)
    }

    @Test(.timeLimit(.minutes(3))) func aClientThatDetachesWaitsForNoEnd() async throws {
        let (rest, end) = try await withRelay(tty: true, ended: Self.never) { client, process in
            try writeAll(process, "out")
            try read(client, until: "out")
            try writeAll(client, [16, 17])
            return (client: try readAll(client), process: try readAll(process))
        }
        #expect(rest.client.isEmpty && rest.process.isEmpty)
        #expect(end == .detached)
    }

    @Test(.timeLimit(.minutes(3))) func theEndOfInputOfATerminalWaitsForNoEnd() async throws {
        let (rest, end) = try await withRelay(tty: true, ended: Self.never) { client, process in
            try writeAll(process, "out")
            try read(client, until: "out")
            try writeAll(client, "in")
            shutDown(client, writing: true)
            return (client: try readAll(client), process: try readAll(process))
        }
        #expect(rest.client.isEmpty && rest.process == Array("in".utf8))
        #expect(end == .outputEnded)
    }

    @Test(.timeLimit(.minutes(3))) func aClientThatWasCutOffIsToldWithoutAnEnd() async throws {
        let (rest, end) = try await withRelay(ended: Self.never, patience: .zero) { client, process in
            try writeAll(process, "out")
            shutDown(process, reading: true, writing: true)
            return try readAll(client)
        }
        #expect(String(decoding: rest, as: UTF8.self).hasSuffix("out"))
        #expect(end == .outputEnded)
    }

    /// Returns when its task is called off.
    @Sendable private static func never() async {
        let never = AsyncStream.makeStream(of: Void.self)
        for await _ in never.stream {}
    }
}

private struct RelayResponder: Responder {
    let relay: @Sendable (RawConnection) async throws -> Void

    func respond(to request: Request) async -> Reply { Reply(.ok, body: .takeOver(relay)) }
    func reply(to error: any Error) -> Reply { Reply(.internalServerError) }
    func trailer(for error: any Error) -> ByteBuffer? { nil }
}

/// Reads until what came ends in a text.
private func read(_ descriptor: Int32, until end: String) throws {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 4096)
    while !bytes.suffix(end.utf8.count).elementsEqual(end.utf8) {
        let count = try block.withUnsafeMutableBytes { try Linux.read(descriptor, into: $0) }
        try #require(count > 0, "the stream ended without \(end)")
        bytes += block[..<count]
    }
}

/// Gives `body` both ends of a relay, on a thread where it may block; both are closed when it returns.
///
/// - Returns: what `body` made, and how the relay ended once the server had no connection any more.
private func withRelay<Value: Sendable>(
    tty: Bool = false, ended: @escaping @Sendable () async -> Void, patience: TimeAmount = .minutes(3),
    _ body: @escaping @Sendable (_ client: Int32, _ process: Int32) throws -> Value
) async throws -> (made: Value, end: Relay.End?) {
    let name = "skiff-relay-\(UInt32.random(in: 0...UInt32.max)).sock"
    let directory = try open("/tmp", O_RDONLY | O_DIRECTORY)
    let listening = try listenForStreams(in: directory.raw, name, mode: 0o600, group: nil).release()
    defer { try? unlink("/tmp/\(name)") }
    let (near, far) = try SocketPair(.stream).release()
    let end = Mutex<Relay.End?>(nil)
    let responder = RelayResponder { connection in
        let relay = Relay(
            connection: connection, forwardsInput: true, endsWithInput: tty,
            detachKeys: tty ? DetachSequence.standard : nil, ended: ended, patience: patience)
        let how = try await relay.run(near)
        end.withLock { $0 = how }
    }
    let server = Server(
        responder: responder, group: .singletonMultiThreadedEventLoopGroup, logger: Logger(label: "test"))
    async let running: Void = server.run([
        Listener(descriptor: listening, address: "unix:///tmp/\(name)", isRemote: false)
    ])
    // Not one of the threads that serve, of which there may be only one.
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    let result: Result<Value, any Error> = try await pool.runIfActive {
        let process = OwnedDescriptor(owning: far)
        return Result {
            let client = try connectStream(toLocal: "/tmp/\(name)")
            try writeAll(client.raw, "POST / HTTP/1.1\r\nHost: d\r\n\r\n")
            return try body(client.raw, process.raw)
        }
    }
    try await pool.shutdownGracefully()
    server.shutDown()
    try await running
    return (try result.get(), end.withLock { $0 })
}
