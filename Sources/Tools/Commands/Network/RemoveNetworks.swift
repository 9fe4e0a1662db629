internal import EngineClient
internal import Failures
internal import JSON

/// `skiff network rm`.
enum RemoveNetworks {
    private static let force = Option<Bool>.flag("force", short: "f", "Do not error if the network does not exist")

    static let verb = Verb(
        "rm", "Remove one or more networks", usage: "NETWORK [NETWORK...]", options: [force], arguments: atLeast(1),
        aliases: ["remove"]
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        return try invocation.forEachArgument(invocation.arguments) { name throws(Failure) in
            do throws(Failure) {
                try client.json(Request(.delete, "/networks/\(pathPart(name))"))
                invocation.console.print(name)
            } catch {
                guard invocation[force], (error.cause as? EngineError)?.status == 404 else { throw error }
            }
        }
    }
}
