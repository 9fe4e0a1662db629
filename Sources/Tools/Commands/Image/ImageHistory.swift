internal import EngineClient
internal import Failures
internal import JSON

/// `skiff history`.
enum ImageHistory {
    private static let human = Option<Bool>.flag(
        "human", short: "H", "Print sizes and dates in human readable format", default: true)

    static let verb = Verb(
        "history", "Show the history of an image", usage: "[OPTIONS] IMAGE",
        options: [human, Formats.option, Formats.noTruncate, Formats.idsOnly], arguments: 1...1
    ) { invocation throws(Failure) in
        let path = "/images/\(pathPart(invocation.arguments[0]))/history"
        let answer = try invocation.engine().json(Request(.get, path))
        let now = Moment.now()
        let truncated = !invocation[Formats.noTruncate]
        let rows = (answer.arrayValue ?? []).map { row($0, now, truncated: truncated, human: invocation[human]) }
        let listing = Listing(
            titles: [
                "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY",
                "Size": "SIZE", "Comment": "COMMENT",
            ],
            standard: invocation[human]
                ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
                : "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", idTemplate: "{{.ID}}")
        invocation.console.write(
            try listing.text(rows, format: invocation[Formats.option], quiet: invocation[Formats.idsOnly]))
        return .success
    }

    private static func row(_ entry: JSON, _ now: Moment, truncated: Bool, human: Bool) -> Row {
        let id = entry["Id"]?.stringValue ?? "<missing>"
        let created = Moment(seconds: entry["Created"]?.intValue ?? 0)
        let command = (entry["CreatedBy"]?.stringValue ?? "").split(separator: "\t").joined(separator: " ")
        let size = entry["Size"]?.intValue ?? 0
        return Row([
            "ID": .string(truncated ? String(id.drop(prefix: "sha256:").prefix(12)) : id),
            "CreatedSince": .string(created.seconds <= 0 ? "N/A" : created.ago(from: now)),
            "CreatedAt": .string(created.rfc3339),
            "CreatedBy": .string(truncated ? ellipsis(command, 45) : command),
            "Size": .string(human ? ByteSize.decimal(size) : String(size)),
            "Comment": entry["Comment"] ?? "",
        ])
    }
}
