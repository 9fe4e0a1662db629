internal import EngineClient
internal import Failures
internal import JSON
internal import OCI

/// Fetches an image and shows how it goes: `pull`, and what `run` does when the image is missing.
struct ImagePull {
    let client: EngineClient
    let console: Console
    let environment: Environment

    /// The name as people write it, with its tag.
    static func familiar(_ text: String) -> String {
        (try? Reference(parsing: text))?.withDefaultTag.familiar ?? text
    }

    /// - Returns: the whole reference.
    func pull(
        _ text: String, platform: String?, quiet: Bool, toStandardError: Bool, allTags: Bool = false
    ) throws(Failure) -> String {
        let typed = try Reference(parsing: text)
        let reference = allTags ? typed.withoutTagOrDigest : typed.withDefaultTag
        if typed.isNameOnly, !quiet, !allTags, !toStandardError { console.print("Using default tag: latest") }
        var query = [("fromImage", reference.familiarName)]
        if let tag = reference.digest?.description ?? reference.tag { query.append(("tag", tag)) }
        if let platform { query.append(("platform", platform)) }
        let login = try ConfigFile(environment).login(for: reference.domain)
        let headers = login.map { [("X-Registry-Auth", $0.header)] } ?? []
        let answer = try client.call(Request(.post, "/images/create", query: query, headers: headers))
        var display = ProgressDisplay(console: console, toStandardError: toStandardError)
        try answer.forEachDocument { message throws(Failure) in
            if quiet, message["error"] == nil { return }
            try display.show(message)
        }
        display.finish()
        return reference.description
    }
}
