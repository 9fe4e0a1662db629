internal import EngineClient
internal import Failures
internal import JSON

/// `skiff volume rm`.
enum RemoveVolumes {
    private static let force = Option<Bool>.flag("force", short: "f", "Force the removal of one or more volumes")

    static let verb = Verb(
        "rm", "Remove one or more volumes", usage: "[OPTIONS] VOLUME [VOLUME...]", options: [force],
        arguments: atLeast(1), aliases: ["remove"]
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        let query = invocation[force] ? [("force", "1")] : []
        return try invocation.forEachArgument(invocation.arguments) { name throws(Failure) in
            try client.json(Request(.delete, "/volumes/\(pathPart(name))", query: query))
            invocation.console.print(name)
        }
    }
}
