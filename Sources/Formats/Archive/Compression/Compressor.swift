internal import CZlib
internal import CZstd
public import Failures

/// A sink that packs what it is given and passes it on.
///
/// The same bytes and level always make the same stream.
public final class Compressor: ByteSink {
    private let sink: any ByteSink
    private let encoder: (any StreamEncoder)?
    private let buffer: UnsafeMutableRawBufferPointer

    /// - Parameter level: of the method; `nil` is what its library prefers.
    public init(_ compression: Compression, to sink: any ByteSink, level: Int32? = nil) throws(Failure) {
        self.encoder =
            switch compression {
            case .none: nil
            case .gzip: try GzipEncoder(level: level ?? Z_DEFAULT_COMPRESSION)
            case .zstd: try ZstdEncoder(level: level ?? ZSTD_CLEVEL_DEFAULT)
            }
        self.sink = sink
        self.buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
    }

    deinit { buffer.deallocate() }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard let encoder else { return try sink.write(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            let progress = try encoder.encode(rest, into: buffer)
            rest = UnsafeRawBufferPointer(rebasing: rest[progress.consumed...])
            try pass(progress.produced)
        }
    }

    /// Ends the packed stream and the sink below.
    public func finish() throws(Failure) {
        if let encoder {
            var isDone = false
            while !isDone {
                let (produced, done) = try encoder.end(into: buffer)
                try pass(produced)
                isDone = done
            }
        }
        try sink.finish()
    }

    private func pass(_ count: Int) throws(Failure) {
        if count > 0 { try sink.write(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
    }
}

/// One method of packing, bytes in and bytes out, with no idea where they go.
private protocol StreamEncoder: AnyObject {
    func encode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Progress
    func end(into output: UnsafeMutableRawBufferPointer) throws(Failure) -> (produced: Int, done: Bool)
}

private final class GzipEncoder: StreamEncoder {
    // zlib keeps the address of this structure, so it may not move.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init(level: Int32) throws(Failure) {
        stream.initialize(to: z_stream())
        let code = deflateInit2_(
            stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            stream.deallocate()
            throw Failure(.internal, "cannot start the gzip encoder: zlib says \(code)")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func encode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Progress
    {
        try step(input, output, Z_NO_FLUSH).progress
    }

    func end(into output: UnsafeMutableRawBufferPointer) throws(Failure) -> (produced: Int, done: Bool) {
        let step = try step(UnsafeRawBufferPointer(start: nil, count: 0), output, Z_FINISH)
        return (step.progress.produced, step.code == Z_STREAM_END)
    }

    private func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, _ flush: Int32
    ) throws(Failure) -> (progress: Progress, code: Int32) {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: input.count)
        stream.pointee.next_out = output.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(clamping: output.count)
        let offered = (input: Int(stream.pointee.avail_in), output: Int(stream.pointee.avail_out))
        let code = deflate(stream, flush)
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
            throw Failure(.internal, "cannot pack the stream: zlib says \(code)")
        }
        let progress = Progress(
            consumed: offered.input - Int(stream.pointee.avail_in),
            produced: offered.output - Int(stream.pointee.avail_out))
        return (progress, code)
    }
}

private final class ZstdEncoder: StreamEncoder {
    private let context: OpaquePointer

    init(level: Int32) throws(Failure) {
        guard let context = ZSTD_createCCtx() else {
            throw Failure(.internal, "cannot start the zstd encoder: out of memory")
        }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    func encode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Progress
    {
        try step(input, output, ZSTD_e_continue).progress
    }

    func end(into output: UnsafeMutableRawBufferPointer) throws(Failure) -> (produced: Int, done: Bool) {
        let step = try step(UnsafeRawBufferPointer(start: nil, count: 0), output, ZSTD_e_end)
        return (step.progress.produced, step.pending == 0)
    }

    private func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, _ directive: ZSTD_EndDirective
    ) throws(Failure) -> (progress: Progress, pending: Int) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let code = ZSTD_compressStream2(context, &target, &source, directive)
        guard ZSTD_isError(code) == 0 else {
            throw Failure(.internal, "cannot pack the stream: \(String(cString: ZSTD_getErrorName(code)))")
        }
        return (Progress(consumed: source.pos, produced: target.pos), code)
    }
}
