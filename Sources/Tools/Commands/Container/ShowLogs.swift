internal import DockerAPI
internal import EngineClient
internal import Failures
internal import JSON

/// `skiff logs`.
enum ShowLogs {
    private static let follow = Option<Bool>.flag("follow", short: "f", "Follow log output")
    private static let since = Option<String?>.text(
        "since", "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)")
    private static let until = Option<String?>.text(
        "until",
        "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)")
    private static let tail = Option<String?>.text(
        "tail", short: "n", "Number of lines to show from the end of the logs", defaultText: "\"all\"")
    private static let timestamps = Option<Bool>.flag("timestamps", short: "t", "Show timestamps")
    private static let details = Option<Bool>.flag("details", "Show extra details provided to logs")

    static let verb = Verb(
        "logs", "Fetch the logs of a container", usage: "[OPTIONS] CONTAINER",
        options: [follow, since, until, tail, timestamps, details], arguments: 1...1
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        let path = ContainerRun.path(invocation.arguments[0])
        let tty = try client.json(Request(.get, "\(path)/json"))["Config"]?["Tty"]?.boolValue == true
        var query = [("stdout", "1"), ("stderr", "1"), ("tail", invocation[tail] ?? "all")]
        if invocation[follow] { query.append(("follow", "1")) }
        if invocation[timestamps] { query.append(("timestamps", "1")) }
        if invocation[details] { query.append(("details", "1")) }
        let now = Moment.now()
        if let text = invocation[since] { query.append(("since", try Moment(typed: text, now: now).unixText)) }
        if let text = invocation[until] { query.append(("until", try Moment(typed: text, now: now).unixText)) }
        let answer = try client.call(Request(.get, "\(path)/logs", query: query))
        var frames = StdcopyReader()
        try answer.forEachPart { part throws(Failure) in
            if tty {
                try invocation.console.pass(part)
            } else {
                try OutputFrames.pass(part, &frames, to: invocation.console)
            }
        }
        return .success
    }
}
