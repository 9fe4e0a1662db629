internal import CZlib
internal import CZstd
internal import Failures

/// One method of packing, bytes in and bytes out, with no idea where they come from.
protocol StreamDecoder: AnyObject {
    /// Unpacks some of `input` into `output`.
    ///
    /// - Returns: what was taken and what was made. Neither means that it needs more input.
    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Progress

    /// Whether the input may end here.
    var isAtEnd: Bool { get }
}

/// How far one step of a packing library came.
struct Progress {
    var consumed: Int
    var produced: Int
}

/// RFC 1952: members one after the other, zero bytes allowed after the last.
final class GzipDecoder: StreamDecoder {
    // zlib keeps the address of this structure, so it may not move.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var isBetweenMembers = false

    init() throws(Failure) {
        stream.initialize(to: z_stream())
        // 16 more than the window's size: gzip's header and checksum, nothing else.
        let code = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            stream.deallocate()
            throw Failure(.internal, "cannot start the gzip decoder: zlib says \(code)")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    var isAtEnd: Bool { isBetweenMembers }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Progress
    {
        if isBetweenMembers {
            guard let first = input.first else { return Progress(consumed: 0, produced: 0) }
            if first == 0 {
                let padding = input.firstIndex { $0 != 0 } ?? input.count
                return Progress(consumed: padding, produced: 0)
            }
            guard inflateReset(stream) == Z_OK else { throw Failure(.internal, "cannot restart the gzip decoder") }
            isBetweenMembers = false
        }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: input.count)
        stream.pointee.next_out = output.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(clamping: output.count)
        let offeredIn = Int(stream.pointee.avail_in)
        let offeredOut = Int(stream.pointee.avail_out)
        let code = inflate(stream, Z_NO_FLUSH)
        switch code {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isBetweenMembers = true
        case Z_MEM_ERROR: throw Failure(.internal, "cannot unpack the gzip stream: out of memory")
        default:
            let detail = stream.pointee.msg.map { String(cString: $0) } ?? "zlib says \(code)"
            throw Failure(.invalid, "the gzip stream is broken: \(detail)")
        }
        return Progress(
            consumed: offeredIn - Int(stream.pointee.avail_in), produced: offeredOut - Int(stream.pointee.avail_out))
    }
}

/// RFC 8878: frames one after the other.
///
/// The library refuses windows above 128 MiB, so memory stays bounded.
final class ZstdDecoder: StreamDecoder {
    private let context: OpaquePointer
    private var pending = 0

    init() throws(Failure) {
        guard let context = ZSTD_createDCtx() else {
            throw Failure(.internal, "cannot start the zstd decoder: out of memory")
        }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    var isAtEnd: Bool { pending == 0 }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Failure) -> Progress
    {
        // Between frames the library would answer a call without input by asking for another frame.
        if input.isEmpty, pending == 0 { return Progress(consumed: 0, produced: 0) }
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let code = ZSTD_decompressStream(context, &target, &source)
        guard ZSTD_isError(code) == 0 else {
            throw Failure(.invalid, "the zstd stream is broken: \(String(cString: ZSTD_getErrorName(code)))")
        }
        pending = code
        return Progress(consumed: source.pos, produced: target.pos)
    }
}
