internal import EngineClient
internal import Failures
internal import JSON

/// `skiff events`.
enum ShowEvents {
    private static let since = Option<String?>.text("since", "Show all events created since timestamp")
    private static let until = Option<String?>.text("until", "Stream events until this timestamp")

    static let verb = Verb(
        "events", "Get real time events from the server", usage: "[OPTIONS]",
        options: [Filters.option, since, until, Formats.option]
    ) { invocation throws(Failure) in
        var query = try Filters.query(invocation[Filters.option])
        let now = Moment.now()
        if let text = invocation[since] { query.append(("since", try Moment(typed: text, now: now).unixText)) }
        if let text = invocation[until] { query.append(("until", try Moment(typed: text, now: now).unixText)) }
        let format = invocation[Formats.option]
        let template = try format.flatMap { $0 == "json" ? nil : $0 }.map { text throws(Failure) in
            try Template(unescaped(text))
        }
        let answer = try invocation.engine().call(Request(.get, "/events", query: query))
        try answer.forEachDocument { event throws(Failure) in
            if let template {
                invocation.console.print(try template.render(event))
            } else {
                invocation.console.print(format == "json" ? event.text : line(event))
            }
            invocation.console.flush()
            try invocation.console.checkReader()
        }
        return .success
    }

    /// "2026-11-21T08:30:00.000000000Z container start 0123… (image=alpine, name=web)".
    static func line(_ event: JSON) -> String {
        let nanoseconds = event["timeNano"]?.intValue ?? (event["time"]?.intValue ?? 0) * 1_000_000_000
        let moment = Moment(seconds: nanoseconds / 1_000_000_000, nanoseconds: nanoseconds % 1_000_000_000)
        let attributes = event["Actor"]?["Attributes"]?.objectValue ?? [:]
        let shown = attributes.sorted().map { "\($0.key)=\(GoText.print($0.value))" }.joined(separator: ", ")
        let words = [
            moment.rfc3339Nano, event["Type"]?.stringValue ?? "", event["Action"]?.stringValue ?? "",
            event["Actor"]?["ID"]?.stringValue ?? "",
        ]
        return words.joined(separator: " ") + (shown.isEmpty ? "" : " (\(shown))")
    }
}
