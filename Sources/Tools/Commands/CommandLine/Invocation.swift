internal import EngineClient
internal import Failures

/// One use of a verb: what was typed, where to write, whom to ask.
struct Invocation {
    /// The verb with its nouns: "skiff container stop".
    let command: String
    let parsed: ParsedArguments
    let console: Console
    let environment: Environment
    private let connect: () throws(Failure) -> EngineClient

    init(
        command: String, parsed: ParsedArguments, console: Console, environment: Environment,
        connect: @escaping () throws(Failure) -> EngineClient
    ) {
        self.command = command
        self.parsed = parsed
        self.console = console
        self.environment = environment
        self.connect = connect
    }

    var arguments: [String] { parsed.arguments }

    subscript<Value>(option: Option<Value>) -> Value { parsed[option] }

    func isGiven<Value>(_ option: Option<Value>) -> Bool { parsed.isGiven(option) }

    /// The engine that the options and the environment name; nothing is sent yet.
    func engine() throws(Failure) -> EngineClient { try connect() }

    /// Does something for each argument, goes on after a failure, and says at the end how it went.
    func forEachArgument(
        _ arguments: [String], _ body: (String) throws(Failure) -> Void
    ) throws(Failure) -> ExitCode {
        var code = ExitCode.success
        for argument in arguments {
            do throws(Failure) { try body(argument) } catch {
                // Without an engine every argument would fail alike: once is enough.
                if error.kind == .unavailable, !(error.cause is EngineError) { throw error }
                console.error(Report.line(for: error))
                code = .failure
            }
        }
        return code
    }
}

/// What the shell hands down.
struct Environment: Sendable {
    let variables: [String: String]

    init(_ variables: [String: String]) { self.variables = variables }

    subscript(name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }

    var home: String { self["HOME"] ?? "/root" }
}
