internal import JSON

/// Values as Go prints and weighs them.
enum GoText {
    /// Go's `%v`.
    static func print(_ value: JSON) -> String {
        switch value {
        case .null: "<no value>"
        case .bool(let value): value ? "true" : "false"
        case .integer, .unsigned, .double: value.text
        case .string(let text): text
        case .array(let elements): "[" + elements.map(nested).joined(separator: " ") + "]"
        case .object(let object):
            "map[" + object.sorted().map { "\($0.key):\(nested($0.value))" }.joined(separator: " ") + "]"
        }
    }

    private static func nested(_ value: JSON) -> String { value.isNull ? "<nil>" : print(value) }

    /// Go's truth: anything but zero and empty.
    static func isTrue(_ value: JSON) -> Bool {
        switch value {
        case .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .unsigned: true
        case .double(let value): value != 0
        case .string(let text): !text.isEmpty
        case .array(let elements): !elements.isEmpty
        case .object(let object): !object.isEmpty
        }
    }

    /// Go's `%q`.
    static func quoted(_ text: String) -> String { JSON.string(text).text }
}
