internal import Failures

/// An option of a verb, without its type: what the parser, the help page and completion need.
protocol AnyOption: Sendable {
    /// The long name without dashes.
    var name: String { get }
    /// The letter, if it has one.
    var short: Character? { get }
    /// What the help page calls the value; empty for a flag.
    var placeholder: String { get }
    var help: String { get }
    /// What the value is when nobody says; empty when that need not be told.
    var defaultText: String { get }
    /// Whether a value must follow; a flag's may, with `=`.
    var takesValue: Bool { get }
    /// Whether the help page lists it.
    var isHidden: Bool { get }
    /// The value once `text` was given too.
    func adding(_ text: String, to present: (any Sendable)?) throws(Failure) -> any Sendable
}

/// An option and the type of its value.
///
/// Declared once per verb (or once for several), listed in the verb, and used as the key to its value:
/// `invocation[timeout]`.
struct Option<Value: Sendable>: AnyOption {
    let name: String
    let short: Character?
    let placeholder: String
    let help: String
    let defaultText: String
    let takesValue: Bool
    var isHidden = false
    let initial: Value
    private let add: @Sendable (String, inout Value) throws(Failure) -> Void

    init(
        _ name: String, short: Character?, placeholder: String, help: String, initial: Value, defaultText: String = "",
        takesValue: Bool = true, add: @escaping @Sendable (String, inout Value) throws(Failure) -> Void
    ) {
        self.name = name
        self.short = short
        self.placeholder = placeholder
        self.help = help
        self.initial = initial
        self.defaultText = defaultText
        self.takesValue = takesValue
        self.add = add
    }

    func adding(_ text: String, to present: (any Sendable)?) throws(Failure) -> any Sendable {
        var value = present as? Value ?? initial
        try add(text, &value)
        return value
    }

    /// The same option, understood but not listed.
    var hidden: Option<Value> {
        var copy = self
        copy.isHidden = true
        return copy
    }
}

extension Option where Value == Bool {
    /// Present or not; `--name=false` takes it back.
    static func flag(_ name: String, short: Character? = nil, _ help: String, default initial: Bool = false) -> Option {
        Option(
            name, short: short, placeholder: "", help: help, initial: initial, defaultText: initial ? "true" : "",
            takesValue: false
        ) { (text, value) throws(Failure) in
            value = try parseBool(text)
        }
    }
}

extension Option where Value == Bool? {
    /// Present, taken back, or not spoken of.
    static func optionalFlag(_ name: String, _ help: String) -> Option {
        Option(name, short: nil, placeholder: "", help: help, initial: nil, takesValue: false) {
            (text, value) throws(Failure) in
            value = try parseBool(text)
        }
    }
}

extension Option where Value == String? {
    /// One text; the last wins.
    static func text(
        _ name: String, short: Character? = nil, _ help: String, placeholder: String = "string",
        defaultText: String = ""
    ) -> Option {
        Option(name, short: short, placeholder: placeholder, help: help, initial: nil, defaultText: defaultText) {
            (text, value) throws(Failure) in
            value = text
        }
    }
}

extension Option where Value == [String] {
    /// Any number of texts, in order.
    static func list(
        _ name: String, short: Character? = nil, _ help: String, placeholder: String = "list"
    ) -> Option {
        Option(name, short: short, placeholder: placeholder, help: help, initial: []) { (text, value) throws(Failure) in
            value.append(text)
        }
    }

    /// Any number of texts, each checked as it is read.
    static func list(
        _ name: String, short: Character? = nil, _ help: String, placeholder: String = "list",
        checking check: @escaping @Sendable (String) throws(Failure) -> Void
    ) -> Option {
        Option(name, short: short, placeholder: placeholder, help: help, initial: []) { (text, value) throws(Failure) in
            try check(text)
            value.append(text)
        }
    }
}

extension Option where Value == Int64? {
    /// One whole number.
    static func integer(
        _ name: String, short: Character? = nil, _ help: String, placeholder: String = "int", defaultText: String = ""
    ) -> Option {
        parsed(name, short: short, help, placeholder: placeholder, defaultText: defaultText) { (text) throws(Failure) in
            guard let number = Int64(text) else {
                throw Failure(.invalid, "strconv.ParseInt: parsing \"\(text)\": invalid syntax")
            }
            return number
        }
    }

    /// One number of bytes: "64m", "1.5g".
    static func bytes(_ name: String, short: Character? = nil, _ help: String) -> Option {
        parsed(name, short: short, help, placeholder: "bytes") { (text) throws(Failure) in try ByteSize.parse(text) }
    }

    /// One length of time, in nanoseconds: "1m30s".
    static func duration(_ name: String, short: Character? = nil, _ help: String) -> Option {
        parsed(name, short: short, help, placeholder: "duration", defaultText: "0s") { (text) throws(Failure) in
            try GoDuration.parse(text)
        }
    }
}

extension Option {
    /// One value made by a parser of its own; the last wins.
    static func parsed<Wrapped>(
        _ name: String, short: Character? = nil, _ help: String, placeholder: String, defaultText: String = "",
        _ parse: @escaping @Sendable (String) throws(Failure) -> Wrapped
    ) -> Option where Value == Wrapped? {
        Option(name, short: short, placeholder: placeholder, help: help, initial: nil, defaultText: defaultText) {
            (text, value) throws(Failure) in
            value = try parse(text)
        }
    }
}

/// Go's `strconv.ParseBool`.
func parseBool(_ text: String) throws(Failure) -> Bool {
    switch text {
    case "1", "t", "T", "true", "TRUE", "True": return true
    case "0", "f", "F", "false", "FALSE", "False": return false
    default: throw Failure(.invalid, "strconv.ParseBool: parsing \"\(text)\": invalid syntax")
    }
}
