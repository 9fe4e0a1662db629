internal import CLinux
internal import Linux
internal import ShimProtocol

/// One stream socket to the daemon: output queues here for one read at most, input comes from here.
final class Attacher {
    let order: StreamOrder
    private let socket: OwnedDescriptor
    private let loop: EventLoop
    private var watch: Watch?
    private var queue: [UInt8] = []
    private var queued = 0
    private var deadline: UInt64?
    private var endsWhenEmpty = false
    private(set) var isOpen = true
    private var inputIsPaused = false
    private var inputHasEnded = false
    private var outputIsGone = false

    /// The queue is empty again: the process's output may be read on.
    var onDrained: (() -> Void)?
    /// Bytes for the process; empty is the end of input.
    var onInput: ((UnsafeRawBufferPointer) -> Void)?
    /// It did not read for as long as its patience lasts, and is about to be closed for that.
    var onImpatience: ((_ seconds: Int) -> Void)?
    /// The socket is gone, by the peer, by impatience or by `finish`.
    var onClosed: ((Attacher) -> Void)?

    init(_ order: StreamOrder, _ socket: consuming OwnedDescriptor, _ loop: EventLoop) throws(SystemError) {
        self.order = order
        self.loop = loop
        try setNonBlocking(socket.raw)
        self.socket = socket
        watch = try loop.watch(self.socket.raw, order.input ? [.readable] : []) { [unowned self] in ready($0) }
    }

    var isBlocked: Bool { isOpen && queued < queue.count }

    func wants(_ stream: LogStream) -> Bool { !outputIsGone && (stream == .stdout ? order.output : order.errors) }

    /// Sends a piece of output; what does not go at once is kept, and then `isBlocked`.
    func send(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        if isBlocked {
            queue.append(contentsOf: bytes)
            return
        }
        do {
            let count = try sendSome(socket.raw, bytes)
            if count < bytes.count { keep(UnsafeRawBufferPointer(rebasing: bytes[count...])) }
        } catch {
            if error.errno == EAGAIN { keep(bytes) } else { abandonOutput() }
        }
    }

    /// Ends the stream once everything queued was delivered.
    func finish() {
        guard isOpen else { return }
        if isBlocked { endsWhenEmpty = true } else { close() }
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        watch?.cancel()
        watch = nil
        cancelDeadline()
        queue = []
        queued = 0
        // Not by closing alone: who handed this socket over may hold a duplicate, and a reader must see the end now.
        shutDown(socket.raw, reading: true, writing: true)
        let (drained, closed) = (onDrained, onClosed)
        (onDrained, onInput, onClosed, onImpatience) = (nil, nil, nil, nil)
        drained?()
        closed?(self)
    }

    /// While the process does not take its input, none is read here.
    func pauseInput(_ paused: Bool) {
        guard order.input, inputIsPaused != paused else { return }
        inputIsPaused = paused
        updateInterest()
        if !paused { watch?.resume() }
    }

    // MARK: Inside

    private func keep(_ bytes: UnsafeRawBufferPointer) {
        queue.append(contentsOf: bytes)
        startDeadline()
        updateInterest()
    }

    private func ready(_ readiness: Readiness) {
        if isBlocked, readiness.canWrite { flush() }
        guard isOpen else { return }
        let isGone = !readiness.isDisjoint(with: [.hangUp, .failed])
        if isGone, !order.input || inputHasEnded {
            close()
        } else if isGone, inputIsPaused {
            // What the peer sent before it went is read when the process takes more.
            abandonOutput()
            watch?.suspend()
        } else if order.input, !inputHasEnded, !inputIsPaused, readiness.canRead {
            readInput()
        }
    }

    private func flush() {
        do throws(SystemError) {
            queued += try sendSome(socket.raw, queue, from: queued)
        } catch {
            if error.errno != EAGAIN { abandonOutput() }
            return
        }
        // The deadline stays until nothing is left: who takes a byte now and then holds the process up as well.
        if isBlocked { return }
        cancelDeadline()
        queue = []
        queued = 0
        if endsWhenEmpty {
            close()
        } else {
            updateInterest()
            onDrained?()
        }
    }

    private func readInput() {
        let room = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[StreamFrame.headerSize...])
        do {
            let count = try Linux.read(socket.raw, into: room)
            if count == 0 {
                inputHasEnded = true
                updateInterest()
            }
            onInput?(UnsafeRawBufferPointer(rebasing: room[..<count]))
            if count == 0, outputIsGone { close() }
        } catch {
            if error.errno != EAGAIN { close() }
        }
    }

    /// Nobody reads here any more; what was typed before that still waits in the socket and belongs to the process,
    /// unless that has ended.
    private func abandonOutput() {
        guard order.input, !inputHasEnded, !endsWhenEmpty else { return close() }
        outputIsGone = true
        cancelDeadline()
        queue = []
        queued = 0
        updateInterest()
        onDrained?()
    }

    private func updateInterest() {
        var interest: Readiness = []
        if order.input && !inputHasEnded && !inputIsPaused { interest.insert(.readable) }
        if isBlocked { interest.insert(.writable) }
        watch?.change(interest)
    }

    private func startDeadline() {
        guard let patience = order.patience, deadline == nil else { return }
        deadline = loop.after(Int64(patience) * 1000) { [unowned self] in
            deadline = nil
            onImpatience?(patience)
            close()
        }
    }

    private func cancelDeadline() {
        if let deadline { loop.cancelDeadline(deadline) }
        deadline = nil
    }
}
