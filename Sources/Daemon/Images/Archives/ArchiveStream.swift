internal import Archive
internal import CLinux
internal import Failures
internal import Linux
public import NIOCore
internal import NIOPosix
internal import OCI

/// An archive as it goes out: documents from memory, blobs from their files, in pieces of half a megabyte.
///
/// All files are open before the first byte is asked for, so that nothing that is removed meanwhile is missing in it. No
/// thread is held between two pieces.
public struct ArchiveStream: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer
    public typealias Failure = any Error

    /// A file of the archive.
    enum Piece: Sendable {
        case directory(String)
        case document(String, [UInt8])
        case blob(String, SharedDescriptor, size: Int64)
    }

    let pieces: [Piece]
    let pool: NIOThreadPool

    public func makeAsyncIterator() -> Iterator { Iterator(pieces: pieces, pool: pool) }

    public struct Iterator: AsyncIteratorProtocol {
        private var pieces: ArraySlice<Piece>
        private let pool: NIOThreadPool
        private var open: (file: SharedDescriptor, offset: Int64, size: Int64)?
        private var isEnded = false

        private static let blockBytes = 512 << 10

        init(pieces: [Piece], pool: NIOThreadPool) {
            self.pieces = pieces[...]
            self.pool = pool
        }

        public mutating func next() async throws -> ByteBuffer? {
            if let (file, offset, size) = open { return try await read(file, offset, size) }
            guard let piece = pieces.popFirst() else {
                if isEnded { return nil }
                isEnded = true
                return ByteBuffer(repeating: 0, count: 1024)
            }
            switch piece {
            case .directory(let path): return ByteBuffer(bytes: try header(TarEntry(.directory, path, mode: 0o755)))
            case .document(let path, let bytes):
                var buffer = ByteBuffer(
                    bytes: try header(TarEntry(.file, path, mode: 0o644, size: Int64(bytes.count))))
                buffer.writeBytes(bytes)
                buffer.writeRepeatingByte(0, count: Iterator.padding(Int64(bytes.count)))
                return buffer
            case .blob(let path, let file, let size):
                if size > 0 { open = (file, 0, size) }
                return ByteBuffer(bytes: try header(TarEntry(.file, path, mode: 0o644, size: size)))
            }
        }

        private mutating func read(_ file: SharedDescriptor, _ offset: Int64, _ size: Int64) async throws -> ByteBuffer
        {
            let wanted = Int(Swift.min(size - offset, Int64(Iterator.blockBytes)))
            var buffer = try await pool.blocking { () throws(Failures.Failure) -> ByteBuffer in
                var buffer = ByteBufferAllocator().buffer(capacity: wanted + 512)
                let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { bytes in
                    Swift.max(0, pread(file.raw, bytes.baseAddress, wanted, off_t(offset)))
                }
                guard count > 0 else {
                    throw Failures.Failure(.internal, "a blob is shorter than it was when it was stored")
                }
                return buffer
            }
            let reached = offset + Int64(buffer.readableBytes)
            open = reached < size ? (file, reached, size) : nil
            if open == nil { buffer.writeRepeatingByte(0, count: Iterator.padding(size)) }
            return buffer
        }

        private static func padding(_ size: Int64) -> Int { Int((512 - size % 512) % 512) }

        /// The blocks in front of an entry's content.
        private func header(_ entry: TarEntry) throws(Failures.Failure) -> [UInt8] {
            let sink = BytesSink()
            try TarWriter(sink).begin(entry)
            return sink.bytes
        }
    }
}
