internal import Failures

/// `skiff create`.
enum CreateContainer {
    private typealias Options = ContainerOptions

    static let verb = Verb(
        "create", "Create a new container", usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]", options: Options.all,
        arguments: atLeast(1), stopsAtFirstArgument: true
    ) { invocation throws(Failure) in
        if let file = invocation[Options.cidFile] { try ContainerRun.claimIDFile(file) }
        let request = try ContainerRequest(
            invocation.parsed, detached: false, environment: invocation.environment)
        let containers = ContainerRun(client: try invocation.engine(), console: invocation.console)
        let id = try containers.create(
            request, name: invocation[Options.name], platform: invocation[Options.platform],
            pull: invocation[Options.pull] ?? "missing", quiet: invocation[Options.quiet],
            environment: invocation.environment)
        if let file = invocation[Options.cidFile] { try ContainerRun.writeIDFile(file, id) }
        invocation.console.print(id)
        return .success
    }
}
