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
        let called =
            arguments.first?.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) }
            ?? "skiff-runtime"
        let help = Help(program: called)
        do {
            let globals = try Arguments(arguments.dropFirst(), RuntimeContext.flags, scattered: false)
            if globals.has("version") { return print(versionText(called)) }
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
                // As early as can be: a program that has done little is quickly exchanged.
                if verb.entersContainers { context.seal = try ProgramSeal.apply(arguments: arguments) }
                try verb.init(
                    Arguments(words, verb.flags, scattered: verb.scattersFlags)
                ).run(context)
            } catch { context.fail(error, code: verb.failureCode) }
        } catch {
            writeError("\(called): \(error)\n")
            exitNow(1)
        }
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
        guard let verb = verbs.first(where: { $0.name == name }) else {
            throw Arguments.Misuse(description: "No help topic for '\(name)': there is no such command")
        }
        return verb
    }

    /// Whether the help is wanted of this verb, and not of a program behind its operands.
    private static func asksForHelp(_ words: ArraySlice<String>, of verb: any Verb.Type) -> Bool {
        for word in words {
            if ["-h", "--help", "-help"].contains(word) { return true }
            if word == "--" || (!verb.scattersFlags && !word.hasPrefix("-")) { return false }
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
