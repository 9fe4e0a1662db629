/// A pattern of a `${v#p}` or `${v/p/r}` substitution: `*` for any run, `?` for one character, escapes for themselves.
struct ShellPattern {
    private enum Element: Hashable { case any, one, character(Unicode.Scalar) }
    private let elements: [Element]
    /// How many comparisons a match may cost before it counts as an attack.
    private static let budget = 4_000_000

    init(_ pattern: [UInt8], escape: UInt8) {
        var elements: [Element] = []
        var escaped = false
        for scalar in pattern.text.unicodeScalars {
            if escaped {
                elements.append(.character(scalar))
                escaped = false
            } else if scalar == Unicode.Scalar(escape) {
                escaped = true
            } else if scalar == "*" {
                if elements.last != .any { elements.append(.any) }
            } else {
                elements.append(scalar == "?" ? .one : .character(scalar))
            }
        }
        self.elements = elements
    }

    private init(reversing other: ShellPattern) { elements = other.elements.reversed() }

    /// The value without the shortest or longest beginning that matches.
    func withoutPrefix(_ value: [UInt8], longest: Bool) throws(SyntaxProblem) -> [UInt8] {
        let scalars = Array(value.text.unicodeScalars)
        return Self.bytes(scalars[(try prefix(of: scalars, longest: longest))...])
    }

    /// The value without the shortest or longest end that matches.
    func withoutSuffix(_ value: [UInt8], longest: Bool) throws(SyntaxProblem) -> [UInt8] {
        let scalars = Array(value.text.unicodeScalars)
        let count = try ShellPattern(reversing: self).prefix(of: scalars.reversed(), longest: longest)
        return Self.bytes(scalars.dropLast(count))
    }

    /// The value with the first or every match replaced, each the longest from its start.
    func replace(in value: [UInt8], with replacement: [UInt8], all: Bool) throws(SyntaxProblem) -> [UInt8] {
        let scalars = Array(value.text.unicodeScalars)
        var result: [UInt8] = []
        var at = 0
        var budget = Self.budget
        while at < scalars.count {
            if let count = try match(scalars[at...], longest: true, &budget), count > 0 {
                result.append(contentsOf: replacement)
                at += count
                if !all { break }
            } else {
                result.append(contentsOf: Self.bytes(scalars[at...at]))
                at += 1
            }
            guard result.count <= DockerfileBudget.expansion else {
                throw SyntaxProblem("a substitution grows too long")
            }
        }
        return result + Self.bytes(scalars[at...])
    }

    private static func bytes(_ scalars: ArraySlice<Unicode.Scalar>) -> [UInt8] {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return Array(String(text).utf8)
    }

    private func prefix(of value: [Unicode.Scalar], longest: Bool) throws(SyntaxProblem) -> Int {
        var budget = Self.budget
        return try match(value[...], longest: longest, &budget) ?? 0
    }

    /// How many characters from the start match.
    ///
    /// All positions in the pattern are walked at once, so that the cost is
    /// the product of both lengths and never more.
    private func match(
        _ value: ArraySlice<Unicode.Scalar>, longest: Bool, _ budget: inout Int
    ) throws(SyntaxProblem) -> Int? {
        var states: Set<Int> = []
        enter(0, &states)
        var best: Int? = states.contains(elements.count) ? 0 : nil
        if best != nil, !longest { return best }
        for (index, scalar) in value.enumerated() {
            budget -= states.count + 1
            guard budget > 0 else { throw SyntaxProblem("a substitution's pattern takes too long to match") }
            var next: Set<Int> = []
            for state in states where state < elements.count {
                switch elements[state] {
                case .any: enter(state, &next)
                case .one: enter(state + 1, &next)
                case .character(let wanted): if wanted == scalar { enter(state + 1, &next) }
                }
            }
            states = next
            if states.isEmpty { return best }
            if states.contains(elements.count) {
                best = index + 1
                if !longest { return best }
            }
        }
        return best
    }

    private func enter(_ state: Int, _ states: inout Set<Int>) {
        states.insert(state)
        if state < elements.count, elements[state] == .any { enter(state + 1, &states) }
    }
}
