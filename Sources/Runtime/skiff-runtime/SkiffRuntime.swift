internal import CLinux
internal import ContainerRuntime
internal import Failures
internal import JSON
internal import Linux

/// The OCI runtime command line: what an engine can be given in place of `runc`.
///
/// One process, one thread, one verb; everything that lasts is in ``StateDirectory``.
@main
enum SkiffRuntime {
    static let version = "0.1.0"

    static func main() {
        ignoreBrokenPipes()
        do {
            let words = CommandLine.arguments.dropFirst()
            let globals = try Arguments(
                words, flags: ["debug", "systemd-cgroup", "version", "help", "v", "h"],
                options: ["root", "log", "log-format", "rootless", "cgroup-manager"])
            if globals.has("version") || globals.has("v") { return print(versionText) }
            guard let verb = globals.rest.first, !globals.has("help"), !globals.has("h"), verb != "help" else {
                return print(usage)
            }
            let context = RuntimeContext(globals)
            do { try run(verb, Array(globals.rest.dropFirst()), context) } catch { context.fail(error) }
        } catch {
            writeError("skiff-runtime: \(error)\n")
            exitNow(1)
        }
    }

    private static func run(_ verb: String, _ words: [String], _ context: RuntimeContext) throws {
        switch verb {
        case "create": try CreateVerb(words).run(context)
        case "run": try RunVerb(words).run(context)
        case "start": try StartVerb(words).run(context)
        case "state": try StateVerb(words).run(context)
        case "kill": try KillVerb(words).run(context)
        case "delete": try DeleteVerb(words).run(context)
        case "exec": try ExecVerb(words).run(context)
        case "list": try ListVerb(words).run(context)
        case "ps": try ProcessesVerb(words).run(context)
        case "pause": try FreezeVerb(words, frozen: true).run(context)
        case "resume": try FreezeVerb(words, frozen: false).run(context)
        case "update": try UpdateVerb(words).run(context)
        default: throw Arguments.Misuse(description: "unknown command \"\(verb)\"; see skiff-runtime --help")
        }
    }

    static let versionText = """
        skiff-runtime version \(version)
        spec: 1.3.0
        libseccomp: \(SeccompCompiler.libraryVersion)
        """

    static let usage = """
        Usage: skiff-runtime [--root DIR] [--log FILE] [--log-format text|json] COMMAND …

        Runs containers from OCI bundles, with runc's commands and flags.

          create   make a container; its program waits for start
          start    let a created container's program begin
          run      create and start, and wait for the end
          state    print a container's state as JSON
          kill     send a signal to a container's first process, or to all
          delete   remove what is left of a container
          exec     run another program in a container
          list     list containers
          ps       list a container's processes
          pause    stop every process of a container where it is
          resume   let them go on
          update   change resource limits
        """
}

/// Writes to standard error; there is nobody to tell when that fails.
func writeError(_ text: String) { try? writeAll(2, text) }

/// What every verb needs: where states are, and where errors go.
struct RuntimeContext {
    let states: StateDirectory
    private let log: String?
    private let logsJSON: Bool

    init(_ globals: Arguments) {
        states = StateDirectory(root: globals.last("root") ?? "/run/skiff-runtime")
        log = globals.last("log")
        logsJSON = globals.last("log-format") == "json"
    }

    /// Reports a failure as runc does, on standard error and in the log an engine reads, and ends.
    func fail(_ error: any Error) -> Never {
        let message = "\(error)"
        writeError("skiff-runtime: \(message)\n")
        if let log, let file = try? open(log, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644) {
            let time = WallTime.now().text
            let line: JSON = .object(["level": "error", "msg": .string(message), "time": .string(time)])
            try? writeAll(file.raw, logsJSON ? line.text + "\n" : "time=\"\(time)\" level=error msg=\"\(message)\"\n")
        }
        exitNow(1)
    }
}
