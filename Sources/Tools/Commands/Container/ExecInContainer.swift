internal import DockerAPI
internal import EngineClient
internal import Failures
internal import JSON
internal import Linux

/// `skiff exec`.
enum ExecInContainer {
    private static let detach = Option<Bool>.flag(
        "detach", short: "d", "Detached mode: run command in the background")
    private static let interactive = Option<Bool>.flag(
        "interactive", short: "i", "Keep STDIN open even if not attached")
    private static let tty = Option<Bool>.flag("tty", short: "t", "Allocate a pseudo-TTY")
    private static let user = Option<String?>.text(
        "user", short: "u", "Username or UID (format: \"<name|uid>[:<group|gid>]\")")
    private static let privileged = Option<Bool>.flag("privileged", "Give extended privileges to the command")
    private static let env = EnvironmentList.option
    private static let envFile = Option<[String]>.list("env-file", "Read in a file of environment variables")
    private static let workdir = Option<String?>.text("workdir", short: "w", "Working directory inside the container")

    static let verb = Verb(
        "exec", "Execute a command in a running container", usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
        options: [detach, interactive, tty, user, privileged, env, envFile, workdir, DetachKeys.option],
        arguments: atLeast(2), stopsAtFirstArgument: true
    ) { invocation throws(Failure) in
        if invocation[tty], invocation[interactive], !invocation[detach], !invocation.console.inputIsTerminal {
            throw Failure(.invalid, "the input device is not a TTY")
        }
        let client = try invocation.engine()
        let id = try create(invocation, client)
        var start = ExecStartRequest()
        start.detach = invocation[detach]
        start.tty = invocation[tty]
        start.consoleSize = consoleSize(invocation)
        let request = Request(.post, "/exec/\(id)/start", body: .json(try encoded(start)))
        if invocation[detach] {
            try client.json(request)
            return .success
        }
        return try run(invocation, client, id, request)
    }

    private static func create(_ invocation: Invocation, _ client: EngineClient) throws(Failure) -> String {
        var request = ExecCreateRequest()
        request.cmd = Array(invocation.arguments.dropFirst())
        request.tty = invocation[tty]
        request.user = invocation[user]
        request.privileged = invocation[privileged]
        request.workingDir = invocation[workdir]
        request.env = try EnvironmentList.variables(
            files: invocation[envFile], lines: invocation[env], from: invocation.environment)
        request.attachStdin = !invocation[detach] && invocation[interactive]
        request.attachStdout = !invocation[detach]
        request.attachStderr = !invocation[detach]
        request.detachKeys = invocation[DetachKeys.option]
        request.consoleSize = consoleSize(invocation)
        let path = "\(ContainerRun.path(invocation.arguments[0]))/exec"
        let answer = try client.json(Request(.post, path, body: .json(try encoded(request))))
        guard let id = answer["Id"]?.stringValue else {
            throw Failure(.internal, "the engine made an exec without an id")
        }
        return id
    }

    private static func consoleSize(_ invocation: Invocation) -> [Int]? {
        guard invocation[tty], let size = ContainerTerminal.size else { return nil }
        return [Int(size.rows), Int(size.columns)]
    }

    private static func run(
        _ invocation: Invocation, _ client: EngineClient, _ id: String, _ request: Request
    ) throws(Failure) -> ExitCode {
        let keys = try DetachKeys(parsing: invocation[DetachKeys.option] ?? DetachKeys.standard)
        // Signals end this program as they always do: the command in the container is not our child.
        let signals = try SignalQueue(proxied: false)
        let stream = try client.hijack(request)
        let terminal = ContainerTerminal(
            client: client, path: "/exec/\(id)", tty: invocation[tty], proxiesSignals: false)
        let session = StreamSession(
            console: invocation.console, stream: stream, tty: invocation[tty], sendsInput: invocation[interactive],
            detachKeys: keys, signals: signals, onSignal: terminal.handle)
        if try session.run() == .detached {
            invocation.console.error("exec attach failed: read escape sequence")
            return .success
        }
        let state = try client.json(Request(.get, "/exec/\(id)/json"))
        guard state["Running"]?.boolValue != true, let code = state["ExitCode"]?.intValue else {
            throw Failure(
                .internal,
                "the output of exec \(id) ended and the engine knows no exit code: see with 'skiff top \(invocation.arguments[0])' whether it runs"
            )
        }
        return ExitCode(Int32(truncatingIfNeeded: code))
    }
}
