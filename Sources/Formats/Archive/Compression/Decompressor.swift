public import Failures

/// The unpacked bytes of a stream, whatever it is packed with: its first bytes say.
///
/// What comes out is counted against ``DecompressionLimits``, so a bomb ends as an error, not as a full disk.
public final class Decompressor: ByteSource {
    /// How the stream is packed.
    public let compression: Compression

    private let source: any ByteSource
    private let decoder: (any StreamDecoder)?
    private let limits: DecompressionLimits
    private let buffer: UnsafeMutableRawBufferPointer
    private var head = 0
    private var tail = 0
    private var sourceEnded = false
    private var bytesIn: Int64 = 0
    private var bytesOut: Int64 = 0

    /// Reads the first bytes to learn how the stream is packed.
    ///
    /// An empty stream counts as not packed.
    public init(_ source: any ByteSource, limits: DecompressionLimits = .standard) throws(Failure) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
        do {
            let count = try source.readFully(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Compression.magicLength]))
            let compression = Compression(detecting: buffer[..<count])
            self.decoder =
                switch compression {
                case .none: nil
                case .gzip: try GzipDecoder()
                case .zstd: try ZstdDecoder()
                }
            self.compression = compression
            self.tail = count
            self.sourceEnded = count < Compression.magicLength
        } catch {
            buffer.deallocate()
            throw error
        }
        self.source = source
        self.limits = limits
        self.buffer = buffer
    }

    deinit { buffer.deallocate() }

    public func read(into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        let count = if let decoder { try unpack(decoder, into: output) } else { try pass(into: output) }
        bytesOut += Int64(count)
        if bytesOut > limits.bytes {
            throw Failure(.invalid, "the stream unpacks to more than the limit of \(limits.bytes) bytes")
        }
        // Division, not multiplication: the limits may be anything.
        if bytesOut > limits.freeGrowth, bytesOut / max(bytesIn, 1) > limits.ratio {
            throw Failure(
                .invalid,
                "the stream unpacks to more than \(limits.ratio) times its size: refused as a decompression bomb")
        }
        return count
    }

    private func unpack(_ decoder: any StreamDecoder, into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    {
        while true {
            let progress = try decoder.decode(UnsafeRawBufferPointer(rebasing: buffer[head..<tail]), into: output)
            head += progress.consumed
            bytesIn += Int64(progress.consumed)
            if progress.produced > 0 { return progress.produced }
            if head == tail {
                if sourceEnded {
                    guard decoder.isAtEnd else {
                        throw Failure(.invalid, "the \(compression.rawValue) stream ends too early")
                    }
                    return 0
                }
                try fill()
            } else if progress.consumed == 0 {
                throw Failure(.invalid, "the \(compression.rawValue) stream does not go on")
            }
        }
    }

    private func pass(into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        guard head < tail else {
            if sourceEnded { return 0 }
            let count = try source.read(into: output)
            bytesIn += Int64(count)
            return count
        }
        let count = min(tail - head, output.count)
        output.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[head..<head + count]))
        head += count
        bytesIn += Int64(count)
        return count
    }

    private func fill() throws(Failure) {
        head = 0
        tail = try source.read(into: buffer)
        sourceEnded = tail == 0
    }
}
