internal import Failures

/// Something a person can type after `skiff`: a verb that does something, or a noun with verbs below it.
struct Verb: Sendable {
    let name: String
    let summary: String
    /// What stands after the name in the usage line.
    let usage: String
    let options: [any AnyOption]
    let arguments: ClosedRange<Int>
    /// Whether everything after the first argument belongs to somebody else: the command of `run` and `exec`.
    let stopsAtFirstArgument: Bool
    /// Other ways to type it, for the help page.
    let aliases: [String]
    let children: [Verb]
    let isHidden: Bool
    let run: (@Sendable (Invocation) throws(Failure) -> ExitCode)?

    /// A verb.
    init(
        _ name: String, _ summary: String, usage: String = "", options: [any AnyOption] = [],
        arguments: ClosedRange<Int> = 0...0, stopsAtFirstArgument: Bool = false, aliases: [String] = [],
        isHidden: Bool = false, run: @escaping @Sendable (Invocation) throws(Failure) -> ExitCode
    ) {
        self.name = name
        self.summary = summary
        self.usage = usage
        self.options = options
        self.arguments = arguments
        self.stopsAtFirstArgument = stopsAtFirstArgument
        self.aliases = aliases
        self.isHidden = isHidden
        self.run = run
        children = []
    }

    /// A noun.
    init(noun name: String, _ summary: String, _ children: [Verb]) {
        self.name = name
        self.summary = summary
        usage = "COMMAND"
        options = []
        arguments = 0...0
        stopsAtFirstArgument = true
        aliases = []
        isHidden = false
        run = nil
        self.children = children
    }

    /// The same verb under another name, not listed a second time.
    func renamed(_ name: String, isHidden: Bool = false) -> Verb {
        guard let run else { return self }
        return Verb(
            name, summary, usage: usage, options: options, arguments: arguments,
            stopsAtFirstArgument: stopsAtFirstArgument, isHidden: isHidden, run: run)
    }

    func child(_ name: String) -> Verb? {
        children.first { $0.name == name } ?? children.first { $0.aliases.contains(name) }
    }
}

/// At least so many arguments, as the usage texts say it.
func atLeast(_ count: Int) -> ClosedRange<Int> { count...Int.max }

/// What a program leaves behind for whoever started it.
struct ExitCode: Sendable, Hashable {
    let rawValue: Int32

    init(_ rawValue: Int32) { self.rawValue = rawValue }

    static let success = ExitCode(0)
    /// Something did not go well.
    static let failure = ExitCode(1)
    /// The engine or this program could not do it, as opposed to what runs in the container.
    static let engine = ExitCode(125)
    /// The container's command cannot be executed.
    static let notExecutable = ExitCode(126)
    /// The container's command is not there.
    static let notFound = ExitCode(127)
    /// Nobody reads the output any more: 128 and the number of SIGPIPE.
    static let brokenPipe = ExitCode(141)
}

/// Ends a verb with a code of its own; what there was to say has been said.
struct Exit: Error {
    let code: ExitCode

    /// A failure that carries the code through functions that throw failures.
    static func failure(_ code: ExitCode) -> Failure { Failure(.internal, "", cause: Exit(code: code)) }
}
