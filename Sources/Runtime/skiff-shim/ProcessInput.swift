internal import CLinux
internal import Linux

/// The writing side of a process's input, a pipe or a terminal: keeps what does not fit, and asks for no more meanwhile.
final class ProcessInput {
    private let descriptor: OwnedDescriptor
    private let loop: EventLoop
    private var watch: Watch?
    private var queue: [UInt8] = []
    private var queued = 0
    private var endsWhenEmpty = false
    private(set) var isOpen = true

    /// The process takes more (true) or must be waited for (false).
    var onRoom: ((Bool) -> Void)?

    init(_ descriptor: consuming OwnedDescriptor, _ loop: EventLoop) throws(SystemError) {
        try setNonBlocking(descriptor.raw)
        self.descriptor = descriptor
        self.loop = loop
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        guard isOpen, !endsWhenEmpty else { return }
        if queued < queue.count {
            queue.append(contentsOf: bytes)
            return
        }
        let written = attempt(bytes)
        guard isOpen, written < bytes.count else { return }
        queue.append(contentsOf: bytes[written...])
        watch = try? loop.watch(descriptor.raw, [.writable]) { [unowned self] _ in flush() }
        onRoom?(false)
    }

    /// Closes after everything queued was taken.
    func finish() {
        if queued < queue.count { endsWhenEmpty = true } else { close() }
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        watch?.cancel()
        watch = nil
        queue = []
        queued = 0
        onClose?()
        onClose = nil
    }

    /// Called once when no more can be written; the owner drops the descriptor by dropping this object.
    var onClose: (() -> Void)?

    private func flush() {
        queued += queue.withUnsafeBytes { attempt(UnsafeRawBufferPointer(rebasing: $0[queued...])) }
        guard isOpen, queued == queue.count else { return }
        queue = []
        queued = 0
        watch?.cancel()
        watch = nil
        if endsWhenEmpty { close() } else { onRoom?(true) }
    }

    /// Writes what fits; a process that reads no more ends its input.
    private func attempt(_ bytes: UnsafeRawBufferPointer) -> Int {
        do {
            return try Linux.write(descriptor.raw, from: bytes)
        } catch {
            if error.errno == EAGAIN { return 0 }
            close()
            return 0
        }
    }
}
