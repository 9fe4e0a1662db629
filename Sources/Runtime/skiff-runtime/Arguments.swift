/// The flags of a command line, in the words of its help.
///
/// ```
/// --bundle -b DIR  the bundle's directory
/// --force          end it first
/// ```
/// A line each: the name, one more name of a single letter, what the help calls the value where there is one, and behind
/// two spaces or more what it is for. The text is what the parser looks in, so that a program that lives for a
/// millisecond makes no list of what it is not asked for.
struct Flags: Sendable {
    private let own: StaticString
    private let shared: StaticString

    init(_ own: StaticString) {
        self.own = own
        shared = ""
    }

    /// Those of others, and some more.
    init(_ others: Flags, _ own: StaticString) {
        self.own = own
        shared = others.own
    }

    /// What the parser is told of a flag.
    struct Known {
        let name: String
        let takesValue: Bool
    }

    /// The flag of that name or letter, its dashes left out.
    func find(_ given: String) -> Known? { find(given, in: shared) ?? find(given, in: own) }

    var isEmpty: Bool { own.utf8CodeUnitCount == 0 && shared.utf8CodeUnitCount == 0 }

    /// What the help shows on the left, and on the right.
    var rows: [(flag: String, purpose: String)] {
        "\(shared)\n\(own)".split(separator: "\n").map { line in
            let end = line.firstIndex(ofTwo: " ") ?? line.endIndex
            let words = line[..<end].split(separator: " ")
            let isShort = words.count > 1 && words[1].hasPrefix("-")
            let value = words.dropFirst(isShort ? 2 : 1).first.map { " \($0)" } ?? ""
            return (
                words[0] + (isShort ? ", \(words[1])" : "") + value,
                String(line[end...].drop { $0 == " " })
            )
        }
    }

    private func find(_ given: String, in table: StaticString) -> Known? {
        let space = UInt8(ascii: " "), dash = UInt8(ascii: "-"), newline = UInt8(ascii: "\n")
        let text = UnsafeBufferPointer(start: table.utf8Start, count: table.utf8CodeUnitCount)
        var at = 0
        while at < text.count {
            /// The next word of the line, empty at its end and before what the flag is for.
            func word() -> Range<Int> {
                let start = at
                while at < text.count, text[at] != space, text[at] != newline { at += 1 }
                let word = start..<at
                if at < text.count, text[at] == space { at += 1 }
                return word
            }
            func isGiven(_ word: Range<Int>, dashes: Int) -> Bool {
                word.count > dashes && given.utf8.elementsEqual(text[(word.lowerBound + dashes)..<word.upperBound])
            }
            let name = word()
            var second = word()
            let isShort = second.count == 2 && text[second.lowerBound] == dash
            let isFound = isGiven(name, dashes: 2) || isShort && isGiven(second, dashes: 1)
            if isShort { second = word() }
            if isFound {
                return Known(
                    name: String(decoding: text[(name.lowerBound + 2)..<name.upperBound], as: UTF8.self),
                    takesValue: !second.isEmpty)
            }
            while at < text.count, text[at] != newline { at += 1 }
            at += 1
        }
        return nil
    }
}

extension Substring {
    /// Where a character first stands twice.
    fileprivate func firstIndex(ofTwo character: Character) -> Index? {
        indices.first { self[$0] == character && self[index(after: $0)...].first == character }
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

    /// Flags with their values behind them, in the order they were given.
    private var values: [String] = []
    private var switches: [String] = []
    private(set) var rest: [String] = []

    /// - Parameters:
    ///   - known: what may be there.
    ///   - scattered: whether flags may follow operands, as `delete ID --force` has it. Where a command of the caller's
    ///     follows (`exec`, `ps`), the first operand ends the flags.
    init(_ words: some Sequence<String>, _ known: Flags, scattered: Bool) throws(Misuse) {
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
            guard let flag = known.find(given) else {
                throw Misuse(description: "flag provided but not defined: \(word)")
            }
            if flag.takesValue {
                guard let value = attached ?? words.popFirst() else {
                    throw Misuse(description: "flag --\(flag.name) needs a value")
                }
                values.append(flag.name)
                values.append(value)
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

    func last(_ option: String) -> String? {
        var at = values.count - 2
        while at >= 0 {
            if values[at] == option { return values[at + 1] }
            at -= 2
        }
        return nil
    }

    func all(_ option: String) -> [String] {
        stride(from: 0, to: values.count, by: 2).compactMap { values[$0] == option ? values[$0 + 1] : nil }
    }

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
