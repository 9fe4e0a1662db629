internal import EngineClient
internal import Failures
internal import OCI

/// `skiff import`.
enum ImportImage {
    private static let change = Option<[String]>.list(
        "change", short: "c", "Apply Dockerfile instruction to the created image")
    private static let message = Option<String?>.text("message", short: "m", "Set commit message for imported image")
    private static let platform = Option<String?>.text(
        "platform", "Set platform if server is multi-platform capable")

    static let verb = Verb(
        "import", "Import the contents from a tarball to create a filesystem image",
        usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]", options: [change, message, platform], arguments: 1...2
    ) { invocation throws(Failure) in
        let source = invocation.arguments[0]
        var query: [(String, String)] = []
        if invocation.arguments.count == 2 {
            let reference = try Reference(parsing: invocation.arguments[1])
            query.append(("repo", reference.familiarName))
            if let tag = reference.tag { query.append(("tag", tag)) }
        }
        query += invocation[change].map { ("changes", $0) }
        if let message = invocation[message] { query.append(("message", message)) }
        if let platform = invocation[platform] { query.append(("platform", platform)) }
        let isURL = source.hasPrefix("http://") || source.hasPrefix("https://")
        query.insert(("fromSrc", isURL ? source : "-"), at: 0)
        var body = Request.Body.none
        if !isURL {
            body = .stream(
                type: "application/x-tar", try FileStream(path: source, console: invocation.console).send)
        }
        let answer = try invocation.engine().call(Request(.post, "/images/create", query: query, body: body))
        var display = ProgressDisplay(console: invocation.console)
        try answer.forEachDocument { message throws(Failure) in try display.show(message) }
        display.finish()
        return .success
    }
}
