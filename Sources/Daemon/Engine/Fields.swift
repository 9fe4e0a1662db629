internal import Failures
internal import JSON

/// Typed, forgiving reading of one JSON object as Docker's clients write it: keys in any case, null as absent.
///
/// A value of the wrong type is refused by name instead of being taken for absent, so that a misspelt limit never
/// becomes no limit.
struct Fields {
    private let values: [String: JSON]

    init(_ json: JSON) {
        var values: [String: JSON] = [:]
        if let object = json.objectValue {
            for (key, value) in object { values[key.lowercased()] = value }
        }
        self.values = values
    }

    /// The value under `name` unless it is absent or null.
    func present(_ name: String) -> JSON? {
        guard let value = values[name.lowercased()], value != .null else { return nil }
        return value
    }

    func text(_ name: String) throws(Failure) -> String {
        guard let value = present(name) else { return "" }
        guard let text = value.stringValue else { throw wrong(name, "a string") }
        return text
    }

    func flag(_ name: String) throws(Failure) -> Bool { try optionalFlag(name) ?? false }

    func optionalFlag(_ name: String) throws(Failure) -> Bool? {
        guard let value = present(name) else { return nil }
        guard let flag = value.boolValue else { throw wrong(name, "true or false") }
        return flag
    }

    func integer(_ name: String) throws(Failure) -> Int64? {
        guard let value = present(name) else { return nil }
        guard let number = value.intValue else { throw wrong(name, "a whole number") }
        return number
    }

    func object(_ name: String) throws(Failure) -> JSONObject? {
        guard let value = present(name) else { return nil }
        guard let object = value.objectValue else { throw wrong(name, "an object") }
        return object
    }

    func array(_ name: String) throws(Failure) -> [JSON] {
        guard let value = present(name) else { return [] }
        guard let array = value.arrayValue else { throw wrong(name, "a list") }
        return array
    }

    func strings(_ name: String) throws(Failure) -> [String] {
        var strings: [String] = []
        for item in try array(name) {
            guard let text = item.stringValue else { throw wrong(name, "a list of strings") }
            strings.append(text)
        }
        return strings
    }

    /// A list of words, or one word: how `Cmd` and `Entrypoint` may come.
    func words(_ name: String) throws(Failure) -> [String]? {
        guard let value = present(name) else { return nil }
        if let word = value.stringValue { return [word] }
        return try strings(name)
    }

    /// The keys of an object whose values mean nothing (`{"80/tcp": {}}`), sorted.
    func keys(_ name: String) throws(Failure) -> [String] {
        guard let object = try object(name) else { return [] }
        return object.map(\.key).sorted()
    }

    func dictionary(_ name: String) throws(Failure) -> [String: String] {
        guard let object = try object(name) else { return [:] }
        var result: [String: String] = [:]
        for (key, value) in object {
            guard value != .null else { continue }
            guard let text = value.stringValue else { throw wrong(name, "an object of strings") }
            result[key] = text
        }
        return result
    }

    func wrong(_ name: String, _ expected: String) -> Failure { Failure(.invalid, "\(name) must be \(expected)") }
}

extension JSON {
    static func strings(_ list: some Sequence<String>) -> JSON { .array(list.map { .string($0) }) }

    /// `{"a": {}, "b": {}}`: how Docker writes sets.
    static func keys(_ list: some Sequence<String>) -> JSON {
        var object = JSONObject()
        for key in list { object[key] = .object(JSONObject()) }
        return .object(object)
    }

    /// Sorted by key, so that the same labels always make the same bytes.
    static func dictionary(_ values: [String: String]) -> JSON {
        var object = JSONObject()
        for (key, value) in values.sorted(by: { $0.key < $1.key }) { object[key] = .string(value) }
        return .object(object)
    }
}
