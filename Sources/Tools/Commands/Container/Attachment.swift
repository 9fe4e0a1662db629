internal import EngineClient
internal import Failures
internal import JSON

/// Joins the person's terminal to a container that exists: `attach` and `start -a`.
struct Attachment {
    let invocation: Invocation
    let client: EngineClient
    /// What the engine says of the container.
    let container: JSON

    /// - Parameter starting: the container is started once everything is attached, so that no output is lost.
    func run(stdin: Bool, keys text: String?, proxiesSignals: Bool, starting: Bool) throws(Failure) -> ExitCode {
        let id = container["Id"]?.stringValue ?? ""
        let tty = container["Config"]?["Tty"]?.boolValue == true
        if tty, stdin, !invocation.console.inputIsTerminal {
            throw Failure(.invalid, "the input device is not a TTY")
        }
        let keys = try DetachKeys(parsing: text ?? DetachKeys.standard)
        let containers = ContainerRun(client: client, console: invocation.console)
        let signals = try SignalQueue(proxied: proxiesSignals)
        let stream = try containers.attach(id, stdin: stdin, stdout: true, stderr: true, detachKeys: text)
        let removes = container["HostConfig"]?["AutoRemove"]?.boolValue == true
        let waiting = try containers.beginWaiting(id, condition: removes ? "removed" : "next-exit")
        if starting {
            do throws(Failure) { try containers.start(id) } catch {
                invocation.console.error(Report.line(for: error))
                return ExitCode.failure
            }
        }
        let terminal = ContainerTerminal(
            client: client, path: ContainerRun.path(id), tty: tty, proxiesSignals: proxiesSignals)
        terminal.resize()
        let session = StreamSession(
            console: invocation.console, stream: stream, tty: tty, sendsInput: stdin, detachKeys: keys,
            signals: signals, onSignal: terminal.handle)
        if try session.run() == .detached {
            invocation.console.error("read escape sequence")
            return .success
        }
        return try containers.exitCode(waiting, signals: signals, terminal.handle)
    }
}
