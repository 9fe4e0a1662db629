internal import EngineClient
internal import Failures
internal import JSON

/// `skiff pause` and `skiff unpause`.
enum PauseContainers {
    static let pause = verb("pause", "Pause all processes within one or more containers")
    static let unpause = verb("unpause", "Unpause all processes within one or more containers")

    private static func verb(_ name: String, _ summary: String) -> Verb {
        Verb(name, summary, usage: "CONTAINER [CONTAINER...]", arguments: atLeast(1)) { invocation throws(Failure) in
            let client = try invocation.engine()
            return try invocation.forEachArgument(invocation.arguments) { container throws(Failure) in
                try client.json(Request(.post, "\(ContainerRun.path(container))/\(name)"))
                invocation.console.print(container)
            }
        }
    }
}
