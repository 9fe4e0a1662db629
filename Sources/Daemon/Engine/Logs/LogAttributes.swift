internal import Failures

/// What every record of a `json-file` log carries besides the line: labels, variables and a tag, by the log options.
struct LogAttributes: Sendable, Hashable {
    /// The container whose log it is.
    struct Subject {
        var id: String
        var name: String
        /// With its algorithm.
        var imageID: String
        var imageName: String
        var command: [String]
        var labels: [String: String]
        /// `NAME=value`, the last of a name counts.
        var environment: [String]
    }

    static let options: Set<String> = ["labels", "labels-regex", "env", "env-regex", "tag"]

    /// Keys of labels and names of variables, and expressions for both.
    private var labels: [String] = []
    private var labelPattern: String?
    private var variables: [String] = []
    private var variablePattern: String?
    private var tag: [TagPart] = []

    private enum TagPart: Sendable, Hashable {
        case text(String)
        case field(String)
    }

    private static let tagFields: [String: @Sendable (Subject) -> String] = [
        "ID": { String($0.id.prefix(12)) }, "FullID": { $0.id }, "Name": { $0.name },
        "ImageID": { String(($0.imageID.split(separator: ":").last ?? "").prefix(12)) }, "ImageFullID": { $0.imageID },
        "ImageName": { $0.imageName }, "DaemonName": { _ in "skiff" },
        "Command": { $0.command.joined(separator: " ") },
    ]

    mutating func read(_ key: String, _ value: String) throws(Failure) {
        switch key {
        case "labels": labels = value.split(separator: ",").map(String.init)
        case "env": variables = value.split(separator: ",").map(String.init)
        case "labels-regex": labelPattern = try Self.checked(value, key)
        case "env-regex": variablePattern = try Self.checked(value, key)
        default: tag = try Self.tag(value)
        }
    }

    func values(of subject: Subject) throws(Failure) -> [String: String] {
        var environment: [String: String] = [:]
        for entry in subject.environment {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            environment[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        var values = try Self.chosen(subject.labels, labels, labelPattern, "labels-regex")
        values.merge(try Self.chosen(environment, variables, variablePattern, "env-regex")) { _, new in new }
        let text = tag.map { part in
            switch part {
            case .text(let text): text
            case .field(let name): Self.tagFields[name]?(subject) ?? ""
            }
        }.joined()
        if !text.isEmpty { values["tag"] = text }
        return values
    }

    private static func chosen(
        _ all: [String: String], _ names: [String], _ pattern: String?, _ option: String
    ) throws(Failure) -> [String: String] {
        var chosen: [String: String] = [:]
        for name in names { chosen[name] = all[name] }
        guard let pattern, !pattern.isEmpty else { return chosen }
        let expression = try compiled(pattern, option)
        for (name, value) in all where (try? expression.firstMatch(in: name)) != nil { chosen[name] = value }
        return chosen
    }

    private static func checked(_ pattern: String, _ option: String) throws(Failure) -> String {
        _ = try compiled(pattern, option)
        return pattern
    }

    private static func compiled(_ pattern: String, _ option: String) throws(Failure) -> Regex<AnyRegexOutput> {
        do { return try Regex(pattern) } catch {
            throw Failure(.invalid, "log-opt \(option): \"\(pattern)\" is no regular expression: \(error)")
        }
    }

    /// Go's template, of which a tag needs the fields alone: `{{.Name}}/{{.ID}}`.
    private static func tag(_ template: String) throws(Failure) -> [TagPart] {
        var parts: [TagPart] = []
        var rest = template[...]
        while let open = rest.firstRange(of: "{{") {
            parts.append(.text(String(rest[..<open.lowerBound])))
            rest = rest[open.upperBound...]
            guard let close = rest.firstRange(of: "}}") else {
                throw Failure(.invalid, "log-opt tag: \"{{\" without \"}}\" in \"\(template)\"")
            }
            let name = rest[..<close.lowerBound].drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            guard name.first == ".", tagFields[String(name.dropFirst())] != nil else {
                let known = tagFields.keys.sorted().map { "{{.\($0)}}" }.joined(separator: " ")
                throw Failure(.invalid, "log-opt tag: \"{{\(String(name))}}\" is not supported: use \(known)")
            }
            parts.append(.field(String(name.dropFirst())))
            rest = rest[close.upperBound...]
        }
        parts.append(.text(String(rest)))
        return parts
    }
}
