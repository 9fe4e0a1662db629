internal import CLinux
internal import EngineClient
internal import Failures
internal import FakeEngine
internal import JSON
internal import Linux
internal import Synchronization
internal import Testing

@Suite("Engine client")
struct ClientTests {
    @Test("several calls go over one connection, in the version that is asked for")
    func reuse() throws {
        let connections = Mutex(0)
        let seen = Mutex<[String]>([])
        let engine = try FakeEngine { socket in
            connections.withLock { $0 += 1 }
            while true {
                let head = FakeEngine.head(socket)
                if head.isEmpty { return }
                seen.withLock { $0.append(String(head.prefix { !$0.isNewline })) }
                FakeEngine.answer(socket, "200 OK", #"{"ok":true}"#)
            }
        }
        let client = engine.client()
        #expect(try client.json(Request(.get, "/info")) == ["ok": true])
        #expect(
            try client.json(Request(.get, "/images/\(pathPart("a/b:c"))/json", query: [("x", "a b&c")])) == ["ok": true]
        )
        #expect(connections.withLock { $0 } == 1)
        let prefix = "GET /v\(EngineClient.newestVersion)"
        #expect(
            seen.withLock { $0 } == ["\(prefix)/info HTTP/1.1", "\(prefix)/images/a/b:c/json?x=a%20b%26c HTTP/1.1"])
    }

    @Test("an engine's error keeps its words and its kind")
    func errors() throws {
        let engine = try FakeEngine { socket in
            _ = FakeEngine.head(socket)
            FakeEngine.answer(socket, "404 Not Found", #"{"message":"No such container: x"}"#)
        }
        let error = #expect(throws: Failure.self) { try engine.client().json(Request(.get, "/containers/x/json")) }
        #expect(error?.kind == .notFound && error?.message == "No such container: x")
        #expect((error?.cause as? EngineError)?.status == 404)
    }

    @Test("an older engine is asked again in its own version")
    func olderVersion() throws {
        let engine = try FakeEngine { socket in
            while true {
                let head = FakeEngine.head(socket)
                if head.isEmpty { return }
                if head.hasPrefix("GET /v1.44/") {
                    FakeEngine.answer(socket, "200 OK", "{}")
                } else {
                    FakeEngine.answer(
                        socket, "400 Bad Request",
                        #"{"message":"client version 1.50 is too new. Maximum supported API version is 1.44"}"#)
                }
            }
        }
        let client = engine.client()
        try client.json(Request(.get, "/info"))
        #expect(client.version == "1.44")
    }

    @Test("chunks in any cut, trailers and documents without line ends are read")
    func chunks() throws {
        let engine = try FakeEngine { socket in
            _ = FakeEngine.head(socket)
            FakeEngine.send(socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n{\"a\":\r\n")
            FakeEngine.send(socket, "a\r\n1}{\"b\":\"}{\r\n3\r\n\"}\n\r\n0\r\nTrailer: x\r\n\r\n")
        }
        let documents = Mutex<[JSON]>([])
        try engine.client().call(Request(.get, "/events")).forEachDocument { document throws(Failure) in
            documents.withLock { $0.append(document) }
        }
        #expect(documents.withLock { $0 } == [["a": 1], ["b": "}{"]])
    }

    @Test("an answer that breaks off is an error, not an end")
    func cutShort() throws {
        let engine = try FakeEngine { socket in
            _ = FakeEngine.head(socket)
            FakeEngine.send(socket, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        }
        #expect(throws: Failure(.unavailable, "")) { try engine.client().call(Request(.get, "/x")).readAll() }
    }

    @Test(
        "what is not HTTP is refused",
        arguments: [
            "SSH-2.0-x\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "",
        ])
    func notHTTP(text: String) throws {
        let engine = try FakeEngine { socket in
            _ = FakeEngine.head(socket)
            FakeEngine.send(socket, text)
        }
        #expect(throws: Failure.self) { try engine.client().json(Request(.get, "/x")) }
    }

    @Test("a body goes out in chunks while the answer already comes in")
    func duplex() throws {
        let engine = try FakeEngine { socket in
            _ = FakeEngine.head(socket)
            // Far more than the socket's buffers hold, before a byte of the body is read.
            FakeEngine.send(socket, "HTTP/1.1 200 OK\r\n\r\n")
            FakeEngine.send(socket, String(repeating: "x", count: 2 << 20))
            var block = [UInt8](repeating: 0, count: 65536)
            // The end may come in pieces.
            var last: [UInt8] = []
            while !last.elementsEqual(Array("0\r\n\r\n".utf8)) {
                let count = CLinux.read(socket, &block, block.count)
                if count <= 0 { return }
                last = Array((last + block.prefix(count)).suffix(5))
            }
        }
        let part = [UInt8](repeating: 7, count: 1 << 20)
        let request = Request(
            .post, "/build",
            body: .stream(type: "application/x-tar") { send throws(Failure) in
                for _ in 0..<8 {
                    let outcome: Result<Void, Failure> = part.withUnsafeBytes { bytes in
                        do throws(Failure) { return .success(try send(bytes)) } catch { return .failure(error) }
                    }
                    try outcome.get()
                }
            })
        #expect(try engine.client().call(request).readAll().count == 2 << 20)
    }

    @Test("a body that cannot be read says why, not that the engine went away")
    func brokenBody() throws {
        let engine = try FakeEngine { socket in
            _ = FakeEngine.head(socket)
            var byte: UInt8 = 0
            while CLinux.read(socket, &byte, 1) == 1 {}
        }
        let request = Request(
            .post, "/build",
            body: .stream(type: "application/x-tar") { _ throws(Failure) in
                throw Failure(.invalid, "cannot read ./secret")
            })
        let error = #expect(throws: Failure.self) { try engine.client().call(request) }
        #expect(error?.message == "cannot read ./secret")
    }

    @Test("a raw stream keeps the bytes that came with its head, and half-closes")
    func rawStream() throws {
        let engine = try FakeEngine { socket in
            _ = FakeEngine.head(socket)
            FakeEngine.send(
                socket,
                "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly"
            )
            let typed = (try? readAll(socket)) ?? []
            FakeEngine.send(socket, "/" + String(decoding: typed, as: UTF8.self))
        }
        let stream = try engine.client().hijack(Request(.post, "/containers/x/attach"))
        #expect(stream.isMultiplexed)
        try stream.write(Array("typed".utf8))
        stream.closeWriting()
        var text: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64)
        while case let count = try block.withUnsafeMutableBytes({ try stream.read(into: $0) }), count > 0 {
            text += block[..<count]
        }
        #expect(String(decoding: text, as: UTF8.self) == "early/typed")
    }

    @Test("an engine that is not there is named with the next step")
    func absent() {
        let client = EngineClient(endpoint: .unix(path: "/nonexistent/x.sock"), userAgent: "test")
        let error = #expect(throws: Failure.self) { try client.json(Request(.get, "/info")) }
        #expect(
            error?.message
                == "cannot connect to the Skiff daemon at unix:///nonexistent/x.sock (no such file or directory): start skiffd, or name another engine with -H or SKIFF_HOST"
        )
    }
}

@Suite("Endpoint")
struct EndpointTests {
    @Test(
        "is read from DOCKER_HOST's forms",
        arguments: [
            ("unix:///a/b.sock", Endpoint.unix(path: "/a/b.sock")), ("tcp://host:1234", .tcp(host: "host", port: 1234)),
            ("tcp://host", .tcp(host: "host", port: 2375)), ("tcp://[::1]:1", .tcp(host: "::1", port: 1)),
            ("tcp://:2376", .tcp(host: "127.0.0.1", port: 2376)), ("http://h:80/path", .tcp(host: "h", port: 80)),
            ("unix://", .standard),
        ] as [(String, Endpoint)])
    func parsing(text: String, endpoint: Endpoint) throws { #expect(try Endpoint(parsing: text) == endpoint) }

    @Test("refuses the rest", arguments: ["", "x", "ssh://h", "ftp://h", "tcp://h:99999", "tcp://h:x"])
    func refusals(text: String) { #expect(throws: Failure(.invalid, "")) { try Endpoint(parsing: text) } }
}
