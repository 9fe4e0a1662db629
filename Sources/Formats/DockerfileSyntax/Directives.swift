/// The parser directives at the top of a Dockerfile: `# escape=`, `# syntax=`, `# check=`.
///
/// They count only before the first line that is something else, a comment and an empty line included; each may stand
/// once. A frontend named by `syntax` is not fetched: what it would understand is understood here.
public struct Directives: Hashable, Sendable {
    /// What continues a line and quotes a character.
    public internal(set) var escape: UInt8 = ASCII.backslash
    public internal(set) var syntax: String?
    public internal(set) var check: String?

    private var seen: Set<String> = []

    init() {}

    /// Takes a line if it is a directive, or says that the time of directives is over.
    mutating func consume(_ line: some Collection<UInt8>, number: Int) throws(DockerfileError) -> Bool {
        guard let (name, value) = Self.split(Array(line)) else { return false }
        guard ["escape", "syntax", "check"].contains(name) else { return false }
        guard seen.insert(name).inserted else {
            throw DockerfileError(SourceRange(line: number), "only one \(name) parser directive can be used")
        }
        switch name {
        case "escape":
            guard value == "\\" || value == "`", let byte = value.utf8.first else {
                throw DockerfileError(
                    SourceRange(line: number), "invalid escape token '\(value)' does not match ` or \\")
            }
            escape = byte
        case "syntax": syntax = value
        default: check = value
        }
        return true
    }

    /// `# name = value`, the name in lower case.
    private static func split(_ line: [UInt8]) -> (name: String, value: String)? {
        let body = line.trimmed
        guard body.first == ASCII.hash, let equals = body.firstIndex(of: ASCII.equals) else { return nil }
        let name = body[body.index(after: body.startIndex)..<equals].trimmed
        let value = body[body.index(after: equals)...].trimmed
        guard let first = name.first, ASCII.isLetter(first),
            name.allSatisfy({ ASCII.isLetter($0) || ASCII.isDigit($0) })
        else { return nil }
        guard !value.isEmpty else { return nil }
        return (name.text.lowercased(), value.text)
    }
}
