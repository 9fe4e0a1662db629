internal import Linux

/// One command of the command line: what it is called, what it takes, what it does.
///
/// The table of its flags is the one that is parsed and the one that the help shows.
protocol Verb {
    static var name: String { get }
    /// What it does, in a few words.
    static var summary: String { get }
    /// What stands behind the flags, for the help.
    static var operands: String { get }
    static var flags: Flags { get }
    /// Whether flags may follow operands.
    static var scattersFlags: Bool { get }
    /// Whether a process of a container's is made, which must not reach this program's file.
    static var entersContainers: Bool { get }
    /// What the program ends with when the verb fails.
    static var failureCode: Int32 { get }

    init(_ arguments: Arguments) throws
    func run(_ context: RuntimeContext) throws
}

extension Verb {
    static var operands: String { "<container-id>" }
    static var flags: Flags { Flags("") }
    static var scattersFlags: Bool { true }
    static var entersContainers: Bool { false }
    static var failureCode: Int32 { 1 }
}

/// Ends the program where its work is done: what it holds is left for the kernel to take back, all at once.
///
/// - Parameter value: what would be taken apart first, one piece after another.
func endProgram<Value: ~Copyable>(keeping value: borrowing Value) -> Never {
    withExtendedLifetime(value) { exitNow(0) }
}

/// The texts of `--help`.
struct Help {
    /// The name the program was called by, since callers install it under others.
    let program: String

    func text(of verb: any Verb.Type) -> String {
        """
        NAME:
           \(program) \(verb.name) - \(verb.summary)

        USAGE:
           \(program) \(verb.name)\(verb.flags.isEmpty ? "" : " [flags]") \(verb.operands)

        OPTIONS:
        \(Self.table(verb.flags, Flags("--help -h  show this text")))
        """
    }

    func text(of verbs: [any Verb.Type], globals: Flags) -> String {
        let names = verbs.map { $0.name }
        let width = names.map(\.count).max() ?? 0
        let lines = verbs.map { "   \($0.name.padded(to: width + 3))\($0.summary)\n" }.joined()
        return """
            NAME:
               \(program) - Open Container Initiative runtime

            USAGE:
               \(program) [global flags] COMMAND [flags] …

               Runs containers from bundles, a directory with a config.json and a root file system each, as the
               Open Container Initiative's runtime specification describes them.

            COMMANDS:
            \(lines)
            GLOBAL OPTIONS:
            \(Self.table(globals))
            """
    }

    private static func table(_ flags: Flags...) -> String {
        let rows = flags.flatMap(\.rows)
        let width = rows.map(\.flag.count).max() ?? 0
        return rows.map { "   \($0.flag.padded(to: width + 3))\($0.purpose)\n" }.joined()
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
