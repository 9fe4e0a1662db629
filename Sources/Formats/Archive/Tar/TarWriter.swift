public import Failures

/// Writes members of a tar stream, one after the other.
public final class TarWriter {
    public init(_ sink: any ByteSink) {}
    /// Starts a member; exactly `entry.size` bytes of content must follow before the next.
    public func begin(_ entry: TarEntry) throws(Failure) {}
    /// Content of the member that was begun.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {}
    /// A whole member.
    public func add(_ entry: TarEntry, content: [UInt8] = []) throws(Failure) {}
    /// Writes the end marker. The sink is left open.
    public func finish() throws(Failure) {}
}
