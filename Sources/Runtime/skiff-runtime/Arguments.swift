/// Words of a command line taken apart: options first, then the rest as it is.
///
/// runc's flags have one dash or two, and a value behind `=` or in the next word; both are accepted everywhere.
struct Arguments {
    /// A flag that was given wrongly.
    struct Misuse: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var values: [String: [String]] = [:]
    private(set) var flags: Set<String> = []
    private(set) var rest: [String] = []

    /// - Parameters:
    ///   - flags: names without a value.
    ///   - options: names with one.
    ///   - short: other names, `b` for `bundle`.
    init(
        _ words: some Sequence<String>, flags known: Set<String> = [], options: Set<String> = [],
        short: [String: String] = [:]
    ) throws(Misuse) {
        var words = Array(words)[...]
        while let word = words.first {
            guard word.hasPrefix("-"), word != "-" else { break }
            words.removeFirst()
            if word == "--" { break }
            let body = word.drop { $0 == "-" }
            let parts = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = short[parts[0]] ?? parts[0]
            if known.contains(name) {
                if parts.count == 1 || parts[1] == "true" {
                    flags.insert(name)
                } else if parts[1] != "false" {
                    throw Misuse(description: "flag --\(name) takes true or false, not \"\(parts[1])\"")
                }
            } else if options.contains(name) {
                if parts.count > 1 {
                    values[name, default: []].append(parts[1])
                } else if let value = words.popFirst() {
                    values[name, default: []].append(value)
                } else {
                    throw Misuse(description: "flag --\(name) needs a value")
                }
            } else {
                throw Misuse(description: "unknown flag \(word)")
            }
        }
        rest = Array(words)
    }

    func has(_ flag: String) -> Bool { flags.contains(flag) }
    func last(_ option: String) -> String? { values[option]?.last }
    func all(_ option: String) -> [String] { values[option] ?? [] }

    /// The one word that must follow the flags: a container's name.
    func only(_ what: String) throws(Misuse) -> String {
        guard let first = rest.first else { throw Misuse(description: "\(what) is missing") }
        if rest.count > 1 { throw Misuse(description: "unexpected word \"\(rest[1])\" behind the \(what)") }
        return first
    }
}
