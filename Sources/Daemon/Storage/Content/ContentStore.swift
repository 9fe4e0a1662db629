public import Failures
public import Linux
public import OCI

/// What registries and builds made, byte for byte, each under the digest of its bytes.
///
/// ```
/// <root>/blobs/sha256/<hex>     whole, verified, never changed
/// <root>/ingest/<key>           on its way
/// ```
///
/// All calls block: run them on the blocking pool.
public final class ContentStore: Sendable {
    public init(root: String) throws(Failure) { throw Failure(.notImplemented, "content store") }
    public func contains(_ digest: Digest) -> Bool { false }
    /// Bytes of the blob, or `nil` when it is not here.
    public func size(of digest: Digest) -> Int64? { nil }
    /// The blob for reading. `notFound` when it is not here.
    public func open(_ digest: Digest) throws(Failure) -> OwnedDescriptor {
        throw Failure(.notImplemented, "content store")
    }
    /// A whole short blob, refused when it is more than `limit` bytes.
    public func read(_ digest: Digest, limit: Int = 4 << 20) throws(Failure) -> [UInt8] {
        throw Failure(.notImplemented, "content store")
    }
    /// Stores bytes that are in memory.
    @discardableResult
    public func put(_ bytes: [UInt8]) throws(Failure) -> Digest { throw Failure(.notImplemented, "content store") }
    /// Opens what is on its way under the key, at its end, so that a broken transfer goes on where it stopped.
    /// `conflict` when somebody else is writing under the same key.
    public func ingest(key: String) throws(Failure) -> BlobIngest { throw Failure(.notImplemented, "content store") }
    public func remove(_ digest: Digest) throws(Failure) {}
    /// Every blob that is here.
    public func all() throws(Failure) -> [Digest] { [] }
}
