public import Failures

/// The members of a tar stream, one after the other.
public final class TarReader: ByteSource {
    public init(_ source: any ByteSource, limits: ArchiveLimits = .standard) {}
    /// The next member, its predecessor's unread content skipped; `nil` at the end.
    public func next() throws(Failure) -> TarEntry? { nil }
    /// Content of the member that ``next()`` returned; 0 is its end.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int { 0 }
    /// Reads what follows the end marker up to the end of the stream, so that a digest taken below sees every byte.
    public func drain() throws(Failure) {}
}
