internal import Failures

/// The patterns of a `.dockerignore`: which paths of a context stay behind.
///
/// One pattern per line; `#` begins a comment; `*`, `?` and `[a-z]` stay within a part of the path, `**` stands for any
/// number of parts; a pattern that matches a directory matches all below it; `!` brings paths back, and the last pattern
/// that matches decides.
struct IgnorePatterns: Sendable {
    private struct Rule: Sendable {
        let parts: [[Character]]
        let keeps: Bool
    }

    private let rules: [Rule]
    /// Whether something below a directory that is left out may still be wanted.
    let hasExceptions: Bool

    init(_ text: String) throws(Failure) {
        var rules: [Rule] = []
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("#") { continue }
            var pattern = String(line.drop(while: \.isWhitespace))
            while pattern.last?.isWhitespace == true { pattern.removeLast() }
            if pattern.isEmpty { continue }
            let keeps = pattern.hasPrefix("!")
            if keeps { pattern = String(pattern.dropFirst().drop(while: \.isWhitespace)) }
            guard !pattern.isEmpty else { throw Failure(.invalid, "illegal exclusion pattern in .dockerignore: \"!\"") }
            let parts = HostPath.clean("/" + pattern).split(separator: "/").map { Array($0) }
            // "." is the context itself, which nothing takes away.
            if !parts.isEmpty { rules.append(Rule(parts: parts, keeps: keeps)) }
        }
        self.rules = rules
        hasExceptions = rules.contains(where: \.keeps)
    }

    /// Whether a path, relative and with slashes, stays behind.
    func excludes(_ path: String) -> Bool {
        let parts = path.split(separator: "/").map { Array($0) }
        var excluded = false
        for rule in rules where rule.keeps == excluded {
            if (1...max(1, parts.count)).contains(where: { Self.matches(rule.parts[...], parts.prefix($0)) }) {
                excluded = !rule.keeps
            }
        }
        return excluded
    }

    private static func matches(_ pattern: ArraySlice<[Character]>, _ path: ArraySlice<[Character]>) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        if first == ["*", "*"] {
            let rest = pattern.dropFirst()
            if rest.isEmpty { return !path.isEmpty }
            return (0...path.count).contains { matches(rest, path.dropFirst($0)) }
        }
        guard let part = path.first, matches(first[...], part[...]) else { return false }
        return matches(pattern.dropFirst(), path.dropFirst())
    }

    /// One part of a path; only the last star is ever gone back to, so the cost is the product of the lengths.
    private static func matches(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
        var pattern = pattern
        var text = text
        var star: (pattern: ArraySlice<Character>, text: ArraySlice<Character>)?
        while true {
            if pattern.first == "*" {
                pattern = pattern.drop { $0 == "*" }
                star = (pattern, text)
                continue
            }
            if let (after, matched) = step(pattern, text), matched {
                pattern = after
                text = text.dropFirst()
                continue
            }
            if pattern.isEmpty, text.isEmpty { return true }
            guard let back = star, !back.text.isEmpty else { return false }
            star = (back.pattern, back.text.dropFirst())
            pattern = back.pattern
            text = back.text.dropFirst()
        }
    }

    /// One character of the text against what the pattern has for it; nil when one of them is at its end.
    private static func step(
        _ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>
    ) -> (ArraySlice<Character>, Bool)? {
        guard let wanted = pattern.first, let character = text.first else { return nil }
        switch wanted {
        case "?": return (pattern.dropFirst(), true)
        case "\\" where pattern.count > 1: return (pattern.dropFirst(2), pattern[pattern.startIndex + 1] == character)
        case "[":
            guard let close = pattern.dropFirst().firstIndex(of: "]") else {
                return (pattern.dropFirst(), character == "[")
            }
            return (pattern[(close + 1)...], contains(pattern[(pattern.startIndex + 1)..<close], character))
        default: return (pattern.dropFirst(), wanted == character)
        }
    }

    private static func contains(_ set: ArraySlice<Character>, _ character: Character) -> Bool {
        var rest = set
        let negated = rest.first == "^"
        if negated { rest.removeFirst() }
        var found = false
        while let first = rest.popFirst() {
            if rest.first == "-", rest.count > 1 {
                rest.removeFirst()
                if let last = rest.popFirst(), first <= last { found = found || (first...last).contains(character) }
            } else {
                found = found || first == character
            }
        }
        return found != negated
    }
}
