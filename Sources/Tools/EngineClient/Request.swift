public import Failures
public import JSON

/// A call to an engine: method, path below the version, query, and what goes with it.
public struct Request {
    public enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// What goes with a request.
    public enum Body {
        case none
        case json(JSON)
        case bytes([UInt8], type: String)
        /// Bytes whose number is not known beforehand, sent in chunks as the closure hands them over
        /// on a thread of its own.
        case stream(
            type: String,
            @Sendable (_ send: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) -> Void)
    }

    public var method: Method
    /// As "/containers/create"; parts that come from outside go through ``path(_:)``.
    public var path: String
    public var query: [(name: String, value: String)]
    public var headers: [(name: String, value: String)]
    public var body: Body

    public init(
        _ method: Method, _ path: String, query: [(String, String)] = [], headers: [(String, String)] = [],
        body: Body = .none
    ) {
        self.method = method
        self.path = path
        self.query = query.map { (name: $0.0, value: $0.1) }
        self.headers = headers.map { (name: $0.0, value: $0.1) }
        self.body = body
    }

    /// The path and query as they stand in the request line.
    func target(version: String?) -> String {
        let prefix = version.map { "/v\($0)" } ?? ""
        guard !query.isEmpty else { return prefix + path }
        let pairs = query.map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }
        return "\(prefix)\(path)?\(pairs.joined(separator: "&"))"
    }
}

/// Text from outside as one part of a path; slashes stay, as image names have them.
public func pathPart(_ text: String) -> String { percentEncoded(text, keeping: "/:@") }

/// RFC 3986: everything but unreserved characters and those to keep.
func percentEncoded(_ text: String, keeping kept: String = "") -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            bytes.append(byte)
        case _ where kept.utf8.contains(byte): bytes.append(byte)
        default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
