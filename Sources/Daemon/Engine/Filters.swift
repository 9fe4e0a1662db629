public import Failures
internal import JSON

/// The `filters` of a list, prune or events call: keys to values, in the new and the old form of the parameter.
///
/// Values of one key are alternatives, keys are conditions that must all hold; labels are conditions each.
public struct Filters: Sendable, Hashable {
    public private(set) var values: [String: [String]]

    public init(_ values: [String: [String]] = [:]) { self.values = values }

    /// Reads the query parameter: `{"label":{"a=b":true}}` or `{"label":["a=b"]}`; nil and empty are no filters.
    ///
    /// - Parameter accepted: the keys that this call knows; any other is refused by name.
    public init(parameter: String?, accepted: Set<String>) throws(Failure) {
        values = [:]
        guard let parameter, !parameter.isEmpty else { return }
        let parsed: JSON
        do { parsed = try JSON.parse(parameter) } catch { throw Failure(.invalid, "invalid filter: \(error)") }
        guard let object = parsed.objectValue else { throw Failure(.invalid, "invalid filter '\(parameter)'") }
        for (key, value) in object {
            guard accepted.contains(key) else { throw Failure(.invalid, "invalid filter '\(key)'") }
            var list: [String] = []
            if let set = value.objectValue {
                for (item, included) in set where included.boolValue != false { list.append(item) }
            } else if let items = value.arrayValue {
                for item in items {
                    guard let text = item.stringValue else { throw Failure(.invalid, "invalid filter '\(key)'") }
                    list.append(text)
                }
            } else {
                throw Failure(.invalid, "invalid filter '\(key)'")
            }
            if !list.isEmpty { values[key] = list }
        }
    }

    public subscript(key: String) -> [String] { values[key] ?? [] }
    public var isEmpty: Bool { values.isEmpty }

    /// The same filters but for one key, for a caller that has dealt with it.
    public func without(_ key: String) -> Filters {
        var rest = self
        rest.values[key] = nil
        return rest
    }

    /// A filter that takes one truth value: `true`, `1`, `false`, `0`; nil when it is not given.
    public func flag(_ key: String) throws(Failure) -> Bool? {
        let given = self[key]
        guard let first = given.first else { return nil }
        guard given.count == 1 else {
            throw Failure(.invalid, "invalid filter '\(key)=[\(given.joined(separator: " "))]'")
        }
        switch first.lowercased() {
        case "true", "1": return true
        case "false", "0": return false
        default: throw Failure(.invalid, "invalid filter '\(key)=[\(first)]'")
        }
    }

    /// Whether `labels` has every `label` (`key` or `key=value`) and none of the `label!`.
    public func matchesLabels(_ labels: [String: String]) -> Bool {
        self["label"].allSatisfy { Self.label($0, in: labels) }
            && !self["label!"].contains { Self.label($0, in: labels) }
    }

    private static func label(_ condition: String, in labels: [String: String]) -> Bool {
        guard let equals = condition.firstIndex(of: "=") else { return labels[condition] != nil }
        return labels[String(condition[..<equals])] == String(condition[condition.index(after: equals)...])
    }
}

extension Filters {
    /// The keys that Docker's calls know, per call.
    public static let containerList: Set<String> = [
        "ancestor", "before", "expose", "exited", "health", "id", "isolation", "is-task", "label", "name", "network",
        "publish",
        "since", "status", "volume",
    ]
    public static let volumeList: Set<String> = ["dangling", "driver", "label", "name"]
    public static let networkList: Set<String> = ["dangling", "driver", "id", "label", "name", "scope", "type"]
    public static let containerPrune: Set<String> = ["label", "label!", "until"]
    public static let volumePrune: Set<String> = ["all", "label", "label!"]
    public static let networkPrune: Set<String> = ["label", "label!", "until"]
    public static let events: Set<String> = [
        "builder", "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope",
        "secret", "service",
        "type", "volume",
    ]
}
