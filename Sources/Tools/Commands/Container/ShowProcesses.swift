internal import EngineClient
internal import Failures
internal import JSON

/// `skiff top`.
enum ShowProcesses {
    static let verb = Verb(
        "top", "Display the running processes of a container", usage: "CONTAINER [ps OPTIONS]",
        arguments: atLeast(1), stopsAtFirstArgument: true
    ) { invocation throws(Failure) in
        let arguments = invocation.arguments.dropFirst().joined(separator: " ")
        let query = arguments.isEmpty ? [] : [("ps_args", arguments)]
        let path = "\(ContainerRun.path(invocation.arguments[0]))/top"
        let answer = try invocation.engine().json(Request(.get, path, query: query))
        var table = Table(minimumWidth: 20)
        let rows =
            [answer["Titles"]?.arrayValue ?? []] + (answer["Processes"]?.arrayValue ?? []).map { $0.arrayValue ?? [] }
        for row in rows { table.add(row.map { $0.stringValue ?? $0.text }.joined(separator: "\t")) }
        invocation.console.write(table.text)
        return .success
    }
}
