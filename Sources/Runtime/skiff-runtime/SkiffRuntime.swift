internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI

/// The OCI runtime command line: what an engine can be given in place of `runc`.
///
/// One process, one thread, one verb; everything that lasts is in ``StateDirectory``.
@main
enum SkiffRuntime {
    static let version = "0.1.0"

    static func main() {
        ignoreBrokenPipes()
        let arguments = programArguments()
        do {
            let help = Help(program: called(arguments))
            let globals = try Arguments(arguments.dropFirst(), RuntimeContext.flags, scattered: false)
            if globals.has("version") { return print(versionText(help.program)) }
            guard let name = globals.rest.first, !globals.has("help") else {
                return print(help.text(of: verbs, globals: RuntimeContext.flags))
            }
            let words = globals.rest.dropFirst()
            if name == "help" || name == "h" {
                guard let topic = words.first else {
                    return print(help.text(of: verbs, globals: RuntimeContext.flags))
                }
                return print(help.text(of: try verb(topic)))
            }
            let verb = try verb(name)
            if asksForHelp(words, of: verb) { return print(help.text(of: verb)) }
            var context = try RuntimeContext(globals)
            do {
                if verb.entersContainers {
                    context.seal = try ProgramSeal.apply(arguments: arguments)
                }
                try verb.init(
                    Arguments(words, verb.flags, scattered: verb.scattersFlags)
                ).run(context)
            } catch { context.fail(error, code: verb.failureCode) }
        } catch {
            writeError("\(called(arguments)): \(error)\n")
            exitNow(1)
        }
    }

    /// The name the program was called by, since callers install it under others.
    private static func called(_ arguments: [String]) -> String {
        guard let path = arguments.first, let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
            return arguments.first ?? "skiff-runtime"
        }
        return String(path[path.utf8.index(after: slash)...])
    }

    private static var verbs: [any Verb.Type] {
        [
            CheckpointVerb.self, CreateVerb.self, DeleteVerb.self, EventsVerb.self, ExecVerb.self,
            FeaturesVerb.self, KillVerb.self, ListVerb.self, PauseVerb.self, ProcessesVerb.self,
            RestoreVerb.self, ResumeVerb.self, RunVerb.self, SpecVerb.self, StartVerb.self, StateVerb.self,
            UpdateVerb.self,
        ]
    }

    private static func verb(_ name: String) throws(Arguments.Misuse) -> any Verb.Type {
        switch name {
        // What every container's life is made of, without a list of the others.
        case CreateVerb.name: return CreateVerb.self
        case StartVerb.name: return StartVerb.self
        case StateVerb.name: return StateVerb.self
        case DeleteVerb.name: return DeleteVerb.self
        case ExecVerb.name: return ExecVerb.self
        case KillVerb.name: return KillVerb.self
        default: break
        }
        guard let verb = verbs.first(where: { $0.name == name }) else {
            throw Arguments.Misuse(description: "No help topic for '\(name)': there is no such command")
        }
        return verb
    }

    /// Whether the help is wanted of this verb, and not of a program behind its operands.
    private static func asksForHelp(_ words: ArraySlice<String>, of verb: any Verb.Type) -> Bool {
        for word in words {
            guard word.utf8.first == UInt8(ascii: "-") else {
                if verb.scattersFlags { continue }
                return false
            }
            if word == "-h" || word == "--help" || word == "-help" { return true }
            if word == "--" { return false }
        }
        return false
    }

    /// The lines engines read: the name and version, the specification's version, libseccomp's; then, as crun has it, what
    /// this build can do.
    ///
    /// The commit is not known to the build.
    private static func versionText(_ program: String) -> String {
        """
        \(program) version \(version)
        commit: unknown
        spec: \(RuntimeSpec.currentVersion)
        libseccomp: \(SeccompCompiler.libraryVersion)
        \(RuntimeFeatures.words.map { "+\($0)" }.joined(separator: " "))
        """
    }
}

/// Writes to standard error; there is nobody to tell when that fails.
func writeError(_ text: String) { try? writeAll(2, text) }
