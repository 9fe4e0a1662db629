internal import CLinux
internal import DockerAPI
internal import EngineClient
internal import Failures

/// `skiff run`.
enum RunContainer {
    private typealias Options = ContainerOptions

    private static let detach = Option<Bool>.flag(
        "detach", short: "d", "Run container in background and print container ID")
    private static let signalProxy = Option<Bool>.flag(
        "sig-proxy", "Proxy received signals to the process", default: true)

    static let verb = Verb(
        "run", "Create and run a new container from an image", usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
        options: Options.all + [detach, signalProxy, DetachKeys.option], arguments: atLeast(1),
        stopsAtFirstArgument: true
    ) { invocation throws(Failure) in
        try checkStreams(invocation)
        do throws(Failure) { return try run(invocation) } catch {
            if error.cause is Exit { throw error }
            // What went wrong before the container's own command is 125, whatever it was.
            invocation.console.error(
                "skiff: \(Report.line(for: error))\n\nRun 'skiff run --help' for more information")
            return .engine
        }
    }

    /// What is wrong with the person's own streams is no failure to run: Docker's client ends with 1 for it, not 125.
    private static func checkStreams(_ invocation: Invocation) throws(Failure) {
        if invocation[detach], !invocation[Options.attach].isEmpty {
            throw Failure(.invalid, "conflicting options: cannot specify both --attach and --detach")
        }
        let attached = invocation[Options.attach]
        let takesInput =
            attached.isEmpty ? invocation[Options.interactive] : attached.contains { $0.lowercased() == "stdin" }
        if invocation[Options.tty], takesInput, !invocation[detach], !invocation.console.inputIsTerminal {
            throw Failure(.invalid, "the input device is not a TTY")
        }
        _ = try DetachKeys(parsing: invocation[DetachKeys.option] ?? DetachKeys.standard)
    }

    private static func run(_ invocation: Invocation) throws(Failure) -> ExitCode {
        let detached = invocation[detach]
        if let file = invocation[Options.cidFile] { try ContainerRun.claimIDFile(file) }
        var request = try ContainerRequest(invocation.parsed, detached: detached, environment: invocation.environment)
        let tty = invocation[Options.tty]
        if tty, let size = ContainerTerminal.size { request.setConsoleSize(size) }
        let keys = try DetachKeys(parsing: invocation[DetachKeys.option] ?? DetachKeys.standard)

        let client = try invocation.engine()
        let containers = ContainerRun(client: client, console: invocation.console)
        let id = try containers.create(
            request, name: invocation[Options.name], platform: invocation[Options.platform],
            pull: invocation[Options.pull] ?? "missing", quiet: invocation[Options.quiet],
            environment: invocation.environment)
        if let file = invocation[Options.cidFile] { try ContainerRun.writeIDFile(file, id) }
        if detached { return try startDetached(id, containers, invocation) }

        let config = request.body.config
        let signals = try SignalQueue(proxied: invocation[signalProxy])
        let stream = try containers.attach(
            id, stdin: config.attachStdin == true, stdout: config.attachStdout == true,
            stderr: config.attachStderr == true, detachKeys: invocation[DetachKeys.option])
        let condition = invocation[Options.remove] ? "removed" : "next-exit"
        let waiting = try containers.beginWaiting(id, condition: condition)
        do throws(Failure) { try containers.start(id) } catch {
            invocation.console.error(
                "skiff: \(Report.line(for: error))\n\nRun 'skiff run --help' for more information")
            if invocation[Options.remove] { _ = try? containers.exitCode(waiting, signals: signals) { _ in } }
            return ContainerRun.exitCode(ofStartFailure: error)
        }
        let terminal = ContainerTerminal(
            client: client, path: ContainerRun.path(id), tty: tty, proxiesSignals: invocation[signalProxy])
        let session = StreamSession(
            console: invocation.console, stream: stream, tty: tty, sendsInput: config.attachStdin == true,
            detachKeys: keys, signals: signals, onSignal: terminal.handle)
        if try session.run() == .detached { return .success }
        return try containers.exitCode(waiting, signals: signals, terminal.handle)
    }

    private static func startDetached(
        _ id: String, _ containers: ContainerRun, _ invocation: Invocation
    ) throws(Failure) -> ExitCode {
        do throws(Failure) { try containers.start(id) } catch {
            invocation.console.error(
                "skiff: \(Report.line(for: error))\n\nRun 'skiff run --help' for more information")
            return ContainerRun.exitCode(ofStartFailure: error)
        }
        invocation.console.print(id)
        return .success
    }
}
