internal import CLinux
public import Failures
public import Linux
public import OCI
internal import Synchronization

internal import struct Crypto.SHA256

/// What registries and builds made, byte for byte, each under the digest of its bytes.
///
/// ```
/// <root>/blobs/<algorithm>/<hex>   whole, verified, never changed
/// <root>/ingest/<hash of the key>  on its way; what a crash left is where the next try goes on
/// <root>/ingest/draft-<number>     on its way under no name; what a crash left is nobody's
/// ```
/// A blob appears by `rename`, so a reader or a crash sees all of it or nothing. Take a lease on a digest before asking for
/// it: the collector removes what nobody holds. All calls block: run them on the blocking pool.
public final class ContentStore: Sendable {
    let root: String
    /// Keys somebody writes under.
    private let busy = Mutex<Set<String>>([])
    private let fresh = Atomic<Int>(0)

    /// - Parameter root: `<data-root>/content`; made when it is not there.
    public init(root: String) throws(Failure) {
        self.root = root
        do {
            for directory in ["\(root)/ingest", "\(root)/blobs/sha256", "\(root)/blobs/sha384", "\(root)/blobs/sha512"]
            {
                try makeDirectories(directory, mode: 0o700)
            }
        } catch { throw Failure(.internal, "cannot open the content store at \(root): \(error)", cause: error) }
    }

    public func contains(_ digest: Digest) -> Bool { exists(path(digest)) }

    /// Bytes of the blob, or `nil` when it is not here.
    public func size(of digest: Digest) -> Int64? {
        (try? status(path(digest))).map { Int64($0.st_size) }
    }

    /// The blob for reading.
    ///
    /// `notFound` when it is not here.
    public func open(_ digest: Digest) throws(Failure) -> OwnedDescriptor {
        do { return try Linux.open(path(digest), O_RDONLY) } catch {
            if error.errno == ENOENT { throw Failure(.notFound, "content \(digest) is not here", cause: error) }
            throw Failure(.internal, "cannot open content \(digest): \(error.reason)", cause: error)
        }
    }

    /// A whole short blob, refused when it is more than `limit` bytes.
    public func read(_ digest: Digest, limit: Int = 4 << 20) throws(Failure) -> [UInt8] {
        let file = try open(digest)
        do { return try readAll(file.raw, limit: limit) } catch {
            if error.errno == EFBIG {
                throw Failure(.invalid, "content \(digest) is more than \(limit) bytes", cause: error)
            }
            throw Failure(.internal, "cannot read content \(digest): \(error.reason)", cause: error)
        }
    }

    /// Stores bytes that are in memory.
    @discardableResult
    public func put(_ bytes: [UInt8]) throws(Failure) -> Digest {
        let digest = Digest(sha256: SHA256.hash(data: bytes))
        if contains(digest) { return digest }
        let draft = "\(root)/ingest/\(draftName())"
        do {
            try writeFile(draft, bytes, mode: 0o600)
            try rename(draft, to: path(digest))
        } catch {
            try? unlink(draft)
            throw .onDisk("cannot store content \(digest)", error, at: root)
        }
        return digest
    }

    /// Opens what is on its way under the key, at its end, so that a broken transfer goes on where it stopped.
    ///
    /// `conflict` when somebody else is writing under the same key.
    public func ingest(key: String) throws(Failure) -> BlobIngest {
        // A key may hold anything; its hash is a file name.
        let name = Digest(sha256: SHA256.hash(data: Array(key.utf8))).hex
        guard busy.withLock({ $0.insert(name).inserted }) else {
            throw Failure(.conflict, "\(key) is being fetched already")
        }
        let release: @Sendable () -> Void = { [self] in _ = busy.withLock { $0.remove(name) } }
        return try BlobIngest(path: "\(root)/ingest/\(name)", store: self, release: release)
    }

    /// Opens something new that nobody could go on with: what makes it can only begin again.
    public func draft() throws(Failure) -> BlobIngest {
        try BlobIngest(path: "\(root)/ingest/\(draftName())", store: self) {}
    }

    private static let draftPrefix = "draft-"
    private func draftName() -> String {
        ContentStore.draftPrefix + String(fresh.add(1, ordering: .relaxed).newValue)
    }

    /// Drops what a crash left of drafts: before the first of this run.
    func removeLeftovers() throws(Failure) {
        try dropIngests { name, _ in name.hasPrefix(ContentStore.draftPrefix) }
    }

    /// Fine when it is gone already.
    public func remove(_ digest: Digest) throws(Failure) {
        do { try unlink(path(digest)) } catch {
            if error.errno != ENOENT {
                throw Failure(.internal, "cannot remove content \(digest): \(error.reason)", cause: error)
            }
        }
    }

    /// Every blob that is here.
    public func all() throws(Failure) -> [Digest] {
        do {
            var digests: [Digest] = []
            for algorithm in ["sha256", "sha384", "sha512"] {
                let directory = try Linux.open("\(root)/blobs/\(algorithm)", O_RDONLY | O_DIRECTORY)
                for entry in try readDirectory(directory.raw) {
                    if let digest = try? Digest(parsing: "\(algorithm):\(entry.name.text)") { digests.append(digest) }
                }
            }
            return digests
        } catch { throw Failure(.internal, "cannot list the content store: \(error)", cause: error) }
    }

    /// Waits until every blob that is here would outlast a power cut.
    public func sync() throws(Failure) {
        do {
            let directory = try Linux.open(root, O_RDONLY | O_DIRECTORY)
            try syncFileSystem(of: directory.raw)
        } catch { throw .onDisk("cannot bring content to the disk", error, at: root) }
    }

    /// Drops what has been on its way, untouched, since before `time` (seconds since 1970), and says how many bytes that was.
    func dropIngests(untouchedSince time: Int64) throws(Failure) -> Int64 {
        try dropIngests { _, status in Int64(status.st_mtim.tv_sec) < time }
    }

    @discardableResult
    private func dropIngests(where isOver: (String, stat) -> Bool) throws(Failure) -> Int64 {
        do {
            var bytes: Int64 = 0
            let directory = try Linux.open("\(root)/ingest", O_RDONLY | O_DIRECTORY)
            for entry in try readDirectory(directory.raw) {
                let name = entry.name.text
                guard let status = try? status(name, at: directory.raw), isOver(name, status) else { continue }
                let isBusy = busy.withLock { $0.contains(name) }
                guard !isBusy, (try? unlink(name, at: directory.raw)) != nil else { continue }
                bytes += Int64(status.st_size)
            }
            return bytes
        } catch { throw Failure(.internal, "cannot clear what was on its way: \(error)", cause: error) }
    }

    func path(_ digest: Digest) -> String { "\(root)/blobs/\(digest.algorithm)/\(digest.hex)" }

    func failure(_ doing: String, _ error: SystemError) -> Failure { .onDisk(doing, error, at: root) }
}
