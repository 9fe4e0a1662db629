internal import Failures

/// What was typed after a verb, taken apart: option values and arguments.
struct ParsedArguments: Sendable {
    private(set) var values: [String: any Sendable] = [:]
    var arguments: [String] = []
    var wantsHelp = false

    subscript<Value>(option: Option<Value>) -> Value { values[option.name] as? Value ?? option.initial }

    /// Whether the option was typed at all.
    func isGiven<Value>(_ option: Option<Value>) -> Bool { values[option.name] != nil }

    fileprivate mutating func add(_ text: String, to option: any AnyOption) throws(Failure) {
        do { values[option.name] = try option.adding(text, to: values[option.name]) } catch {
            let name = option.short.map { "-\($0), --\(option.name)" } ?? "--\(option.name)"
            throw Failure(.invalid, "invalid argument \"\(text)\" for \"\(name)\" flag: \(error.message)")
        }
    }
}

/// Takes a command line apart as Go's pflag does, so that what works with Docker's client works here.
///
/// `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, `-abc` for flags, `--` before arguments that begin
/// with a dash.
struct ArgumentParser {
    let options: [any AnyOption]
    let stopsAtFirstArgument: Bool

    func parse(_ arguments: [String]) throws(Failure) -> ParsedArguments {
        var parsed = ParsedArguments()
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if word == "--" {
                parsed.arguments += rest
                break
            }
            if word.hasPrefix("--") {
                try long(word, &rest, &parsed)
            } else if word.hasPrefix("-"), word != "-" {
                try letters(word, &rest, &parsed)
            } else {
                parsed.arguments.append(word)
                if stopsAtFirstArgument {
                    parsed.arguments += rest
                    break
                }
            }
        }
        return parsed
    }

    private func long(_ word: String, _ rest: inout ArraySlice<String>, _ parsed: inout ParsedArguments) throws(Failure)
    {
        let body = word.dropFirst(2)
        let name = String(body.prefix { $0 != "=" })
        let value = body.firstIndex(of: "=").map { String(body[body.index(after: $0)...]) }
        guard let option = options.first(where: { $0.name == name }) else {
            if name == "help" {
                parsed.wantsHelp = true
                return
            }
            throw Failure(.invalid, name.isEmpty ? "bad flag syntax: \(word)" : "unknown flag: --\(name)")
        }
        if let value {
            try parsed.add(value, to: option)
        } else if !option.takesValue {
            try parsed.add("true", to: option)
        } else if let next = rest.popFirst() {
            try parsed.add(next, to: option)
        } else {
            throw Failure(.invalid, "flag needs an argument: --\(name)")
        }
    }

    private func letters(
        _ word: String, _ rest: inout ArraySlice<String>, _ parsed: inout ParsedArguments
    ) throws(Failure) {
        var cluster = word.dropFirst()
        while let letter = cluster.popFirst() {
            guard let option = options.first(where: { $0.short == letter }) else {
                if letter == "h" {
                    parsed.wantsHelp = true
                    return
                }
                throw Failure(.invalid, "unknown shorthand flag: '\(letter)' in \(word)")
            }
            if option.takesValue {
                if cluster.first == "=" {
                    cluster.removeFirst()
                } else if cluster.isEmpty {
                    guard let next = rest.popFirst() else {
                        throw Failure(.invalid, "flag needs an argument: '\(letter)' in \(word)")
                    }
                    return try parsed.add(next, to: option)
                }
                return try parsed.add(String(cluster), to: option)
            }
            if cluster.first == "=" { return try parsed.add(String(cluster.dropFirst()), to: option) }
            try parsed.add("true", to: option)
        }
    }
}
