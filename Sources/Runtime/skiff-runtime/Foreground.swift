internal import CLinux
internal import ContainerRuntime
internal import Linux

/// Stays with a child until it ends: hands it the signals this process gets, and relays its terminal.
struct Foreground: ~Copyable {
    private let pid: pid_t
    private let signals: SignalFD
    /// The terminal's master, not blocking; nil where the child has our own streams.
    private let master: Int32?
    private var reads = true
    /// What was typed and the terminal has not taken yet.
    private var pending: [UInt8] = []
    /// Where the child says that it is ready, nil where nobody asks.
    private var readiness: ContainerReadiness?
    private let whenReady: () -> Void

    /// - Parameter master: owned by the caller, and open until this process ends.
    static func wait(
        for pid: pid_t, master: Int32?, readiness: ContainerReadiness? = nil, whenReady: @escaping () -> Void = {}
    ) throws -> ProcessEnd {
        let before = master == nil || !isTerminal(0) ? nil : try? TerminalMode(of: 0)
        defer { try? before?.apply(to: 0) }
        var loop = try Foreground(pid: pid, master: master, readiness, whenReady)
        if let master { try setNonBlocking(master) }
        try before?.rawInput.apply(to: 0)
        return try loop.run()
    }

    private init(
        pid: pid_t, master: Int32?, _ readiness: ContainerReadiness?, _ whenReady: @escaping () -> Void
    ) throws {
        signals = try SignalFD(Array(Int32(1)...64).filter { $0 != SIGKILL && $0 != SIGSTOP })
        self.pid = pid
        self.master = master
        self.readiness = readiness
        self.whenReady = whenReady
    }

    private mutating func run() throws -> ProcessEnd {
        // A child that ended before its end could be a signal is not waited for.
        if let end = try reapAndDrain() { return end }
        releaseProgram()
        while true {
            let typed = reads && master != nil && pending.isEmpty
            var entries = [
                pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: master ?? -1, events: Int16(POLLIN) | (pending.isEmpty ? 0 : Int16(POLLOUT)), revents: 0),
                pollfd(fd: typed ? 0 : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readiness?.raw ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            try poll(&entries)
            if entries[3].revents != 0 { readMessages() }
            if let master, entries[1].revents != 0 {
                try takeOutput(master)
                try giveInput(master)
                // Nobody holds the other side at the moment: a poll would say so again and again.
                if entries[1].revents & Int16(POLLHUP) != 0, entries[1].revents & Int16(POLLIN) == 0 {
                    if let end = try awaitSignal() { return end }
                    continue
                }
            }
            if entries[2].revents != 0, let master { try takeInput(master) }
            if entries[0].revents != 0, let end = try handleSignals() { return end }
        }
    }

    private mutating func awaitSignal() throws -> ProcessEnd? {
        _ = try poll([(signals.raw, Int16(POLLIN))], timeout: 100)
        return try handleSignals()
    }

    private mutating func readMessages() { if readiness?.readMessages() == true { whenReady() } }

    private mutating func handleSignals() throws -> ProcessEnd? {
        while let signal = try signals.next() {
            switch signal {
            case SIGCHLD:
                if let end = try reapAndDrain() { return end }
            case SIGWINCH where master != nil:
                if let master, let size = try? windowSize(0) { try? setWindowSize(master, size) }
            case SIGPIPE: continue
            default: try? sendSignal(signal, to: pid)
            }
        }
        return nil
    }

    private mutating func reapAndDrain() throws -> ProcessEnd? {
        guard let end = try reap() else { return nil }
        // Its last word may be that it was ready.
        readMessages()
        // What the program wrote before it ended is still on its way.
        if let master { try takeOutput(master) }
        return end
    }

    /// Reaps whatever has ended, orphans of the container's included.
    private func reap() throws -> ProcessEnd? {
        while let ended = try reapAnyChild() { if ended.pid == pid { return ended.end } }
        return nil
    }

    private func takeOutput(_ master: Int32) throws {
        while let bytes = readSome(master), !bytes.isEmpty {
            // Whoever read our output may be gone; the program goes on, as it does with a terminal nobody looks at.
            try? writeAll(1, bytes)
        }
    }

    private mutating func takeInput(_ master: Int32) throws {
        guard let bytes = readSome(0) else { return }
        if bytes.isEmpty { reads = false }
        pending = bytes
        try giveInput(master)
    }

    private mutating func giveInput(_ master: Int32) throws {
        guard !pending.isEmpty else { return }
        do {
            pending.removeFirst(try pending.withUnsafeBytes { try write(master, from: $0) })
        } catch { if (error as? SystemError)?.errno != EAGAIN { pending = [] } }
    }

    /// What can be read now; empty at the end, nil when there is nothing.
    private func readSome(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 16384)
        do {
            return Array(buffer[..<(try buffer.withUnsafeMutableBytes { try read(descriptor, into: $0) })])
        } catch {
            // EIO: the other side of the terminal is closed.
            return (error as? SystemError)?.errno == EAGAIN ? nil : []
        }
    }
}
