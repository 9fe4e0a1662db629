internal import EngineClient
internal import Failures
internal import JSON

/// `skiff kill`.
enum KillContainers {
    private static let signal = Option<String?>.text("signal", short: "s", "Signal to send to the container")

    static let verb = Verb(
        "kill", "Kill one or more running containers", usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        options: [signal], arguments: atLeast(1)
    ) { invocation throws(Failure) in
        let client = try invocation.engine()
        let query = invocation[signal].map { [("signal", $0)] } ?? []
        return try invocation.forEachArgument(invocation.arguments) { container throws(Failure) in
            try client.json(Request(.post, "\(ContainerRun.path(container))/kill", query: query))
            invocation.console.print(container)
        }
    }
}
