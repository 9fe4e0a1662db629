internal import CLinux
internal import ContainerRuntime
internal import Linux
internal import ShimProtocol

/// Both sides of the streams of a process that is about to start: pipes, or a terminal that the runtime makes inside.
struct ProcessEnds: ~Copyable {
    /// nil where the process gets a terminal.
    private let pipes: Pipes?
    private let size: WindowSize?

    private struct Pipes: ~Copyable {
        /// What the process reads: a pipe, or `/dev/null`.
        let input: OwnedDescriptor
        let inputWriter: OwnedDescriptor?
        let output: Pipe
        let errors: Pipe
    }

    init(terminal: Bool, size: WindowSize?, input: InputOrder) throws(SystemError) {
        self.size = size
        if terminal {
            pipes = nil
            return
        }
        let reader: OwnedDescriptor
        let writer: OwnedDescriptor?
        if input == .none {
            reader = try open("/dev/null", O_RDONLY)
            writer = nil
        } else {
            let (read, write) = try Pipe().release()
            reader = OwnedDescriptor(owning: read)
            writer = OwnedDescriptor(owning: write)
        }
        pipes = Pipes(input: reader, inputWriter: writer, output: try Pipe(), errors: try Pipe())
    }

    /// The process's side, lent for the start.
    var forProcess: Stdio {
        switch pipes {
        case .some(let pipes):
            .descriptors(input: pipes.input.raw, output: pipes.output.write.raw, error: pipes.errors.write.raw)
        case .none: .terminal(size: size)
        }
    }

    /// The shim's side; the process's is closed here, so that its end is seen.
    consuming func forShim(master: Int32?) throws(SystemError) -> ProcessStreams.Ends {
        switch consume self.pipes {
        case .some(let pipes):
            let writer = try pipes.inputWriter?.duplicate()
            return .pipes(
                input: writer, output: try pipes.output.read.duplicate(), errors: try pipes.errors.read.duplicate())
        case .none:
            guard let master else { throw SystemError("open terminal", errno: ENOTTY) }
            return .terminal(OwnedDescriptor(owning: master))
        }
    }
}
