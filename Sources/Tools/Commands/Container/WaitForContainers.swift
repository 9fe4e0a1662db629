internal import EngineClient
internal import Failures
internal import JSON

/// `skiff wait`.
enum WaitForContainers {
    static let verb = Verb(
        "wait", "Block until one or more containers stop, then print their exit codes",
        usage: "CONTAINER [CONTAINER...]", arguments: atLeast(1)
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        return try invocation.forEachArgument(invocation.arguments) { container throws(Failure) in
            let result = try client.json(Request(.post, "\(ContainerRun.path(container))/wait"))
            if let message = result["Error"]?["Message"]?.stringValue, !message.isEmpty {
                throw Failure(.internal, message)
            }
            invocation.console.print(String(result["StatusCode"]?.intValue ?? 0))
            invocation.console.flush()
        }
    }
}
