/// The patterns of a `.dockerignore`: which paths of a context are not part of it.
///
/// One pattern a line; `#` begins a comment; `!` takes paths back; the last pattern that matches decides. A pattern that
/// matches a directory matches what is in it.
public struct Dockerignore: Hashable, Sendable {
    private struct Rule: Hashable, Sendable {
        var pattern: PathPattern
        var excludes: Bool
    }

    private let rules: [Rule]
    /// Whether something inside an excluded directory may still be part of the context.
    public let hasExceptions: Bool

    /// No pattern: nothing is kept out.
    public static let nothing = Dockerignore()

    /// Bytes and lines a file may have.
    public static let limit = 1 << 20
    private static let lines = 10_000

    private init() {
        rules = []
        hasExceptions = false
    }

    public init(_ text: [UInt8]) throws(SyntaxProblem) {
        var body = text[...]
        if body.starts(with: [0xef, 0xbb, 0xbf]) { body = body.dropFirst(3) }
        let lines = body.split(separator: ASCII.newline)
        guard lines.count <= Self.lines, text.count <= Self.limit else {
            throw SyntaxProblem("the ignore file has more than \(Self.lines) lines")
        }
        try self.init(patterns: lines.filter { $0.first != ASCII.hash }.map { $0.trimmed.text })
    }

    public init(patterns: [String]) throws(SyntaxProblem) {
        var rules: [Rule] = []
        for written in patterns where !written.isEmpty {
            var text = written
            let excludes = !text.hasPrefix("!")
            if !excludes { text = String(text.dropFirst()).trimmed }
            if text.isEmpty { throw SyntaxProblem("illegal exclusion pattern: \"!\"") }
            text = Self.cleaned(text)
            // "." is the context itself, which nothing takes away.
            if text.isEmpty { continue }
            guard let pattern = PathPattern(text, crossesParts: true) else {
                throw SyntaxProblem("syntax error in pattern: \(written)")
            }
            rules.append(Rule(pattern: pattern, excludes: excludes))
        }
        self.rules = rules
        hasExceptions = rules.contains { !$0.excludes }
    }

    /// Whether nothing is kept out.
    public var isEmpty: Bool { rules.isEmpty }

    /// Whether the path, relative to the context and without a slash in front, is kept out.
    ///
    /// Every pattern is tried on the path and on each directory above it: an exception for a directory inside an
    /// excluded one brings back what it holds.
    public func excludes(_ path: [UInt8]) -> Bool {
        var excluded = false
        for rule in rules where rule.excludes != excluded {
            if Self.matches(rule.pattern, path[...]) { excluded = rule.excludes }
            if excluded, !hasExceptions { return true }
        }
        return excluded
    }

    /// The same, of a path as text.
    public func excludes(_ path: String) -> Bool { excludes(Array(path.utf8)) }

    private static func matches(_ pattern: PathPattern, _ path: ArraySlice<UInt8>) -> Bool {
        if pattern.matches(path) { return true }
        var at = path.startIndex
        while let slash = path[at...].firstIndex(of: ASCII.slash) {
            if pattern.matches(path[..<slash]) { return true }
            at = path.index(after: slash)
        }
        return false
    }

    /// The pattern without `.`, `..`, doubled slashes and the slash in front: all patterns are relative to the context.
    private static func cleaned(_ pattern: String) -> String {
        var parts: [Substring] = []
        for part in pattern.split(separator: "/") {
            if part == "." { continue }
            if part == ".." { if !parts.isEmpty { parts.removeLast() } } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }
}
