internal import CLinux
internal import Linux
internal import ShimProtocol

/// Everything that flows into and out of one process: its pipes or terminal, the log, and whoever is attached.
///
/// ```
///             ┌─► log file                 never waits
/// process ──► read 32 KiB ─┼─► attacher ─► socket         keeps one read; then no more is read
///             └─► attacher ─► socket
/// process ◄── input ◄── attachers that have input
/// ```
///
/// What is read is in the log before it goes to anybody, so no attacher, however slow, costs the log a byte; it can only
/// make the process wait (for as long as its patience lasts).
final class ProcessStreams {
    /// What the runtime hands over for one process.
    enum Ends: ~Copyable {
        case pipes(input: OwnedDescriptor?, output: OwnedDescriptor, errors: OwnedDescriptor)
        case terminal(OwnedDescriptor)
    }

    private let loop: EventLoop
    private let log: (any OutputLog)?
    private let inputOrder: InputOrder
    let isTerminal: Bool
    private var sources: [OutputSource] = []
    private var input: ProcessInput?
    private var attachers: [Attacher] = []
    private var terminal: OwnedDescriptor?
    private var isPaused = false
    private var isDraining = false
    private var isFinished = false

    /// What a pipe holds that nobody has made larger.
    private static let pipeSize = 64 << 10

    /// Every output has ended; the attachers may still be draining.
    var onOutputEnd: (() -> Void)?
    /// An attacher was cut off because it read nothing for so many seconds.
    var onImpatience: ((_ seconds: Int) -> Void)?
    /// The last attacher of a finished process is gone.
    var onIdle: (() -> Void)?

    init(_ ends: consuming Ends, input order: InputOrder, log: (any OutputLog)?, loop: EventLoop) throws(SystemError) {
        self.loop = loop
        self.log = log
        inputOrder = order
        switch consume ends {
        case .pipes(let input, let output, let errors):
            isTerminal = false
            if let input { self.input = try ProcessInput(input, loop) }
            sources = [OutputSource(.stdout, output), OutputSource(.stderr, errors)]
        case .terminal(let master):
            isTerminal = true
            input = try ProcessInput(master.duplicate(), loop)
            terminal = try master.duplicate()
            sources = [OutputSource(.stdout, master)]
        }
        input?.onRoom = { [unowned self] room in for attacher in attachers { attacher.pauseInput(!room) } }
        input?.onClose = { [unowned self] in input = nil }
        for source in sources {
            try setNonBlocking(source.descriptor.raw)
            source.watch = try loop.watch(source.descriptor.raw, [.readable]) { [unowned self, unowned source] _ in
                read(source)
            }
        }
    }

    var outputHasEnded: Bool { sources.isEmpty }
    var isIdle: Bool { attachers.isEmpty }

    func attach(_ order: StreamOrder, _ socket: consuming OwnedDescriptor) throws(SystemError) {
        let attacher = try Attacher(order, socket, loop)
        guard !isFinished else { return attacher.close() }
        attacher.onImpatience = { [unowned self] in onImpatience?($0) }
        attacher.onDrained = { [unowned self] in resumeIfPossible() }
        attacher.onClosed = { [unowned self] in closed($0) }
        attacher.onInput = { [unowned self, unowned attacher] in take($0, from: attacher) }
        attachers.append(attacher)
    }

    func resize(_ size: WindowSize) throws(SystemError) {
        if let raw = terminal?.raw { try setWindowSize(raw, size) }
    }

    /// The process has ended: what its pipes still hold (64 KiB each) is read whoever is slow, so the log gets it all.
    func drain() {
        isDraining = true
        resumeIfPossible()
        if sources.isEmpty { onOutputEnd?() }
    }

    /// The wait for output is over: what has come is read, and whatever still comes is nobody's.
    ///
    /// A shim that got no processor for as long as the wait lasts may have read nothing yet.
    func endOutput() {
        for source in sources {
            takeRest(of: source)
            end(source)
        }
    }

    /// The process has ended and so has the wait for its output.
    func finish() {
        guard !isFinished else { return }
        isFinished = true
        endOutput()
        input?.close()
        input = nil
        terminal = nil
        for attacher in attachers { attacher.finish() }
        if attachers.isEmpty { onIdle?() }
    }

    // MARK: Output

    private func read(_ source: OutputSource) {
        guard let count = takeSome(of: source, atMost: EventLoop.readSize) else { return }
        if count == 0 {
            end(source)
            if sources.isEmpty { onOutputEnd?() }
        } else if !isDraining, attachers.contains(where: \.isBlocked) {
            pause()
        }
    }

    /// No more than a pipe holds: whoever writes to it may never stop.
    private func takeRest(of source: OutputSource) {
        var left = Self.pipeSize
        while left > 0, let count = takeSome(of: source, atMost: min(left, EventLoop.readSize)), count > 0 {
            left -= count
        }
    }

    /// Reads once and hands it to the log and to everybody attached.
    ///
    /// - Returns: how many bytes, 0 at the end, nil when there are none now.
    private func takeSome(of source: OutputSource, atMost limit: Int) -> Int? {
        let start = StreamFrame.headerSize
        let room = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[start..<(start + limit)])
        let count: Int
        do {
            count = try Linux.read(source.descriptor.raw, into: room)
        } catch {
            // A terminal whose last user is gone says EIO.
            return error.errno == EAGAIN ? nil : 0
        }
        guard count > 0 else { return 0 }
        let payload = UnsafeRawBufferPointer(rebasing: room[..<count])
        log?.take(payload, source.stream)
        guard !attachers.isEmpty else { return count }
        StreamFrame.write(source.stream, count, into: loop.scratch)
        let frame = UnsafeRawBufferPointer(rebasing: loop.scratch[..<(StreamFrame.headerSize + count)])
        for attacher in attachers where attacher.wants(source.stream) {
            attacher.send(attacher.order.framed && !isTerminal ? frame : payload)
        }
        return count
    }

    private func end(_ source: OutputSource) {
        source.watch?.cancel()
        source.watch = nil
        log?.finish(source.stream)
        sources.removeAll { $0 === source }
    }

    private func pause() {
        guard !isPaused else { return }
        isPaused = true
        for source in sources { source.watch?.suspend() }
    }

    private func resumeIfPossible() {
        guard isPaused, isDraining || !attachers.contains(where: \.isBlocked) else { return }
        isPaused = false
        for source in sources { source.watch?.resume() }
    }

    private func closed(_ attacher: Attacher) {
        attachers.removeAll { $0 === attacher }
        if attacher.order.input, inputOrder == .once, !isTerminal { input?.finish() }
        if isFinished && attachers.isEmpty { onIdle?() }
    }

    // MARK: Input

    private func take(_ bytes: UnsafeRawBufferPointer, from attacher: Attacher) {
        if !bytes.isEmpty {
            input?.write(bytes)
        } else if inputOrder == .once && !isTerminal {
            input?.finish()
        } else if inputOrder != .none {
            // The end of input is the end of this attachment, as Docker has it for terminals and lasting input.
            attacher.finish()
        }
    }
}

/// One descriptor a process writes to, seen from the other end.
final class OutputSource {
    let stream: LogStream
    let descriptor: OwnedDescriptor
    var watch: Watch?

    init(_ stream: LogStream, _ descriptor: consuming OwnedDescriptor) {
        self.stream = stream
        self.descriptor = descriptor
    }
}
