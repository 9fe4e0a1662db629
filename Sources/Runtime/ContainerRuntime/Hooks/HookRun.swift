internal import CLinux
internal import JSON
internal import Linux
public import OCI

/// The programs of one point of a container's life, run one after the other.
///
/// ```
/// create:  prestart, createRuntime   runtime's namespaces      mounts made, before the change of root
///          createContainer           container's namespaces    paths still the host's
/// start:   startContainer            container's namespaces    as the program's user, just before the program
///          poststart                 runtime's namespaces      the program runs
/// delete:  poststop                  runtime's namespaces      failures are told, the rest runs all the same
/// ```
/// In a pid namespace that the container shares with another, its `createContainer` hooks are not: ``SharedProcesses``. See
/// config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle". For a process of one thread: a hook is made by a raw
/// clone, as a container is.
public struct HookRun: Sendable {
    public enum Point: String, Sendable {
        case prestart, createRuntime, createContainer, startContainer, poststart, poststop
    }

    let point: Point
    let hooks: [RuntimeSpec.Hook]
    let state: HookState
    /// Where the hooks begin; nil leaves the directory as it is.
    let directory: String?

    /// - Parameter directory: where the hooks begin; nil leaves the directory as it is.
    public init(_ point: Point, _ hooks: [RuntimeSpec.Hook], state: HookState, directory: String? = nil) {
        self.point = point
        self.hooks = hooks
        self.state = state
        self.directory = directory
    }

    /// Runs all; the first that fails ends it.
    public func run() throws(RuntimeFailure) {
        for (number, hook) in hooks.enumerated() { try run(hook, number) }
    }

    /// Runs all, whatever fails, and says what did.
    public func runAll() -> [RuntimeFailure] {
        var failures: [RuntimeFailure] = []
        for (number, hook) in hooks.enumerated() {
            do throws(RuntimeFailure) { try run(hook, number) } catch { failures.append(error) }
        }
        return failures
    }

    private func run(_ hook: RuntimeSpec.Hook, _ number: Int) throws(RuntimeFailure) {
        let (input, output) = try step(.hooks) { () throws(SystemError) in
            (
                SharedDescriptor(try memoryFile("state", state.json.serialized())),
                SharedDescriptor(try memoryFile("output", []))
            )
        }
        let cloned = try step(.hooks) { () throws(SystemError) in try Linux.clone([]) }
        if cloned.isChild { Self.become(hook, input.raw, output.raw, directory) }
        let process = PidFD(owning: OwnedDescriptor(owning: cloned.pidfd))
        let timeout = hook.timeout.map { Int64($0) * 1000 }
        let isOver = try step(.hooks) { () throws(SystemError) in try Self.await(process, timeout) }
        if !isOver {
            // The hook leads a session: what it started goes with it.
            _ = kill(-cloned.pid, SIGKILL)
            try? process.send(SIGKILL)
        }
        let end = try step(.hooks) { () throws(SystemError) in try process.wait() }
        if isOver, case .exited(0) = end { return }
        var problem = isOver ? Self.words(end) : "not done after \(hook.timeout ?? 0) s"
        if let said = Self.lastLine(output.raw) { problem += ": \(said)" }
        throw RuntimeFailure(.hooks, "error running \(point.rawValue) hook #\(number): \(hook.path): \(problem)")
    }

    /// True once the process has ended, false when the time is up before.
    ///
    /// - Parameter timeout: milliseconds; nil for ever.
    private static func await(_ process: borrowing PidFD, _ timeout: Int64?) throws(SystemError) -> Bool {
        let deadline = timeout.map { Clock.monotonicMilliseconds() + $0 }
        let raw = process.raw
        while true {
            let left = deadline.map { max(0, $0 - Clock.monotonicMilliseconds()) }
            let events = try poll(
                [(raw, Int16(POLLIN))], timeout: left.map { Int32(clamping: $0) } ?? -1)
            if events[0] != 0 { return true }
            if left == 0 { return false }
        }
    }

    private static func words(_ end: ProcessEnd?) -> String {
        switch end {
        case .exited(let code): "exit status \(code)"
        case .killed(let signal): "killed by signal \(signal)" + (Signals.words(signal).map { ": \($0)" } ?? "")
        case nil: "its end was lost"
        }
    }

    /// The last line a hook wrote, at most 512 bytes of it.
    private static func lastLine(_ output: Int32) -> String? {
        guard let bytes = try? readWhole(output, limit: 64 << 20),
            let line = bytes.split(separator: UInt8(ascii: "\n")).last
        else { return nil }
        return String(decoding: line.prefix(512), as: UTF8.self)
    }

    /// In the hook's process.
    private static func become(_ hook: RuntimeSpec.Hook, _ input: Int32, _ output: Int32, _ directory: String?) {
        do throws(SystemError) {
            try resetSignals()
            try startSession()
            try installStreams(input, output, output)
            try closeOnExec(from: 3)
            if let directory { try changeDirectory(directory) }
            let failure = execute(hook.path, arguments: hook.arguments, environment: hook.environment)
            try? writeAll(2, "exec: \(failure.reason)\n")
        } catch {
            try? writeAll(output, "\(error)\n")
        }
        exitNow(127)
    }
}

extension RuntimeSpec.Hook {
    /// The hook with the program's environment, where it names none of its own.
    func inheriting(_ environment: [String]) -> RuntimeSpec.Hook {
        var hook = self
        if hook.environment.isEmpty { hook.environment = environment }
        return hook
    }
}

/// A nameless file in memory, read from its start.
private func memoryFile(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> OwnedDescriptor {
    let file = OwnedDescriptor(
        owning: try check("memfd_create", name) { memfd_create(name, UInt32(MFD_CLOEXEC)) })
    try writeAll(file.raw, bytes)
    try check("lseek", name) { lseek(file.raw, 0, SEEK_SET) }
    return file
}
