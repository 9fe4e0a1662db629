internal import CLinux
internal import DockerAPI
internal import EngineClient
internal import Failures
internal import Linux
internal import Synchronization

/// A terminal, or three streams, joined to a process in a container until the process says no more.
///
/// One thread copies what is typed; this one copies what comes back and serves signals between, so that a process that
/// does not read its input never keeps its output from us, nor the other way round.
struct StreamSession {
    /// How it ended.
    enum Ending {
        /// The other side said all.
        case ended
        /// The person typed the keys that leave.
        case detached
    }

    let console: Console
    let stream: RawStream
    /// With a terminal output comes as it is; without one in frames that say which of the two outputs it is.
    let tty: Bool
    let sendsInput: Bool
    let detachKeys: DetachKeys
    /// Signals for the process; window changes; told while bytes flow.
    let signals: SignalQueue
    let onSignal: (Int32) -> Void

    func run() throws(Failure) -> Ending {
        console.flush()
        let raw = try RawMode.enter(console, when: tty && sendsInput)
        defer { raw?.leave() }
        let detached = Flag()
        if sendsInput { try startInput(detached) }
        try copyOutput()
        return detached.isSet ? .detached : .ended
    }

    // MARK: Output

    private func copyOutput() throws(Failure) {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { block.deallocate() }
        var frames = StdcopyReader()
        while true {
            try signals.wait(for: stream.socket.raw, unless: stream.hasBuffered, onSignal)
            let count: Int
            do { count = try stream.read(into: block) } catch {
                // A process that ended with input on its way resets the connection; its output was read before.
                return
            }
            if count == 0 { return }
            let part = UnsafeRawBufferPointer(rebasing: block[..<count])
            if tty { try console.pass(part) } else { try OutputFrames.pass(part, &frames, to: console) }
        }
    }

    // MARK: Input

    private func startInput(_ detached: Flag) throws(Failure) {
        let socket = stream.socket
        let input = console.input
        let filtered = tty
        let keys = detachKeys
        do {
            try startThread {
                Self.copyInput(from: input, to: socket, keys: filtered ? keys : nil, detached)
            }
        } catch {
            throw Failure(.internal, "cannot read standard input: \(error)", cause: error)
        }
    }

    private static func copyInput(from input: Int32, to socket: SharedDescriptor, keys: DetachKeys?, _ detached: Flag) {
        var keys = keys
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 16)
        defer { block.deallocate() }
        while let count = try? Linux.read(input, into: block), count > 0 {
            let typed = UnsafeRawBufferPointer(rebasing: block[..<count])
            if keys == nil {
                // An error means that nobody listens any more; the output side learns the same.
                guard (try? writeAll(socket.raw, typed)) != nil else { return }
                continue
            }
            guard let (passed, detaches) = keys?.filter(typed) else { return }
            guard (try? writeAll(socket.raw, passed)) != nil else { return }
            if detaches {
                detached.set()
                shutDown(socket.raw, reading: true, writing: true)
                return
            }
        }
        shutDown(socket.raw, writing: true)
    }
}

/// Sends framed output where it belongs.
enum OutputFrames {
    static func pass(
        _ part: UnsafeRawBufferPointer, _ frames: inout StdcopyReader, to console: Console
    ) throws(Failure) {
        do {
            try frames.read(part) { stream, bytes in
                switch stream {
                case .stderr, .systemError: console.passError(bytes)
                case .stdin, .stdout: try console.pass(bytes)
                }
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.internal, "the engine sent output that is not framed: \(error)", cause: error)
        }
    }
}

/// A fact that one thread tells another once.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}

/// A terminal that gives every key at once, until it is left.
struct RawMode {
    private let terminal: Int32
    private let before: TerminalMode

    /// Nil when it is not wanted, or input is no terminal.
    static func enter(_ console: Console, when wanted: Bool) throws(Failure) -> RawMode? {
        guard wanted, console.inputIsTerminal else { return nil }
        do {
            let before = try TerminalMode(of: console.input)
            try before.raw.apply(to: console.input)
            return RawMode(terminal: console.input, before: before)
        } catch {
            throw Failure(.internal, "cannot set up the terminal: \(error)", cause: error)
        }
    }

    /// Puts the terminal back; when that fails there is no terminal any more.
    func leave() { try? before.apply(to: terminal) }
}
