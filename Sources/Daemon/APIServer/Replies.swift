internal import Failures
internal import HTTPServer
internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// The one spelling of the content type that Go's client accepts for errors: it compares the whole header.
let jsonContentType = "application/json"

extension Reply {
    /// A document: not escaped for HTML, with a newline behind it, as Docker's are.
    static func json(_ value: some Encodable, _ status: HTTPResponseStatus = .ok) throws -> Reply {
        document(try JSONCoder.encode(value), status)
    }

    static func json(tree: JSON, _ status: HTTPResponseStatus = .ok) -> Reply { document(tree.serialized(), status) }

    static var noContent: Reply { Reply(.noContent) }

    private static func document(_ bytes: [UInt8], _ status: HTTPResponseStatus) -> Reply {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(bytes.count + 1)
        buffer.writeBytes(bytes)
        buffer.writeInteger(UInt8(ascii: "\n"))
        return Reply(status, headers: ["Content-Type": jsonContentType], body: .bytes(buffer))
    }
}

extension ByteBuffer {
    /// A JSON document with an end of line behind it.
    init(line value: some Encodable, end: String = "\n") throws {
        self.init(bytes: try JSONCoder.encode(value))
        writeString(end)
    }
}
