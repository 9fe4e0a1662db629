internal import Failures
internal import JSON

/// `--filter key=value` lists as the API takes them: `{"key":{"value":true}}`.
enum Filters {
    static let option = Option<[String]>.list(
        "filter", short: "f", "Filter output based on conditions provided", placeholder: "filter", checking: pair)

    /// The same without its letter, where `-f` is another option.
    static let longOption = Option<[String]>.list(
        "filter", "Provide filter values (e.g. \"until=<timestamp>\")", placeholder: "filter", checking: pair)

    private static let pair: @Sendable (String) throws(Failure) -> Void = { (text) throws(Failure) in
        guard text.contains("=") else {
            throw Failure(.invalid, "bad format of filter (expected name=value)")
        }
    }

    static func json(_ filters: [String]) throws(Failure) -> JSON {
        var object = JSON.object([:])
        for filter in filters {
            guard let equals = filter.firstIndex(of: "=") else {
                throw Failure(.invalid, "invalid argument \"\(filter)\": bad format of filter (expected name=value)")
            }
            var key = filter[..<equals].lowercased()
            var value = String(filter[filter.index(after: equals)...])
            while key.last == " " { key.removeLast() }
            if value.hasPrefix(" ") { value.removeFirst() }
            var values = object[key] ?? .object([:])
            values[value] = true
            object[key] = values
        }
        return object
    }

    /// The query of a call; nothing when there are no filters.
    static func query(_ filters: [String]) throws(Failure) -> [(String, String)] {
        filters.isEmpty ? [] : [("filters", try json(filters).text)]
    }
}
