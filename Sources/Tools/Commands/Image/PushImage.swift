internal import EngineClient
internal import Failures
internal import JSON
internal import OCI

/// `skiff push`.
enum PushImage {
    private static let allTags = Option<Bool>.flag(
        "all-tags", short: "a", "Push all tags of an image to the repository")
    private static let platform = Option<String?>.text(
        "platform", "Push a platform-specific manifest as a single-platform image to the registry.")
    private static let quiet = Option<Bool>.flag("quiet", short: "q", "Suppress verbose output")

    static let verb = Verb(
        "push", "Upload an image to a registry", usage: "[OPTIONS] NAME[:TAG]", options: [allTags, platform, quiet],
        arguments: 1...1
    ) { invocation throws(Failure) in
        let typed = try Reference(parsing: invocation.arguments[0])
        guard typed.digest == nil else { throw Failure(.invalid, "cannot push a digest reference") }
        if invocation[allTags], typed.tag != nil {
            throw Failure(.invalid, "tag can't be used with --all-tags/-a")
        }
        let reference = invocation[allTags] ? typed : typed.withDefaultTag
        if typed.isNameOnly, !invocation[allTags], !invocation[quiet] {
            invocation.console.print("Using default tag: latest")
        }
        var query: [(String, String)] = []
        if let tag = reference.tag { query.append(("tag", tag)) }
        if let platform = invocation[platform] {
            query.append(("platform", platformJSON(try Platform(parsing: platform)).text))
        }
        let login = try ConfigFile(invocation.environment).login(for: reference.domain)
        // The header is not optional here: an empty login is said as such.
        let header = login?.header ?? Base64.encode(Array("{}".utf8), urlSafe: true)
        let answer = try invocation.engine().call(
            Request(
                .post, "/images/\(pathPart(reference.familiarName))/push", query: query,
                headers: [("X-Registry-Auth", header)]))
        var display = ProgressDisplay(console: invocation.console)
        try answer.forEachDocument { message throws(Failure) in
            if invocation[quiet], message["error"] == nil { return }
            try display.show(message)
        }
        display.finish()
        if invocation[quiet] { invocation.console.print(reference.description) }
        return .success
    }

    static func platformJSON(_ platform: Platform) -> JSON {
        var object: JSON = ["os": .string(platform.os), "architecture": .string(platform.architecture)]
        if let variant = platform.variant { object["variant"] = .string(variant) }
        return object
    }
}
