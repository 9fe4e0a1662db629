public import Failures
public import Linux
public import OCI

/// A blob on its way into the content store: hashed as it is written, kept when the writer dies, whole or absent at the end.
public final class BlobIngest: Sendable {
    init() {}
    /// Bytes that are here already.
    public var offset: Int64 { 0 }
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {}
    /// Drops what is here, to start again from the first byte.
    public func restart() throws(Failure) {}
    /// Checks and keeps the blob. What does not match is dropped, and is a failure that names both digests.
    public func commit(expecting digest: Digest? = nil, size: Int64? = nil) throws(Failure) -> Digest {
        throw Failure(.notImplemented, "content store")
    }
    /// Drops what is here. Without it, or ``commit(expecting:size:)``, the bytes wait for the next ``ContentStore/ingest(key:)``.
    public func discard() {}
    /// The file so far, opened for reading on its own, so that a layer can be unpacked while it comes. It stays readable
    /// after a commit. (Images reads it with `pread`, never beyond ``offset``.)
    public func reader() throws(Failure) -> OwnedDescriptor { throw Failure(.notImplemented, "content store") }
}
