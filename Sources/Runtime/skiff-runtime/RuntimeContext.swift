internal import CLinux
internal import ContainerRuntime
internal import JSON
internal import Linux

/// What every verb needs, from the flags before it: where states are, how cgroups are made, where messages go.
struct RuntimeContext {
    let states: StateDirectory
    let log: Log
    /// Whether a cgroup that cannot be made for want of rights is done without, as an ordinary user's must be.
    var isRootless: Bool { rootless ?? (effectiveUser() != 0 || isInUserNamespace()) }
    /// What the caller says of it.
    private let rootless: Bool?
    /// The criu program's path, or its name.
    let criu: String
    /// Whether systemd makes the cgroups.
    let usesSystemd: Bool
    /// What keeps this program from being overwritten by a container it makes or enters.
    var seal: ProgramSeal?

    static let flags = Flags(
        """
        --root DIR             where states are kept (/run/skiff-runtime; a user's: $XDG_RUNTIME_DIR/skiff-runtime)
        --log FILE             where messages go, besides an error on standard error
        --log-format FORMAT    text or json
        --debug                tell each step
        --systemd-cgroup       let systemd make the cgroups
        --cgroup-manager NAME  cgroupfs, or systemd as --systemd-cgroup has it
        --rootless MODE        true, false or auto: whether cgroups that cannot be made are done without
        --criu PATH            the criu program, for checkpoint and restore (criu, as found in $PATH)
        --version -v           print the version
        --help -h              show this text
        """)

    init(_ globals: Arguments) throws {
        let format = globals.last("log-format") ?? "text"
        guard format == "text" || format == "json" else {
            throw Arguments.Misuse(description: "flag --log-format takes text or json, not \"\(format)\"")
        }
        log = try Log(path: globals.last("log"), json: format == "json", debug: globals.has("debug"))
        switch globals.last("rootless") {
        case "true": rootless = true
        case "false": rootless = false
        case "auto", "", nil: rootless = nil
        case let other?:
            throw Arguments.Misuse(description: "flag --rootless takes true, false or auto, not \"\(other)\"")
        }
        let driver = globals.last("cgroup-manager") ?? "cgroupfs"
        guard driver == "cgroupfs" || driver == "systemd" else {
            throw Arguments.Misuse(description: "flag --cgroup-manager takes cgroupfs or systemd, not \"\(driver)\"")
        }
        criu = globals.last("criu").flatMap { $0.isEmpty ? nil : $0 } ?? "criu"
        usesSystemd = globals.has("systemd-cgroup") || driver == "systemd"
        states = StateDirectory(root: try absolutePath(globals.last("root") ?? StandardRoot.path()))
    }

    /// Reports a failure as runc does, on standard error and in the log an engine reads, and ends.
    func fail(_ error: any Error, code: Int32 = 1) -> Never {
        log.error("\(error)")
        exitNow(code)
    }
}

extension RuntimeContext {
    /// Takes back what was made of a container that could not be finished: its processes, its cgroup and its name.
    func discard(_ id: String, _ group: Cgroup?) {
        if let group {
            try? group.kill()
            try? group.delete()
        }
        try? states.remove(id)
    }
}

/// A variable of this program's environment.
///
/// C function: `getenv`.
func environmentValue(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// The path itself, or the working directory with the path behind it; nothing has to be there.
func absolutePath(_ path: String) throws(SystemError) -> String {
    path.hasPrefix("/") ? path : try readLink("/proc/self/cwd") + "/" + path
}

/// Messages, in the form of runc's logger, which engines parse.
struct Log {
    private let file: SharedDescriptor?
    private let json: Bool
    private let tellsSteps: Bool

    init(path: String?, json: Bool, debug: Bool) throws(SystemError) {
        file = try path.flatMap { (path) throws(SystemError) -> SharedDescriptor? in
            path.isEmpty ? nil : SharedDescriptor(try open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644))
        }
        self.json = json
        tellsSteps = debug
    }

    /// What ends the program: on standard error, and in the log where there is one.
    func error(_ message: String) { report("error", message) }

    func warning(_ message: String) { report("warning", message) }

    /// What the caller should know of and need not act on: in the log, or on standard error where there is none, since an
    /// engine gives that to the container.
    func note(_ message: String) {
        if file == nil { return report("warning", message) }
        if let file { try? writeAll(file.raw, line("warning", message)) }
    }

    /// A step, told only with `--debug`.
    func debug(_ message: @autoclosure () -> String) {
        if tellsSteps { try? writeAll(file?.raw ?? 2, line("debug", message())) }
    }

    private func report(_ level: String, _ message: String) {
        if let file { try? writeAll(file.raw, line(level, message)) }
        writeError("skiff-runtime: \(level == "error" ? "" : level + ": ")\(message)\n")
    }

    private func line(_ level: String, _ message: String) -> String {
        let time = WallTime.now().text
        if json {
            return JSON.object(["level": .string(level), "msg": .string(message), "time": .string(time)]).text + "\n"
        }
        return "time=\"\(time)\" level=\(level) msg=\(JSON.string(message).text)\n"
    }
}
