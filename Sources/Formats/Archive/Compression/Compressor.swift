public import Failures

/// A sink that packs what it is given and passes it on.
public final class Compressor: ByteSink {
    /// - Parameter level: of the method; `nil` is what its library prefers.
    public init(_ compression: Compression, to sink: any ByteSink, level: Int32? = nil) throws(Failure) {
        throw Failure(.notImplemented, "compressor")
    }
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {}
    /// Ends the packed stream and the sink below.
    public func finish() throws(Failure) {}
}
