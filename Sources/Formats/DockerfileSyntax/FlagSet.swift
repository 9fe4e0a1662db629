/// The `--flags` of one instruction, checked against those it has.
struct FlagSet {
    private var values: [String: [String]] = [:]

    /// - Parameter known: the flags' names; those in `repeated` may come more than once.
    init(_ words: [String], known: [String], repeated: Set<String> = [], booleans: Set<String> = [])
        throws(SyntaxProblem)
    {
        for word in words {
            let body = word.dropFirst(2)
            let equals = body.firstIndex(of: "=")
            let name = String(body[..<(equals ?? body.endIndex)])
            guard known.contains(name) else {
                let hint = Spelling.hint(for: "--" + name, among: known.map { "--" + $0 })
                throw SyntaxProblem("unknown flag: --\(name)\(hint)")
            }
            if values[name] != nil, !repeated.contains(name) {
                throw SyntaxProblem("duplicate flag specified: \(name)")
            }
            if let equals {
                values[name, default: []].append(String(body[body.index(after: equals)...]))
            } else if booleans.contains(name) {
                values[name] = ["true"]
            } else {
                throw SyntaxProblem("missing a value on flag: \(name)")
            }
        }
    }

    /// The flag's one value.
    func string(_ name: String) -> String? { values[name]?.last }

    /// All values of a flag that may be repeated.
    func strings(_ name: String) -> [String] { values[name] ?? [] }

    /// A flag that is on or off; off when absent.
    func bool(_ name: String) throws(SyntaxProblem) -> Bool? {
        guard let text = string(name) else { return nil }
        switch text.lowercased() {
        case "true", "1": return true
        case "false", "0": return false
        default: throw SyntaxProblem("expecting boolean value for flag \(name), not: \(text)")
        }
    }
}
