internal import CLinux
public import Failures
public import Linux
public import OCI
internal import Synchronization

internal import struct Crypto.SHA256
internal import struct Crypto.SHA384
internal import struct Crypto.SHA512

/// A blob on its way into the content store: hashed as it is written, kept when the writer dies, whole or absent at the end.
///
/// Ends with ``commit(expecting:size:)`` or ``discard()``; when the last reference goes without either, the bytes wait for
/// the next ``ContentStore/ingest(key:)``. Calls block.
public final class BlobIngest: Sendable {
    private struct State: ~Copyable {
        var hash: SHA256
        var offset: Int64
        var isOpen = true
    }

    private let path: String
    private let store: ContentStore
    private let file: SharedDescriptor
    private let state: Mutex<State>
    private let release: @Sendable () -> Void

    init(path: String, store: ContentStore, release: @escaping @Sendable () -> Void) throws(Failure) {
        do {
            let file = SharedDescriptor(try open(path, O_RDWR | O_CREAT, mode: 0o600))
            var hash = SHA256()
            let offset = try BlobIngest.read(file.raw) { hash.update(bufferPointer: $0) }
            self.file = file
            self.state = Mutex(State(hash: hash, offset: offset))
        } catch {
            release()
            throw store.failure("cannot take new content", error)
        }
        self.path = path
        self.store = store
        self.release = release
    }

    deinit {
        let (isOpen, offset) = state.withLock { ($0.isOpen, $0.offset) }
        guard isOpen else { return }
        // Nothing is nothing to go on with.
        if offset == 0 { try? unlink(path) }
        release()
    }

    /// Bytes that are here already.
    public var offset: Int64 { state.withLock { $0.offset } }

    /// The digest the blob would have if it ended here: for whoever must promise to keep it before it is there.
    public var digestSoFar: Digest { state.withLock { Digest(sha256: $0.hash.finalize()) } }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try state.withLock { (state) throws(Failure) in
            guard state.isOpen else { throw Failure(.internal, "content was written after its end") }
            do throws(SystemError) { try writeAll(file.raw, bytes) } catch {
                // Part of it may be there: the hash must speak of what is.
                let end = state.offset
                _ = ftruncate(file.raw, Int(end))
                _ = lseek(file.raw, Int(end), SEEK_SET)
                throw store.failure("cannot write content", error)
            }
            state.hash.update(bufferPointer: bytes)
            state.offset += Int64(bytes.count)
        }
    }

    /// The file so far, opened for reading on its own, so that a layer can be unpacked while it comes.
    ///
    /// It stays readable after the commit; what lies beyond ``offset`` is not there yet.
    public func reader() throws(Failure) -> OwnedDescriptor {
        do { return try duplicateForReading() } catch {
            throw store.failure("cannot read content on its way", error)
        }
    }

    /// By the open file, since the path may be the blob's by now.
    private func duplicateForReading() throws(SystemError) -> OwnedDescriptor {
        try open("/proc/self/fd/\(file.raw)", O_RDONLY)
    }

    /// Drops what is here, to start again from the first byte.
    public func restart() throws(Failure) {
        try state.withLock { (state) throws(Failure) in
            guard state.isOpen else { throw Failure(.internal, "content was written after its end") }
            do throws(SystemError) {
                try check("ftruncate") { ftruncate(file.raw, 0) }
                try check("lseek") { lseek(file.raw, 0, SEEK_SET) }
            } catch { throw store.failure("cannot start content again", error) }
            state.hash = SHA256()
            state.offset = 0
        }
    }

    /// Checks and keeps the blob.
    ///
    /// What does not match is dropped, and is a failure that names both digests.
    public func commit(expecting digest: Digest? = nil, size: Int64? = nil) throws(Failure) -> Digest {
        try state.withLock { (state) throws(Failure) in
            guard state.isOpen else { throw Failure(.internal, "content was committed after its end") }
            state.isOpen = false
            defer { release() }
            do throws(Failure) {
                if let size, size != state.offset {
                    throw Failure(
                        .invalid, "content \(digest?.description ?? "") has \(state.offset) bytes instead of \(size)")
                }
                let actual = try actualDigest(of: state.hash, as: digest?.algorithm ?? "sha256")
                if let digest, digest != actual {
                    throw Failure(.invalid, "content does not match its digest: expected \(digest), got \(actual)")
                }
                do throws(SystemError) { try rename(path, to: store.path(actual)) } catch {
                    throw store.failure("cannot keep content \(actual)", error)
                }
                return actual
            } catch {
                try? unlink(path)
                throw error
            }
        }
    }

    /// Drops what is here.
    public func discard() {
        state.withLock { state in
            guard state.isOpen else { return }
            state.isOpen = false
            try? unlink(path)
            release()
        }
    }

    /// The SHA-256 is known; the registered others, which hardly anybody uses, cost a second reading.
    private func actualDigest(of hash: SHA256, as algorithm: String) throws(Failure) -> Digest {
        let bytes: [UInt8]
        do throws(SystemError) {
            switch algorithm {
            case "sha384":
                var other = SHA384()
                _ = try BlobIngest.read(file.raw) { other.update(bufferPointer: $0) }
                bytes = Array(other.finalize())
            case "sha512":
                var other = SHA512()
                _ = try BlobIngest.read(file.raw) { other.update(bufferPointer: $0) }
                bytes = Array(other.finalize())
            default: return Digest(sha256: hash.finalize())
            }
        } catch { throw store.failure("cannot read content again", error) }
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return try Digest(parsing: "\(algorithm):\(digits)")
    }

    /// Reads the file from its start, leaves it at its end, and says how long it is.
    private static func read(_ file: Int32, _ body: (UnsafeRawBufferPointer) -> Void) throws(SystemError) -> Int64 {
        try check("lseek") { lseek(file, 0, SEEK_SET) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        var total: Int64 = 0
        while true {
            let count = try Linux.read(file, into: buffer)
            if count == 0 { return total }
            body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            total += Int64(count)
        }
    }
}
