internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import OCI

/// How a process's terminal gets to whoever has the other side of it.
enum Terminal {
    /// Refuses what would leave a terminal without an owner, or a socket without a terminal.
    static func check(_ process: RuntimeSpec.Process, socket: String?, detached: Bool) throws(RuntimeFailure) {
        if detached, process.terminal, socket == nil {
            throw RuntimeFailure(
                .specification, "cannot make a terminal for a detached process: use --console-socket to say who gets it"
            )
        }
        if socket != nil, !detached || !process.terminal {
            throw RuntimeFailure(
                .specification, "--console-socket is given, but no terminal of a detached process to send to it")
        }
    }

    /// Our own streams, or a new terminal: of the size that is asked for, or else of our own one.
    static func stdio(_ process: RuntimeSpec.Process) -> Stdio {
        guard process.terminal else { return .descriptors(input: 0, output: 1, error: 2) }
        if let size = process.consoleSize {
            return .terminal(size: WindowSize(rows: size.rows, columns: size.columns))
        }
        return .terminal(size: isTerminal(0) ? try? windowSize(0) : nil)
    }

    /// Sends a terminal's master to whoever listens on a socket, with the descriptor's name as the one line of text.
    static func send(_ master: consuming OwnedDescriptor, to path: String) throws(SystemError) {
        let socket = try connectStream(toLocal: path)
        try sendMessage(socket.raw, Array("/dev/ptmx".utf8), descriptors: [master.raw])
    }

    /// Sends a process by descriptor, in the same way.
    static func send(process: borrowing PidFD, to path: String) throws(SystemError) {
        let socket = try connectStream(toLocal: path)
        try sendMessage(socket.raw, Array("pidfd".utf8), descriptors: [process.raw])
    }
}
