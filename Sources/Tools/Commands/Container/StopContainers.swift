internal import EngineClient
internal import Failures
internal import JSON

/// `skiff stop` and `skiff restart`: the same options, one word apart.
enum StopContainers {
    private static let signal = Option<String?>.text("signal", short: "s", "Signal to send to the container")
    private static let timeout = Option<Int64?>.integer(
        "timeout", short: "t", "Seconds to wait before killing the container")
    private static let time = Option<Int64?>.integer("time", "").hidden

    static let stop = verb("stop", "Stop one or more running containers")
    static let restart = verb("restart", "Restart one or more containers")

    private static func verb(_ name: String, _ summary: String) -> Verb {
        Verb(
            name, summary, usage: "[OPTIONS] CONTAINER [CONTAINER...]", options: [signal, timeout, time],
            arguments: atLeast(1)
        ) { invocation throws(Failure) in
            var query: [(String, String)] = []
            if let signal = invocation[signal] { query.append(("signal", signal)) }
            if let seconds = invocation[timeout] ?? invocation[time] { query.append(("t", String(seconds))) }
            let client = try invocation.engine()
            return try invocation.forEachArgument(invocation.arguments) { container throws(Failure) in
                try client.json(Request(.post, "\(ContainerRun.path(container))/\(name)", query: query))
                invocation.console.print(container)
                invocation.console.flush()
            }
        }
    }
}
