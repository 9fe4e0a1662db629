internal import DockerAPI
internal import Engine
internal import Failures
internal import HTTPServer
internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// A request as a route sees it: which version it was made in, what stands in the path's hole, and readers for the rest.
struct Exchange: Sendable {
    let request: Request
    let version: APIVersion
    /// What stands in the path's hole, percent-decoded.
    let name: String

    var query: Query { request.query }

    /// The longest JSON body that is read: far above any real request, far below what hurts.
    static let bodyLimit = 8 << 20

    /// The body as JSON; an empty body is an empty object.
    ///
    /// - Throws: `invalid` in Docker's words for another content type, for what is not JSON, and for anything behind it.
    func json() async throws -> JSON {
        let bytes = try await request.body.collect(upTo: Self.bodyLimit)
        guard bytes.readableBytes > 0 else { return .object(JSONObject()) }
        let type = request.headers.first(name: "content-type") ?? ""
        guard type.split(separator: ";").first?.lowercased() == "application/json" else {
            throw Failure(.invalid, "unsupported Content-Type header (\(type)): must be 'application/json'")
        }
        do {
            let value = try JSON.parse(Array(bytes.readableBytesView))
            return value.isNull ? .object(JSONObject()) : value
        } catch {
            // Docker's words for it, which its own tests look for.
            if error.reason == .trailingData {
                throw Failure(.invalid, "unexpected content after JSON", cause: error)
            }
            throw Failure(.invalid, "\(error)", cause: error)
        }
    }

    /// The body as a wire type, keys in any case, unknown ones ignored.
    func body<Value: Decodable>(_ type: Value.Type) async throws -> Value {
        let json = try await json()
        do {
            return try JSONCoder.value(type, from: json, keys: .caseInsensitive)
        } catch let error as JSONCoder.Mismatch {
            throw Failure(.invalid, "invalid JSON: \(error)", cause: error)
        }
    }

    /// The `filters` parameter.
    func filters(_ accepted: Set<String>) throws(Failure) -> Filters {
        try Filters(parameter: query["filters"], accepted: accepted)
    }

    /// A number in the query; nil when it is absent or empty.
    func integer(_ name: String) throws(Failure) -> Int? {
        guard let text = query[name], !text.isEmpty else { return nil }
        guard let value = Int(text) else {
            throw Failure(.invalid, "strconv.Atoi: parsing \"\(text)\": invalid syntax")
        }
        return value
    }

    /// A point in time in the query, as unix seconds with an optional fraction; nil when it is absent or empty, and for 0
    /// where that means none.
    func time(_ name: String, zeroIsNone: Bool = false) throws(Failure) -> Timestamp? {
        guard let text = query[name], !text.isEmpty, !(zeroIsNone && text == "0") else { return nil }
        guard let time = Timestamp(parameter: text) else {
            throw Failure(.invalid, "invalid value for \"\(name)\": \(text)")
        }
        return time
    }
}
