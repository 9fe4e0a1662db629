internal import Failures
internal import JSON

/// One line of a listing: its columns by name, and what it can be asked with arguments.
struct Row: Sendable {
    var columns: JSONObject
    var methods: [String: @Sendable ([JSON]) -> JSON] = [:]

    init(_ columns: JSONObject) { self.columns = columns }

    /// Labels as `{{.Labels}}` and `{{.Label "name"}}`.
    init(_ columns: JSONObject, labels: JSON?) {
        self.columns = columns
        let labels = labels?.objectValue ?? [:]
        let text = labels.map { "\($0.key)=\($0.value.stringValue ?? "")" }.joined(separator: ",")
        self.columns["Labels"] = .string(text)
        methods["Label"] = { arguments in labels[arguments.first?.stringValue ?? ""] ?? .string("") }
    }
}

/// Prints rows as `--format` says: a table, a template, JSON, or ids alone.
struct Listing {
    /// Column titles by column name.
    let titles: JSONObject
    /// The template of the table that is shown when nobody says.
    let standard: String
    /// What `-q` shows.
    let idTemplate: String

    func text(_ rows: [Row], format: String?, quiet: Bool) throws(Failure) -> String {
        let format = format.flatMap { $0.isEmpty ? nil : $0 }
        if quiet, format == nil || format == "table" { return try lines(rows, Template(idTemplate)) }
        switch format {
        case nil, "table": return try table(rows, standard)
        case "json"?: return rows.map { JSON.object($0.columns.sorted()).text + "\n" }.joined()
        case let format? where format.hasPrefix("table "):
            return try table(rows, unescaped(String(format.dropFirst(6))))
        case let format?: return try lines(rows, Template(unescaped(format)))
        }
    }

    private func lines(_ rows: [Row], _ template: Template) throws(Failure) -> String {
        var text = ""
        for row in rows { text += try template.render(.object(row.columns), methods: row.methods) + "\n" }
        return text
    }

    private func table(_ rows: [Row], _ format: String) throws(Failure) -> String {
        let template = try Template(format)
        var table = Table()
        let title: @Sendable ([JSON]) -> JSON = { arguments in arguments.first ?? .string("") }
        table.add(try template.render(.object(titles), methods: ["Label": title]))
        for row in rows { table.add(try template.render(.object(row.columns), methods: row.methods)) }
        return table.text
    }
}

/// `\t` and `\n` as people type them in a shell.
func unescaped(_ text: String) -> String {
    var result = ""
    var rest = text[...]
    while let character = rest.popFirst() {
        if character == "\\", let next = rest.first, next == "t" || next == "n" {
            rest.removeFirst()
            result.append(next == "t" ? "\t" : "\n")
        } else {
            result.append(character)
        }
    }
    return result
}
