public import NIOCore
public import NIOHTTP1

/// One request as it came: nothing decoded that a route might want to see raw.
public struct Request: Sendable {
    public let method: HTTPMethod
    /// The path as sent, percent-encoded, without the query.
    public let path: String
    public let query: Query
    public let headers: HTTPHeaders
    /// The body, once, in the order it comes; the answer may begin before it ends.
    public let body: RequestBody
    /// Whether the connection crosses a network, where browsers and strangers are.
    public let isRemote: Bool

    init(head: HTTPRequestHead, body: RequestBody, isRemote: Bool) {
        method = head.method
        headers = head.headers
        self.body = body
        self.isRemote = isRemote
        if let mark = head.uri.firstIndex(of: "?") {
            path = String(head.uri[..<mark])
            query = Query(head.uri[head.uri.index(after: mark)...])
        } else {
            path = head.uri
            query = Query("")
        }
    }

    /// A request that came over no connection, for tests of routes.
    public init(method: HTTPMethod, uri: String, headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer()) {
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers)
        self.init(head: head, body: RequestBody(fixed: body), isRemote: false)
    }

    /// The protocol the client offers to switch to, if it offers one.
    public var upgrade: String? { headers.first(name: "upgrade") }
}
