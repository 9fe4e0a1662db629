internal import Archive
internal import Failures
internal import Linux
internal import OCI
internal import Storage
internal import Synchronization

/// A blob that came with a stream: written to an ingest file and, where it looks like a layer, unpacked meanwhile.
///
/// What it is meant to be is only known when the stream's documents have been read, which may come last. So it is neither
/// a blob nor a layer until somebody calls it one.
final class SpooledBlob: Sendable {
    let ingest: BlobIngest
    let size: Int64
    let compression: Compression
    private let tail: BlobTail
    /// What came of unpacking it; nil where nobody tried.
    private let unpacked: Latch<UnpackedLayer>?
    private let isTaken = Atomic(false)

    private init(
        ingest: BlobIngest, size: Int64, compression: Compression, tail: BlobTail, unpacked: Latch<UnpackedLayer>?
    ) {
        self.ingest = ingest
        self.size = size
        self.compression = compression
        self.tail = tail
        self.unpacked = unpacked
    }

    private static let blockBytes = 256 << 10

    /// Reads a source to its end into the content store's ingest area.
    ///
    /// Blocks.
    ///
    /// - Parameters:
    ///   - prefix: bytes that were read from the source already.
    ///   - unpacks: whether to unpack it at the same time, on another thread.
    static func spool(
        _ source: any ByteSource, prefix: [UInt8], unpacks: Bool, into layers: LayerStore,
        progress: (Int64) -> Void
    ) throws(Failure) -> SpooledBlob {
        let ingest = try layers.content.draft()
        let tail = BlobTail()
        do throws(Failure) {
            tail.begin(SharedDescriptor(try ingest.reader()), available: 0)
            var unpacked: Latch<UnpackedLayer>?
            if unpacks {
                let latch = Latch<UnpackedLayer>()
                unpacked = latch
                Task {
                    do throws(Failure) { latch.set(.success(try await layers.unpack(tail))) } catch {
                        latch.set(.failure(error))
                    }
                }
            }
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: blockBytes, alignment: 4096)
            defer { block.deallocate() }
            block.copyBytes(from: prefix)
            var held = prefix.count
            while true {
                let count = try source.readFully(into: UnsafeMutableRawBufferPointer(rebasing: block[held...]))
                held += count
                if held == 0 { break }
                try ingest.write(UnsafeRawBufferPointer(rebasing: block[..<held]))
                tail.advance(to: ingest.offset)
                progress(ingest.offset)
                if held < block.count { break }
                held = 0
            }
            tail.end(.success(()))
            return SpooledBlob(
                ingest: ingest, size: ingest.offset, compression: Compression(detecting: prefix), tail: tail,
                unpacked: unpacked)
        } catch {
            tail.end(.failure(error))
            ingest.discard()
            throw error
        }
    }

    /// The digest of the bytes, read again.
    ///
    /// Blocks. Only for blobs nobody names.
    func digest() throws(Failure) -> Digest {
        try HashingSource(BlobTailSource(tail)).finish()
    }

    /// The unpacked files, once; nil where nobody unpacked them or somebody took them.
    ///
    /// They are the caller's then.
    func takeDraft() async throws(Failure) -> UnpackedLayer? {
        guard let unpacked else { return nil }
        let draft = try await unpacked.value()
        return isTaken.exchange(true, ordering: .acquiringAndReleasing) ? nil : draft
    }

    /// Drops what nobody took.
    func dropDraft(_ layers: LayerStore) async {
        // The task that unpacks ends by itself, since its source has ended; waiting for it must outlast a cancellation.
        guard let draft = await Task(operation: { try? await self.takeDraft() }).value?.draft else { return }
        await layers.pool.cleaningUp { draft.discard() }
    }
}

/// Names that nobody else has: 32 hexadecimal digits.
enum RandomName {
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let text = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }
}
