internal import CLinux
internal import EngineClient
internal import Failures
internal import JSON
internal import Linux

/// What the person's terminal tells a process in a container: its size, and signals.
struct ContainerTerminal {
    let client: EngineClient
    /// "/containers/<id>" or "/exec/<id>".
    let path: String
    let tty: Bool
    /// Whether signals are passed on; an exec has no way to take them.
    let proxiesSignals: Bool

    /// The size of the terminal on standard output, if there is one.
    static var size: WindowSize? {
        guard let size = try? windowSize(STDOUT_FILENO), size.rows > 0, size.columns > 0 else { return nil }
        return size
    }

    /// Tells the engine the size.
    ///
    /// A process that is just starting or ending cannot take it, which is no error.
    func resize() {
        guard tty, let size = Self.size else { return }
        let query = [("h", String(size.rows)), ("w", String(size.columns))]
        _ = try? client.json(Request(.post, "\(path)/resize", query: query))
    }

    /// Serves one signal.
    ///
    /// A process that ended meanwhile cannot take it, which is no error.
    func handle(_ signal: Int32) {
        if signal == SIGWINCH { return resize() }
        guard proxiesSignals else { return }
        _ = try? client.json(Request(.post, "\(path)/kill", query: [("signal", String(signal))]))
    }
}
