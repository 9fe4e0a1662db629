internal import EngineClient
internal import Failures
internal import JSON

/// `skiff rmi`.
enum RemoveImages {
    private static let force = Option<Bool>.flag("force", short: "f", "Force removal of the image")
    private static let noPrune = Option<Bool>.flag("no-prune", "Do not delete untagged parents")

    static let verb = Verb(
        "rm", "Remove one or more images", usage: "[OPTIONS] IMAGE [IMAGE...]", options: [force, noPrune],
        arguments: atLeast(1), aliases: ["rmi", "remove"]
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        var query: [(String, String)] = []
        if invocation[force] { query.append(("force", "1")) }
        if invocation[noPrune] { query.append(("noprune", "1")) }
        return try invocation.forEachArgument(invocation.arguments) { image throws(Failure) in
            do throws(Failure) {
                let answer = try client.json(Request(.delete, "/images/\(pathPart(image))", query: query))
                for entry in answer.arrayValue ?? [] {
                    if let name = entry["Untagged"]?.stringValue { invocation.console.print("Untagged: \(name)") }
                    if let name = entry["Deleted"]?.stringValue { invocation.console.print("Deleted: \(name)") }
                }
            } catch {
                guard invocation[force], (error.cause as? EngineError)?.status == 404 else { throw error }
                invocation.console.error(Report.line(for: error))
            }
        }
    }
}
