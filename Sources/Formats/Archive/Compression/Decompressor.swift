public import Failures

/// The unpacked bytes of a stream, whatever it is packed with.
public final class Decompressor: ByteSource {
    /// How the stream is packed.
    public let compression: Compression
    public init(_ source: any ByteSource, limits: DecompressionLimits = .standard) throws(Failure) {
        throw Failure(.notImplemented, "decompressor")
    }
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int { 0 }
}
