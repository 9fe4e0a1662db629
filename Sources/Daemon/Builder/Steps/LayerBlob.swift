internal import Archive
internal import CLinux
internal import Failures
internal import Images
internal import Linux
internal import NIOPosix
internal import OCI
internal import Storage

/// Packs the changes of a layer's directory as a tar, which is the layer's blob and its identity at once: builds store
/// layers plain, and a push packs them.
struct LayerBlob: Sendable {
    let content: ContentStore
    let pool: NIOThreadPool
    let lease: BuildLease

    /// The layer made of an overlay's upper directory; `nil` when there is nothing in it.
    func store(_ directory: SharedDescriptor) async throws -> LayerDescriptor? {
        let content = self.content
        let ingest = try await pool.runIfActive { () throws -> BlobIngest? in
            let opened = try open(".", O_RDONLY | O_DIRECTORY, at: directory.raw)
            if try readDirectory(opened.raw).isEmpty { return nil }
            let ingest = try content.draft()
            do {
                let sink = BufferedSink { (bytes) throws(Failure) in try ingest.write(bytes) }
                let writer = TarWriter(sink)
                var options = TreeArchiver.Options()
                options.whiteouts = .layer
                try TreeArchiver(writer, options: options).archive(opened.raw)
                try writer.finish()
                try sink.finish()
                return ingest
            } catch {
                ingest.discard()
                throw error
            }
        }
        guard let ingest else { return nil }
        let digest = ingest.digestSoFar
        let size = ingest.offset
        do {
            // Promised before it is there, so that no collection finds it without an owner.
            try await lease.keep(blobs: [digest])
            _ = try await pool.runIfActive { try ingest.commit(expecting: digest) }
        } catch {
            ingest.discard()
            throw error
        }
        return LayerDescriptor(blob: Descriptor(mediaType: .ociLayer, digest: digest, size: size), diffID: digest)
    }
}

/// Gathers the many short writes of a tar of small files into few long ones.
final class BufferedSink: ByteSink {
    private let body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    private var filled = 0

    init(_ body: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) { self.body = body }

    deinit { buffer.deallocate() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        if filled + bytes.count > buffer.count { try flush() }
        guard bytes.count <= buffer.count else { return try body(bytes) }
        UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(from: bytes)
        filled += bytes.count
    }

    func finish() throws(Failure) { try flush() }

    private func flush() throws(Failure) {
        guard filled > 0 else { return }
        try body(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        filled = 0
    }
}
