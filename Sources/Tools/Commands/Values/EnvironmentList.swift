internal import Failures
internal import Linux

/// The lines of `-e`, `--env-file`, `-l` and `--label-file`.
enum EnvironmentList {
    /// `-e`, wherever it is taken.
    static let option = Option<[String]>.list("env", short: "e", "Set environment variables") {
        (line) throws(Failure) in
        if line.hasPrefix("=") { throw Failure(.invalid, "invalid environment variable: \(line)") }
    }

    /// Names and values for a container; a name alone takes its value from here, or is left out.
    static func variables(files: [String], lines: [String], from environment: Environment) throws(Failure) -> [String] {
        var result: [String] = []
        for file in files { result += try self.lines(of: file) }
        result += lines
        return try result.map { line throws(Failure) in try resolved(line, environment) }.compactMap(\.self)
    }

    private static func resolved(_ line: String, _ environment: Environment) throws(Failure) -> String? {
        if line.contains("=") { return line }
        return environment.variables[line].map { "\(line)=\($0)" }
    }

    /// Names and values of labels; the last of a name wins.
    static func labels(files: [String], lines: [String]) throws(Failure) -> [String: String] {
        var labels: [String: String] = [:]
        for file in files {
            for line in try self.lines(of: file) { labels[keyValue(line).name] = keyValue(line).value }
        }
        for line in lines { labels[keyValue(line).name] = keyValue(line).value }
        return labels
    }

    /// A file's lines without comments and empty ones.
    static func lines(of file: String) throws(Failure) -> [String] {
        let text: String
        do { text = try readText(file) } catch {
            throw Failure(.invalid, "open \(file): \(error.reason)", cause: error)
        }
        return try lines(in: text, of: file)
    }

    static func lines(in text: String, of file: String) throws(Failure) -> [String] {
        var lines: [String] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.drop { $0 == " " || $0 == "\t" }
            if line.isEmpty || line.hasPrefix("#") { continue }
            let name = line.prefix { $0 != "=" }
            guard !name.isEmpty, !name.contains(where: \.isWhitespace) else {
                throw Failure(.invalid, "invalid env file (\(file)): variable '\(name)' contains whitespaces")
            }
            lines.append(String(line))
        }
        return lines
    }
}
