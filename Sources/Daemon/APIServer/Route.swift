internal import HTTPServer
internal import NIOHTTP1

/// One call of the API: a method, a path with holes, and what answers it.
struct Route: Sendable {
    typealias Handler = @Sendable (Exchange) async throws -> Reply

    let method: HTTPMethod
    let pattern: PathPattern
    let handler: Handler

    init(_ method: HTTPMethod, _ pattern: String, _ handler: @escaping Handler) {
        self.method = method
        self.pattern = PathPattern(pattern)
        self.handler = handler
    }
}

/// The path of a route: literal segments and at most one hole.
///
/// `{id}` takes one segment. `{name...}` takes one or more, because image names contain slashes, encoded or not: such a
/// route is found by what stands before and behind the hole, never by counting.
struct PathPattern: Sendable, Hashable {
    private let prefix: [String]
    private let suffix: [String]
    private let hole: Hole

    private enum Hole: Sendable, Hashable { case none, one, many }

    init(_ text: String) {
        let parts = text.split(separator: "/").map(String.init)
        guard let index = parts.firstIndex(where: { $0.hasPrefix("{") }) else {
            (prefix, suffix, hole) = (parts, [], .none)
            return
        }
        prefix = Array(parts[..<index])
        suffix = Array(parts[(index + 1)...])
        hole = parts[index].hasSuffix("...}") ? .many : .one
    }

    /// What stands in the hole (empty for a path without one), or nil when `segments` is another path.
    func match(_ segments: [String]) -> String? {
        guard segments.starts(with: prefix) else { return nil }
        switch hole {
        case .none: return segments.count == prefix.count ? "" : nil
        case .one where segments.count != prefix.count + 1 + suffix.count: return nil
        case .many where segments.count < prefix.count + 1 + suffix.count: return nil
        case .one, .many:
            guard segments.suffix(suffix.count).elementsEqual(suffix) else { return nil }
            return segments[prefix.count..<(segments.count - suffix.count)].joined(separator: "/")
        }
    }
}

/// Every route of the API, by method.
struct RouteTable: Sendable {
    private let routes: [String: [Route]]

    init(_ routes: [Route]) { self.routes = Dictionary(grouping: routes, by: \.method.rawValue) }

    /// The route for a path and what stands in its hole.
    ///
    /// `HEAD` falls back to `GET`, whose body is then left out.
    func route(_ method: HTTPMethod, _ segments: [String]) -> (route: Route, name: String)? {
        for route in routes[method.rawValue] ?? [] {
            if let name = route.pattern.match(segments) { return (route, name) }
        }
        return method == .HEAD ? self.route(.GET, segments) : nil
    }
}
