public import Failures
public import JSON
internal import Linux

/// Status and headers of an answer.
public struct ResponseHead: Sendable {
    public let status: Int
    public let headers: [(name: String, value: String)]

    /// The first header of that name, whatever its case.
    public subscript(name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// An answer whose body is read as it comes.
public final class Response {
    public let head: ResponseHead
    private let connection: Connection
    private var framing: Framing
    private var isOver = false
    /// Told once the body has been read to its end and the connection may carry another request.
    private let release: (Connection) -> Void
    /// The body of the request while it is still being sent.
    private let upload: Upload?

    /// How the body ends; RFC 9112, section 6.3.
    private enum Framing {
        case length(Int)
        case chunked(rest: Int)
        case untilClose
    }

    init(
        head: ResponseHead, to method: Request.Method, over connection: Connection, upload: Upload?,
        release: @escaping (Connection) -> Void
    ) throws(Failure) {
        self.head = head
        self.connection = connection
        self.release = release
        self.upload = upload
        if method == .head || head.status == 204 || head.status == 304 || head.status / 100 == 1 {
            framing = .length(0)
        } else if head["transfer-encoding"]?.lowercased().contains("chunked") == true {
            framing = .chunked(rest: 0)
        } else if let text = head["content-length"] {
            guard let length = Int(text), length >= 0 else {
                throw Failure(.internal, "the engine sent a content length that is no number: \(text)")
            }
            framing = .length(length)
        } else {
            framing = .untilClose
        }
        if case .length(0) = framing { finish() }
    }

    /// Some bytes of the body; 0 is the end.
    public func read(into target: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        if isOver || target.isEmpty { return 0 }
        do { return try readFramed(into: target) } catch { throw upload?.failure ?? error }
    }

    private func readFramed(into target: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        switch framing {
        case .length(let rest):
            let count = try take(into: target, atMost: rest)
            framing = .length(rest - count)
            if count == rest { finish() }
            return count
        case .chunked(var rest):
            if rest == 0 {
                rest = try chunkSize()
                if rest == 0 {
                    try skipTrailers()
                    finish()
                    return 0
                }
            }
            let count = try take(into: target, atMost: rest)
            rest -= count
            if rest == 0 { _ = try line() }
            framing = .chunked(rest: rest)
            return count
        case .untilClose:
            let count = try connection.read(into: target)
            if count == 0 { isOver = true }
            return count
        }
    }

    /// The whole body, refused when it is more than `limit` bytes.
    public func readAll(limit: Int = 256 << 20) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        try forEachPart { (part) throws(Failure) in
            guard bytes.count + part.count <= limit else {
                throw Failure(.internal, "the engine's answer is larger than \(limit) bytes")
            }
            bytes.append(contentsOf: part)
        }
        return bytes
    }

    /// The whole body as JSON; null when there is none.
    public func json() throws(Failure) -> JSON {
        let bytes = try readAll()
        guard bytes.contains(where: { !" \r\n\t".utf8.contains($0) }) else { return .null }
        do { return try JSON.parse(bytes, limits: JSON.Limits(bytes: 256 << 20, values: 20_000_000)) } catch {
            throw Failure(.internal, "the engine's answer is not JSON: \(error)", cause: error)
        }
    }

    /// Hands over the body part by part as it comes.
    public func forEachPart(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { block.deallocate() }
        while true {
            let count = try read(into: block)
            if count == 0 { return }
            try body(UnsafeRawBufferPointer(rebasing: block[..<count]))
        }
    }

    /// Hands over each JSON document of a stream of them as it comes: progress, events.
    public func forEachDocument(_ body: (JSON) throws(Failure) -> Void) throws(Failure) {
        var splitter = DocumentSplitter()
        try forEachPart { (part) throws(Failure) in
            for document in try splitter.add(part) { try body(document) }
        }
        if let document = try splitter.finish() { try body(document) }
    }

    /// The connection's number, to wait on beside other things; see ``hasBuffered``.
    public var descriptor: Int32 { connection.socket.raw }

    /// Whether bytes are here already, which waiting on ``descriptor`` would not tell.
    public var hasBuffered: Bool { connection.hasBuffered }

    // MARK: Framing

    private func take(into target: UnsafeMutableRawBufferPointer, atMost rest: Int) throws(Failure) -> Int {
        if rest == 0 { return 0 }
        let window = UnsafeMutableRawBufferPointer(rebasing: target[..<min(rest, target.count)])
        let count = try connection.read(into: window)
        guard count > 0 else { throw connection.cutShort }
        return count
    }

    private func chunkSize() throws(Failure) -> Int {
        let text = try line().prefix { $0 != ";" }
        guard let size = Int(text, radix: 16), size >= 0 else {
            throw Failure(.internal, "the engine sent a chunk whose size is no number: \(text)")
        }
        return size
    }

    private func skipTrailers() throws(Failure) { while try !line().isEmpty {} }

    private func line() throws(Failure) -> String {
        guard let line = try connection.readLine() else { throw connection.cutShort }
        return line
    }

    private func finish() {
        isOver = true
        if upload == nil, head["connection"]?.lowercased() != "close" { release(connection) }
    }
}
