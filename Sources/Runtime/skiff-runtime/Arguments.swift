/// One flag of the command line, as it is parsed and as the help shows it.
struct Flag: Sendable {
    let name: String
    /// One more name, a single letter.
    let short: String?
    /// What the help calls the value; nil for a flag that has none.
    let value: String?
    let help: String

    private init(_ name: String, _ short: String?, _ value: String?, _ help: String) {
        self.name = name
        self.short = short
        self.value = value
        self.help = help
    }

    /// A flag that is there or not.
    static func on(_ name: String, short: String? = nil, _ help: String) -> Flag { Flag(name, short, nil, help) }

    /// A flag with a value behind it.
    static func taking(_ value: String, _ name: String, short: String? = nil, _ help: String) -> Flag {
        Flag(name, short, value, help)
    }
}

/// Words of a command line taken apart: flags and their values, and the rest as it is.
///
/// runc's flags have one dash or two, and a value behind `=` or in the next word; both are accepted everywhere.
struct Arguments {
    /// A command line that says nothing we know.
    struct Misuse: Error, CustomStringConvertible {
        let description: String
    }

    private struct Given {
        let flag: String
        let value: String
    }

    /// In the order they were given; a dictionary would cost more than the few look-ups.
    private var values: [Given] = []
    private var switches: [String] = []
    private(set) var rest: [String] = []

    /// - Parameters:
    ///   - known: what may be there.
    ///   - scattered: whether flags may follow operands, as `delete ID --force` has it. Where a command of the caller's
    ///     follows (`exec`, `ps`), the first operand ends the flags.
    init(_ words: some Sequence<String>, _ known: [Flag], scattered: Bool) throws(Misuse) {
        var words = Array(words)[...]
        while let word = words.popFirst() {
            if word == "--" { break }
            // A number is an operand or somebody's value, as in `kill ID -9`.
            guard word.utf8.first == UInt8(ascii: "-"), word != "-", Int64(word) == nil else {
                rest.append(word)
                if scattered { continue }
                break
            }
            let body = word.utf8.drop { $0 == UInt8(ascii: "-") }
            let equals = body.firstIndex(of: UInt8(ascii: "="))
            let given = String(word[body.startIndex..<(equals ?? body.endIndex)])
            let attached = equals.map { String(word[word.utf8.index(after: $0)...]) }
            guard let flag = known.first(where: { $0.name == given || $0.short == given }) else {
                throw Misuse(description: "flag provided but not defined: \(word)")
            }
            if flag.value != nil {
                guard let value = attached ?? words.popFirst() else {
                    throw Misuse(description: "flag --\(flag.name) needs a value")
                }
                values.append(Given(flag: flag.name, value: value))
                continue
            }
            switch attached {
            case nil, "true": switches.append(flag.name)
            case "false": switches.removeAll { $0 == flag.name }
            case let other?: throw Misuse(description: "flag --\(flag.name) takes true or false, not \"\(other)\"")
            }
        }
        rest += words
    }

    func has(_ flag: String) -> Bool { switches.contains(flag) }
    func last(_ option: String) -> String? { values.last { $0.flag == option }?.value }
    func all(_ option: String) -> [String] { values.filter { $0.flag == option }.map(\.value) }

    /// The value as a number, if the flag is there.
    func number<Number: FixedWidthInteger>(_ option: String, in range: ClosedRange<Number>) throws(Misuse) -> Number? {
        guard let text = last(option) else { return nil }
        guard let number = Number(text), range.contains(number) else {
            throw Misuse(
                description:
                    "flag --\(option) takes a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return number
    }

    /// The one operand that must be there: a container's name.
    func only(_ what: String) throws(Misuse) -> String {
        guard let first = rest.first else { throw Misuse(description: "\(what) is missing") }
        if rest.count > 1 { throw Misuse(description: "unexpected word \"\(rest[1])\" behind the \(what)") }
        return first
    }

    /// For verbs without operands.
    func none() throws(Misuse) {
        if let first = rest.first { throw Misuse(description: "unexpected word \"\(first)\"") }
    }
}
