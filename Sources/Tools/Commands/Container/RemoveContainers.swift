internal import EngineClient
internal import Failures
internal import JSON

/// `skiff rm`.
enum RemoveContainers {
    private static let force = Option<Bool>.flag(
        "force", short: "f", "Force the removal of a running container (uses SIGKILL)")
    private static let volumes = Option<Bool>.flag(
        "volumes", short: "v", "Remove anonymous volumes associated with the container")
    private static let link = Option<Bool>.flag("link", short: "l", "Remove the specified link")

    static let verb = Verb(
        "rm", "Remove one or more containers", usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        options: [force, volumes, link], arguments: atLeast(1), aliases: ["remove"]
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        var query: [(String, String)] = []
        if invocation[force] { query.append(("force", "1")) }
        if invocation[volumes] { query.append(("v", "1")) }
        if invocation[link] { query.append(("link", "1")) }
        return try invocation.forEachArgument(invocation.arguments) { name throws(Failure) in
            let container = name.hasPrefix("/") ? String(name.dropFirst()) : name
            do throws(Failure) {
                try client.json(Request(.delete, ContainerRun.path(container), query: query))
            } catch {
                // What is gone already is what --force wants.
                guard invocation[force], (error.cause as? EngineError)?.status == 404 else { throw error }
                return invocation.console.error(Report.line(for: error))
            }
            invocation.console.print(name)
        }
    }
}
