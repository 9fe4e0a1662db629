/// Replaces variables in an instruction's words as a shell would: `$v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?e} ${v?e}
/// ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}`, with its rules for quotes and escapes.
///
/// A word's quotes are removed; nothing is executed. The result of every word is bounded, so that a variable that
/// doubles itself line by line ends the build and not the daemon.
public struct Expansion {
    /// What a name stands for, `nil` when it is not set.
    let lookup: (String) -> String?
    var escape: UInt8 = ASCII.backslash
    /// Quotes are characters like others, as in a here-document.
    var keepsQuotes = false

    public init(escape: UInt8 = ASCII.backslash, keepsQuotes: Bool = false, lookup: @escaping (String) -> String?) {
        self.lookup = lookup
        self.escape = escape
        self.keepsQuotes = keepsQuotes
    }

    /// The word as one word, whatever spaces its variables hold.
    public func word(_ text: String) throws(SyntaxProblem) -> String {
        var scan = ExpansionScan(text, self)
        try scan.run(until: nil, raw: false)
        return scan.result.text
    }

    /// The text as words: unquoted white space separates, that of unquoted variables included; empty words vanish.
    public func words(_ text: String) throws(SyntaxProblem) -> [String] {
        var scan = ExpansionScan(text, self)
        try scan.run(until: nil, raw: false)
        scan.endWord()
        return scan.words
    }
}

/// One walk over a word, its position and what came out so far.
private struct ExpansionScan {
    let bytes: [UInt8]
    let rules: Expansion
    var at = 0
    /// The text as one word.
    var result: [UInt8] = []
    /// The text as words; a quoted part may make an empty one.
    var words: [String] = []
    private var current: [UInt8] = []
    private var inWord = false
    private var depth = 0

    init(_ text: String, _ rules: Expansion) {
        bytes = Array(text.utf8)
        self.rules = rules
    }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func endWord() {
        if inWord { words.append(current.text) }
        current = []
        inWord = false
    }

    /// Adds what was quoted, or cannot separate.
    private mutating func add(_ piece: some Collection<UInt8>) throws(SyntaxProblem) {
        guard result.count + piece.count <= DockerfileBudget.expansion else {
            throw SyntaxProblem(
                "a word grows beyond \(DockerfileBudget.expansion >> 10) KiB while variables are expanded")
        }
        result.append(contentsOf: piece)
        current.append(contentsOf: piece)
        inWord = true
    }

    /// Adds what separates words where it is white space.
    private mutating func addSeparable(_ piece: some Collection<UInt8>) throws(SyntaxProblem) {
        for byte in piece {
            if ASCII.isSpace(byte) {
                endWord()
                guard result.count < DockerfileBudget.expansion else {
                    throw SyntaxProblem(
                        "a word grows beyond \(DockerfileBudget.expansion >> 10) KiB while variables are expanded")
                }
                result.append(byte)
            } else {
                try add(CollectionOfOne(byte))
            }
        }
    }

    /// Goes on to the end, or behind `stop`.
    ///
    /// With `raw`, escape characters stay: the text is a pattern.
    mutating func run(until stop: UInt8?, raw: Bool) throws(SyntaxProblem) {
        while let byte = peek {
            if byte == stop {
                at += 1
                return
            }
            switch byte {
            case ASCII.dollar: try addSeparable(try dollar())
            case ASCII.singleQuote where !rules.keepsQuotes: try singleQuoted()
            case ASCII.doubleQuote where !rules.keepsQuotes: try doubleQuoted()
            case rules.escape:
                at += 1
                if raw { try add(CollectionOfOne(byte)) }
                guard let next = peek else { break }
                at += 1
                // In a here-document only the characters that mean something can be escaped.
                if rules.keepsQuotes, !raw, next != ASCII.dollar, next != rules.escape, next != ASCII.newline {
                    try add(CollectionOfOne(byte))
                }
                try add(CollectionOfOne(next))
            default:
                at += 1
                try addSeparable(CollectionOfOne(byte))
            }
        }
        if let stop {
            throw SyntaxProblem(
                "unexpected end of statement while looking for matching \(Character(UnicodeScalar(stop)))")
        }
    }

    private mutating func singleQuoted() throws(SyntaxProblem) {
        at += 1
        guard let end = bytes[at...].firstIndex(of: ASCII.singleQuote) else {
            throw SyntaxProblem("unexpected end of statement while looking for matching single-quote")
        }
        try add(bytes[at..<end])
        at = end + 1
    }

    private mutating func doubleQuoted() throws(SyntaxProblem) {
        at += 1
        try add(EmptyCollection())
        while let byte = peek {
            switch byte {
            case ASCII.doubleQuote:
                at += 1
                return
            case ASCII.dollar: try add(try dollar())
            case rules.escape:
                at += 1
                guard let next = peek else { break }
                at += 1
                if next != ASCII.doubleQuote, next != ASCII.dollar, next != rules.escape {
                    try add(CollectionOfOne(byte))
                }
                try add(CollectionOfOne(next))
            default:
                at += 1
                try add(CollectionOfOne(byte))
            }
        }
        throw SyntaxProblem("unexpected end of statement while looking for matching double-quote")
    }

    /// What the `$…` at the position stands for.
    private mutating func dollar() throws(SyntaxProblem) -> [UInt8] {
        at += 1
        guard peek == ASCII.openBrace else {
            let name = self.name()
            return name.isEmpty ? [ASCII.dollar] : Array((rules.lookup(name) ?? "").utf8)
        }
        at += 1
        guard let first = peek else { throw SyntaxProblem("syntax error: missing '}'") }
        if first == ASCII.openBrace || first == ASCII.closeBrace || first == ASCII.colon {
            throw SyntaxProblem("syntax error: bad substitution")
        }
        // Each level of nesting is a call: without a bound a long enough word would end the thread's stack.
        depth += 1
        defer { depth -= 1 }
        guard depth <= 64 else { throw SyntaxProblem("substitutions nest too deep") }
        let name = self.name()
        let value = rules.lookup(name).map { Array($0.utf8) }
        guard var modifier = peek else { throw SyntaxProblem("syntax error: missing '}'") }
        at += 1
        var emptyIsUnset = false
        if modifier == ASCII.colon {
            emptyIsUnset = true
            guard let next = peek else { throw SyntaxProblem("syntax error: missing '}'") }
            at += 1
            modifier = next
            guard "+-?".utf8.contains(modifier) else { throw Self.unsupported(":", modifier) }
        }
        let isSet = value.map { !emptyIsUnset || !$0.isEmpty } ?? false
        switch modifier {
        case ASCII.closeBrace: return value ?? []
        case ASCII.dash:
            let word = try operand(until: ASCII.closeBrace)
            return isSet ? value ?? [] : word
        case UInt8(ascii: "+"):
            let word = try operand(until: ASCII.closeBrace)
            return isSet ? word : []
        case ASCII.question:
            let word = try operand(until: ASCII.closeBrace)
            if isSet { return value ?? [] }
            let reason = value == nil ? "is not allowed to be unset" : "is not allowed to be empty"
            throw SyntaxProblem("\(name): \(word.isEmpty ? reason : word.text)")
        case ASCII.hash, UInt8(ascii: "%"):
            var pattern = try operand(until: ASCII.closeBrace, raw: true)
            let longest = pattern.first == modifier
            if longest { pattern.removeFirst() }
            guard let value else { return [] }
            let shell = ShellPattern(pattern, escape: rules.escape)
            return modifier == ASCII.hash
                ? try shell.withoutPrefix(value, longest: longest) : try shell.withoutSuffix(value, longest: longest)
        case ASCII.slash:
            let all = peek == ASCII.slash
            if all { at += 1 }
            let pattern = try operand(until: ASCII.slash, raw: true)
            let replacement = try operand(until: ASCII.closeBrace)
            guard let value else { return [] }
            return try ShellPattern(pattern, escape: rules.escape).replace(in: value, with: replacement, all: all)
        default: throw Self.unsupported("", modifier)
        }
    }

    private static func unsupported(_ prefix: String, _ modifier: UInt8) -> SyntaxProblem {
        SyntaxProblem("unsupported modifier (\(prefix)\(Character(UnicodeScalar(modifier)))) in substitution")
    }

    /// The expanded word behind a modifier, apart from what came out so far.
    private mutating func operand(until stop: UInt8, raw: Bool = false) throws(SyntaxProblem) -> [UInt8] {
        let outer = (result, words, current, inWord)
        result = []
        defer { (result, words, current, inWord) = outer }
        do { try run(until: stop, raw: raw) } catch {
            if at >= bytes.count, error.message.hasPrefix("unexpected end"), !error.message.hasSuffix("-quote") {
                throw SyntaxProblem("syntax error: missing '\(Character(UnicodeScalar(stop)))'")
            }
            throw error
        }
        return result
    }

    /// A name of letters, digits and underscores, a run of digits, or one of the shell's special parameters.
    private mutating func name() -> String {
        let start = at
        guard let first = peek else { return "" }
        if ASCII.isDigit(first) {
            while let byte = peek, ASCII.isDigit(byte) { at += 1 }
        } else if "@*#?-$!".utf8.contains(first) {
            at += 1
        } else {
            while let byte = peek, ASCII.isLetter(byte) || ASCII.isDigit(byte) || byte == ASCII.underscore { at += 1 }
        }
        return bytes[start..<at].text
    }
}
