/// One instruction's text: continuation lines joined, comments dropped, here-documents gathered.
struct LogicalLine: Hashable, Sendable {
    var range: SourceRange
    var text: String
    var heredocs: [Heredoc] = []
}

/// Cuts a Dockerfile into logical lines.
///
/// A line ends where no escape character stands at its end. Inside a continued line, comment lines and empty lines are
/// skipped (the latter with a warning, as they will be an error one day). A here-document's lines belong to the
/// instruction that opened it and are kept as they are.
struct Lexer {
    private(set) var directives = Directives()
    private(set) var warnings: [String] = []
    private let bytes: [UInt8]
    private var at = 0
    private var number = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark says nothing in UTF-8.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
    }

    /// All logical lines of the text.
    mutating func lines() throws(DockerfileError) -> [LogicalLine] {
        guard bytes.count <= DockerfileBudget.text else {
            throw DockerfileError(SourceRange(line: 1), "the file is longer than \(DockerfileBudget.text >> 20) MiB")
        }
        var result: [LogicalLine] = []
        var expectDirectives = true
        while let raw = nextLine() {
            if expectDirectives {
                if try directives.consume(raw, number: number) { continue }
                expectDirectives = false
            }
            guard let line = try logicalLine(from: raw) else { continue }
            guard result.count < DockerfileBudget.instructions else {
                throw DockerfileError(line.range, "more than \(DockerfileBudget.instructions) instructions")
            }
            result.append(line)
        }
        return result
    }

    private mutating func logicalLine(from raw: ArraySlice<UInt8>) throws(DockerfileError) -> LogicalLine? {
        if Self.isComment(raw) { return nil }
        let first = number
        var (piece, continues) = continuation(of: Self.withoutLineEnd(raw))
        piece = piece.drop(while: ASCII.isSpace)
        if !continues, piece.isEmpty { return nil }
        var text = Array(piece)
        while continues, let next = nextLine() {
            if Self.isComment(next) { continue }
            let body = Self.withoutLineEnd(next)
            if body.trimmed.isEmpty {
                warnings.append("empty continuation line found in line \(number)")
                continue
            }
            let (more, goesOn) = continuation(of: body)
            text.append(contentsOf: more)
            continues = goesOn
        }
        if text.trimmed.isEmpty { return nil }
        var line = LogicalLine(range: SourceRange(first, number), text: text.text)
        if Self.mayOpenHeredocs(line.text) { try readHeredocs(into: &line) }
        return line
    }

    private mutating func readHeredocs(into line: inout LogicalLine) throws(DockerfileError) {
        let opened = Heredoc.opened(inLine: line.text, escape: directives.escape)
        guard opened.count <= DockerfileBudget.heredocs else {
            throw DockerfileError(
                line.range, "more than \(DockerfileBudget.heredocs) here-documents in one instruction")
        }
        for var heredoc in opened {
            let end = Array(heredoc.name.utf8)
            var content: [UInt8] = []
            var ended = false
            while let raw = nextLine() {
                var candidate = Self.withoutLineEnd(raw)
                if heredoc.stripsTabs { candidate = candidate.drop { $0 == ASCII.tab } }
                if candidate.elementsEqual(end) {
                    ended = true
                    break
                }
                content.append(contentsOf: raw)
            }
            guard ended else {
                throw DockerfileError(line.range, "unterminated heredoc: no line \"\(heredoc.name)\" follows")
            }
            heredoc.content = content.text
            line.heredocs.append(heredoc)
        }
        line.range.last = number
    }

    /// Only these take here-documents, and not in JSON form; ONBUILD hands them on.
    private static func mayOpenHeredocs(_ line: String) -> Bool {
        var (word, rest) = line.firstWord
        if word.uppercased() == "ONBUILD" { (word, rest) = rest.firstWord }
        guard ["ADD", "COPY", "RUN"].contains(word.uppercased()), rest.contains("<<") else { return false }
        return Words.json(Words.flags(rest).rest) == nil
    }

    /// The line without its escape character at the end, and whether it had one.
    ///
    /// A doubled one is a character, not an end.
    private func continuation(of line: ArraySlice<UInt8>) -> (text: ArraySlice<UInt8>, continues: Bool) {
        var body = line
        while let last = body.last, last == ASCII.space || last == ASCII.tab { body.removeLast() }
        guard body.last == directives.escape else { return (line, false) }
        body.removeLast()
        if directives.escape == ASCII.backslash, body.last == ASCII.backslash { return (line, false) }
        return (body, true)
    }

    /// The next line with its line end.
    private mutating func nextLine() -> ArraySlice<UInt8>? {
        guard at < bytes.count else { return nil }
        let start = at
        at = (bytes[start...].firstIndex(of: ASCII.newline) ?? bytes.count - 1) + 1
        number += 1
        return bytes[start..<at]
    }

    private static func withoutLineEnd(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var body = line
        while let last = body.last, last == ASCII.newline || last == ASCII.carriageReturn { body.removeLast() }
        return body
    }

    private static func isComment(_ line: ArraySlice<UInt8>) -> Bool { line.first { !ASCII.isSpace($0) } == ASCII.hash }
}
