internal import Archive
internal import CLinux
internal import Failures
internal import Linux
internal import Synchronization

/// A blob that may still be on its way, readable from its first byte while it grows.
///
/// The file it is written to is the queue between network and unpacking: it needs no memory, it lets a fast download run
/// ahead of a slow disk, and what an earlier attempt left is simply there. The pages were just written, so reading them
/// again costs a copy and no disk.
final class BlobTail: Sendable {
    private struct State {
        var file: SharedDescriptor?
        var available: Int64 = 0
        var end: Result<Void, Failure>?
        var restarted = false
        var readers: [Int: ThreadSignal] = [:]
        var next = 0
    }

    private let state = Mutex(State())
    /// Set when there is something to read from.
    let started = Latch<Void>()

    /// Names the file; its first `available` bytes are there.
    func begin(_ file: SharedDescriptor, available: Int64) {
        state.withLock {
            $0.file = file
            $0.available = available
        }
        started.set(.success(()))
        wake()
    }

    func advance(to available: Int64) {
        state.withLock { $0.available = available }
        wake()
    }

    /// The bytes so far were dropped; those who read some of them may have read others than will come.
    func restart() { state.withLock { ($0.available, $0.restarted) = (0, true) } }

    var wasRestarted: Bool { state.withLock { $0.restarted } }

    /// Nothing more comes: all is there, or it failed.
    func end(_ result: Result<Void, Failure>) {
        state.withLock { if $0.end == nil { $0.end = result } }
        started.set(result)
        wake()
    }

    private func wake() {
        let readers = state.withLock { Array($0.readers.values) }
        for reader in readers { reader.signal() }
    }

    fileprivate func enter(_ semaphore: ThreadSignal) -> Int {
        state.withLock { state in
            state.next += 1
            state.readers[state.next] = semaphore
            return state.next
        }
    }

    fileprivate func leave(_ ticket: Int) { state.withLock { _ = $0.readers.removeValue(forKey: ticket) } }

    /// What can be read beyond `offset` now: nil to wait, an empty file at the end.
    fileprivate func look(beyond offset: Int64) throws(Failure) -> (file: SharedDescriptor, count: Int64)? {
        let (file, available, end) = state.withLock { ($0.file, $0.available, $0.end) }
        if case .failure(let failure) = end { throw failure }
        if let file, available > offset { return (file, available - offset) }
        if end != nil, let file { return (file, 0) }
        return nil
    }
}

/// Reads a ``BlobTail`` from its first byte to its end, waiting where it has not come yet.
///
/// Blocks: on a thread only.
final class BlobTailSource: ByteSource, Sendable {
    private let tail: BlobTail
    private let semaphore = ThreadSignal()
    private let ticket: Int
    private let state = Mutex((offset: Int64(0), cancelled: false))
    /// Called with the bytes read so far.
    private let progress: @Sendable (Int64) -> Void

    init(_ tail: BlobTail, progress: @escaping @Sendable (Int64) -> Void = { _ in }) {
        self.tail = tail
        self.progress = progress
        ticket = tail.enter(semaphore)
    }

    deinit { tail.leave(ticket) }

    /// Makes the next read, or the one that waits, fail.
    func cancel() {
        state.withLock { $0.cancelled = true }
        semaphore.signal()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        while true {
            let (offset, cancelled) = state.withLock { $0 }
            if cancelled { throw Failure.cancelled }
            guard let (file, ready) = try tail.look(beyond: offset) else {
                semaphore.wait()
                continue
            }
            if ready == 0 { return 0 }
            let wanted = min(buffer.count, Int(min(ready, 1 << 20)))
            let count: Int
            do {
                count = try check("pread") { pread(file.raw, buffer.baseAddress, wanted, off_t(offset)) }
            } catch {
                throw Failure(.internal, "cannot read a blob on its way: \(error.reason)", cause: error)
            }
            // The file was cut short after a look: wait for it to grow again.
            if count == 0 { continue }
            state.withLock { $0.offset += Int64(count) }
            progress(offset + Int64(count))
            return count
        }
    }
}
